//! What deploying a pack would change, as data: records, permissions, running work.
//!
//! ```text
//! deployed pack ─┐
//!                ├─► plan: changes · permission diff · what is blocked
//! wanted pack ───┘          └─► the store adds the SQL, counts rows, and blocks what the data forbids
//! ```
//! A name that vanishes is hidden, never dropped: its column stays until somebody finalises. A rename said by `was`
//! keeps the data. Running instances stay on the version they started with.

mod access;
mod forms;
mod renames;
mod workflows;

use serde::Serialize;

use crate::pack::Pack;
use crate::pack::form::FieldKind;

pub use forms::{convertible, recomputed};
pub use renames::{former_fields, former_form, renamed_options};

/// What deploying would change. Serialised as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Changes of what is stored, forms first, in the order of the wanted pack.
    pub changes: Vec<Change>,
    /// The permission diff: role × form × field, and role × form × operation.
    pub access: Vec<AccessChange>,
    /// What keeps this plan from being deployed.
    pub blocked: Vec<Blocked>,
}

/// A change of what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What kind of change.
    pub class: ChangeClass,
    /// What changes: `forms/ticket/fields/voucher`.
    pub at: String,
    /// For people: the old name of a rename, the types of a conversion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Classes of changes, by what they do to data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeClass {
    /// Something new.
    Add,
    /// The same data under another name.
    Rename,
    /// Stored values change their type.
    Convert,
    /// Stored values are computed anew.
    Backfill,
    /// No longer used; the data stays.
    Hide,
    /// Nothing of value goes: an index, a constraint.
    Drop,
}

/// A change of what a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessChange {
    /// The role.
    pub role: String,
    /// The form.
    pub form: String,
    /// The field (`items.claimed` for one of child rows), for a change of level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// `read`, `create`, `update` or `delete`, for a change of which records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// A level, or `never`, `always`, or the condition.
    pub from: String,
    /// A level, or `never`, `always`, or the condition.
    pub to: String,
}

/// Why the plan cannot be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// What it is about: `forms/ticket/fields/items`.
    pub at: String,
    /// Why.
    pub message: String,
    /// What to do instead.
    pub hint: String,
}

/// Compares a wanted pack with the deployed one; with nothing deployed everything is added.
pub fn plan(deployed: Option<&Pack>, wanted: &Pack) -> Plan {
    let mut plan = Plan { changes: Vec::new(), access: access::compare(deployed, wanted), blocked: Vec::new() };
    forms::compare(deployed, wanted, &mut plan);
    workflows::compare(deployed, wanted, &mut plan);
    if let Some(deployed) = deployed {
        currency(deployed, wanted, &mut plan);
    }
    plan
}

/// Amounts carry no currency of their own: another one would change what every stored amount means.
fn currency(deployed: &Pack, wanted: &Pack, plan: &mut Plan) {
    let has_money = deployed.forms().values().any(|form| {
        form.fields
            .iter()
            .flat_map(|field| std::iter::once(field).chain(field.kind.rows()))
            .any(|field| matches!(field.kind, FieldKind::Money { .. }))
    });
    if has_money && deployed.currency() != wanted.currency() {
        plan.blocked.push(Blocked {
            at: "pack/currency".to_owned(),
            message: format!("amounts in {} would be read as {}", deployed.currency(), wanted.currency()),
            hint: "keep the currency, or convert the amounts into new fields".to_owned(),
        });
    }
}

impl Plan {
    fn push(&mut self, class: ChangeClass, at: String, detail: Option<String>) {
        self.changes.push(Change { class, at, detail });
    }
}

#[cfg(test)]
mod tests;
