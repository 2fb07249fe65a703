//! Where expressions stand, and what may be named there: the one table. The checker looks names up in it, and the marks
//! `x-formwork-expression` of the schemas and the page `engine/model/docs/expressions.md` are made from it.

use serde_json::{Value, json};

/// A place where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// The title of a record.
    Title,
    /// `visibleIf`, `requiredIf`, `readOnlyIf`.
    Condition,
    /// A computed field.
    Computed,
    /// What a field holds when a record is begun.
    Default,
    /// Which records a link may lead to.
    Candidate,
    /// A rule of a form.
    Rule,
    /// Among which records a value is unique.
    Unique,
    /// Which rows: access, views, cases.
    Rows,
    /// `?filter=` of the API.
    Request,
    /// What somebody who follows a record without logging in has to know.
    Proof,
    /// Steps of a workflow.
    Workflow,
    /// What a workflow's start is told by.
    Start,
    /// What happens when a message arrives.
    Event,
    /// For which records a schedule runs.
    Each,
    /// An input of a decision.
    Input,
    /// A cell of a decision.
    Cell,
    /// What a rule of a decision gives.
    Output,
    /// Datasets and metrics.
    Source,
    /// What a metric makes of others.
    Formula,
    /// Which records a tile is about.
    Tile,
    /// The fields a tile shows of the board's record.
    Shown,
    /// What a record filed from a board starts with.
    Preset,
    /// A column of an import.
    Column,
    /// A field of a demo recipe.
    Recipe,
}

/// Names that mean something at some positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// The record's fields, bare.
    Fields,
    /// `old.x`: what is stored; not in the rows of a table.
    Old,
    /// `parent.x`: the record a row is of; in the rows of a table only.
    Parent,
    /// `it.x`: a record of another form.
    It,
    /// `record.x`: the record of a workflow or a board.
    Record,
    /// `user.x`, and `has_role`.
    User,
    /// `vars.x`, `step.<id>.x`, `instance.x`.
    Workflow,
    /// `event.x`: what a message carries.
    Event,
    /// The inputs of the decision.
    Inputs,
    /// Metrics, by key.
    Metrics,
    /// `?`: the input of the column.
    Cell,
    /// `row.x` and `row['x']`: the text in a column of the file.
    Columns,
    /// `i`, `as_of`, `rng`, `ref` and `pick`.
    Recipe,
    /// Ids of records, in quotes.
    Ids,
    /// `settings.x`.
    Settings,
    /// `now` and `today`.
    Clock,
}

/// Whether `lookup` and `lookup_all` may ask for records at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookups {
    /// They may not.
    Never,
    /// They may, where the field is stored.
    Stored,
    /// They may.
    Always,
}

/// A line of the table.
struct Line {
    word: &'static str,
    names: &'static [Names],
    lookups: Lookups,
    /// Whether every node must lower to SQL.
    lowers: bool,
}

impl Position {
    /// All of them.
    pub const ALL: [Position; 24] = [
        Position::Title,
        Position::Condition,
        Position::Computed,
        Position::Default,
        Position::Candidate,
        Position::Rule,
        Position::Unique,
        Position::Rows,
        Position::Request,
        Position::Proof,
        Position::Workflow,
        Position::Start,
        Position::Event,
        Position::Each,
        Position::Input,
        Position::Cell,
        Position::Output,
        Position::Source,
        Position::Formula,
        Position::Tile,
        Position::Shown,
        Position::Preset,
        Position::Column,
        Position::Recipe,
    ];

    const fn line(self) -> Line {
        use Lookups::{Always, Never, Stored};
        use Names::{
            Cell, Clock, Columns, Event, Fields, Ids, Inputs, It, Metrics, Old, Parent, Recipe, Record, Settings, User,
            Workflow,
        };
        let (word, names, lookups, lowers): (_, &[Names], _, _) = match self {
            Self::Title => ("title", &[Fields, Settings, Clock], Never, false),
            Self::Condition => ("condition", &[Fields, Old, Parent, User, Settings, Clock], Never, false),
            Self::Computed => ("computed", &[Fields, Parent, Settings, Clock], Stored, false),
            Self::Default => ("default", &[Fields, Parent, User, Settings, Clock], Always, false),
            Self::Candidate => ("candidate", &[It, Fields, Parent, User, Settings, Clock], Never, true),
            Self::Rule => ("rule", &[Fields, Old, User, Settings, Clock], Always, false),
            Self::Unique => ("unique", &[Fields, Settings], Never, true),
            Self::Rows => ("rows", &[Fields, User, Settings, Clock], Never, true),
            Self::Request => ("request", &[Fields, User, Ids, Settings, Clock], Never, true),
            Self::Proof => ("proof", &[Fields], Never, false),
            Self::Workflow => ("workflow", &[Record, Old, Workflow, User, Settings, Clock], Always, false),
            Self::Start => ("start", &[Record, It, Old, Workflow, User, Settings, Clock], Always, false),
            Self::Event => ("event", &[Record, Old, Workflow, Event, User, Settings, Clock], Always, false),
            Self::Each => ("each", &[It, Settings, Clock], Never, true),
            Self::Input => ("input", &[Fields, Settings, Clock], Always, false),
            Self::Cell => ("cell", &[Cell, Settings, Clock], Never, false),
            Self::Output => ("output", &[Inputs, Settings, Clock], Always, false),
            Self::Source => ("source", &[Fields, Settings, Clock], Never, false),
            Self::Formula => ("formula", &[Metrics], Never, false),
            Self::Tile => ("tile", &[Fields, Record, User, Settings, Clock], Never, true),
            Self::Shown => ("shown", &[Fields], Never, false),
            Self::Preset => ("preset", &[Record, User, Settings, Clock], Never, false),
            Self::Column => ("column", &[Columns, Settings, Clock], Never, false),
            Self::Recipe => ("recipe", &[Recipe, Settings, Clock], Never, false),
        };
        Line { word, names, lookups, lowers }
    }

    /// Its word, in the marks of the schemas.
    pub fn word(self) -> &'static str {
        self.line().word
    }

    /// What may be named.
    pub fn names(self) -> &'static [Names] {
        self.line().names
    }

    /// Whether look-ups may ask for records.
    pub fn lookups(self) -> Lookups {
        self.line().lookups
    }

    /// Whether every node must lower to SQL.
    pub fn lowers(self) -> bool {
        self.line().lowers
    }

    /// What a mark says of an expression that stands here and gives that.
    pub(crate) fn mark(self, gives: &str) -> Value {
        let names: Vec<&str> = self.names().iter().flat_map(|names| names.written()).copied().collect();
        let lookups = match self.lookups() {
            Lookups::Never => json!(false),
            Lookups::Stored => json!("stored"),
            Lookups::Always => json!(true),
        };
        json!({"type": gives, "scope": self.word(), "names": names, "lookups": lookups, "sql": self.lowers()})
    }
}

impl Names {
    /// As they are written: `x` stands for a name of the author's.
    pub fn written(self) -> &'static [&'static str] {
        match self {
            Names::Fields => &["x"],
            Names::Old => &["old.x"],
            Names::Parent => &["parent.x"],
            Names::It => &["it.x"],
            Names::Record => &["record.x"],
            Names::User => &["user.x"],
            Names::Workflow => &["vars.x", "step.x.y", "instance.x"],
            Names::Event => &["event.x"],
            Names::Inputs => &["input"],
            Names::Metrics => &["metric"],
            Names::Cell => &["?"],
            Names::Columns => &["row.x", "row['x']"],
            Names::Recipe => &["i", "as_of", "rng(n)", "ref('form', n)", "pick(list, n)"],
            Names::Ids => &["'id'"],
            Names::Settings => &["settings.x"],
            Names::Clock => &["now", "today"],
        }
    }

    /// What they are, for the page.
    pub(crate) const EXPLAINED: [(Names, &'static str); 16] = [
        (Names::Fields, "a field of the record, or over links of one it leads to"),
        (Names::Old, "what the record held before it is written; not in the rows of a table"),
        (Names::Parent, "the record a row is of; in the rows of a table only"),
        (Names::It, "a record of another form: the one that may be linked, the one the schedule runs for"),
        (Names::Record, "the record the workflow or the board is for"),
        (
            Names::User,
            "who acts or reads: `user.id`, `user.roles`, `user.queues`, `user.team`, `user.leads`; `has_role('x')` too",
        ),
        (Names::Workflow, "variables, steps and their outputs, the instance"),
        (Names::Event, "what the message carries"),
        (Names::Inputs, "an input of the decision"),
        (Names::Metrics, "the finished number of a metric, at the same place of the table"),
        (Names::Cell, "the input of the column; a value alone is compared with it"),
        (Names::Columns, "the text in that column of the file"),
        (Names::Recipe, "the number of the record, the day of the recipe, and what draws from them"),
        (Names::Ids, "links may be compared with the id of a record"),
        (Names::Settings, "a setting of the pack"),
        (Names::Clock, "the instant and the day of the act, in the pack's zone"),
    ];
}
