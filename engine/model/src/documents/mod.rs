//! The documents of a pack as their authors write them: typed, but nothing resolved and nothing checked.
//!
//! Field types, step kinds, tile kinds and metric types are open registries: one file each holds the options, one line
//! in the registry names it.

pub mod board;
pub mod calendar;
pub mod case;
pub mod common;
pub mod dataset;
pub mod decision;
pub mod demo;
pub mod fields;
pub mod form;
pub mod import;
pub mod metrics;
pub mod pack;
pub mod public;
pub mod report;
pub mod sla;
pub mod steps;
pub mod tiles;
pub mod workflow;

/// Kinds of JSON documents. Each has a folder (but the pack itself) and a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `pack.json`.
    Pack,
    /// `forms/`.
    Form,
    /// `workflows/`.
    Workflow,
    /// `decisions/`.
    Decision,
    /// `calendars/`.
    Calendar,
    /// `datasets/`.
    Dataset,
    /// `metrics/`.
    Metric,
    /// `reports/`.
    Report,
    /// `boards/`.
    Board,
    /// `imports/`.
    Import,
    /// `demo/`.
    Demo,
    /// `cases/`.
    Case,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 12] = [
        Kind::Pack,
        Kind::Form,
        Kind::Workflow,
        Kind::Decision,
        Kind::Calendar,
        Kind::Dataset,
        Kind::Metric,
        Kind::Report,
        Kind::Board,
        Kind::Import,
        Kind::Demo,
        Kind::Case,
    ];

    /// The word for people and for `formwork schema`: `form`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pack => "pack",
            Kind::Form => "form",
            Kind::Workflow => "workflow",
            Kind::Decision => "decision",
            Kind::Calendar => "calendar",
            Kind::Dataset => "dataset",
            Kind::Metric => "metric",
            Kind::Report => "report",
            Kind::Board => "board",
            Kind::Import => "import",
            Kind::Demo => "demo",
            Kind::Case => "case",
        }
    }

    /// The kind of that word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The folder its documents are in; none for the pack itself.
    pub fn folder(self) -> Option<&'static str> {
        Some(match self {
            Kind::Pack => return None,
            Kind::Form => "forms",
            Kind::Workflow => "workflows",
            Kind::Decision => "decisions",
            Kind::Calendar => "calendars",
            Kind::Dataset => "datasets",
            Kind::Metric => "metrics",
            Kind::Report => "reports",
            Kind::Board => "boards",
            Kind::Import => "imports",
            Kind::Demo => "demo",
            Kind::Case => "cases",
        })
    }

    /// The kind whose documents are in that folder.
    pub fn of_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == Some(folder))
    }
}
