//! Renamed options: the values that are stored follow.

use indexmap::IndexMap;

use formwork_model::expr::Type;
use formwork_model::pack::form::{ChoiceOption, FieldKind};
use formwork_model::plan::{ChangeClass, renamed_options};
use formwork_model::{Key, Pack};

use super::pairs::{Spot, pairs};
use super::{PlannedStep, literal};
use crate::catalogue::Catalogue;
use crate::names::quote;

/// Longest chain of look-ups that is followed to a choice.
const HOPS_MAX: usize = 8;

/// One step for each renamed option of each column that may hold it. No old key is wanted and no new one was deployed,
/// so the order does not matter.
pub(super) fn steps(deployed: Option<&Pack>, wanted: &Pack, catalogue: &Catalogue) -> Vec<PlannedStep> {
    let mut steps = Vec::new();
    let stored = |spot: &Spot<'_>| spot.field.is_stored();
    for (old, new) in pairs(deployed, wanted).into_iter().filter(|(old, new)| stored(old) && stored(new)) {
        let before = deployed.and_then(|deployed| options_of(deployed, old, HOPS_MAX));
        let (Some(before), Some(after)) = (before, options_of(wanted, new, HOPS_MAX)) else { continue };
        let (form, child) = (&new.form.key, new.child_key());
        let table = catalogue.table(wanted.key(), form, child);
        let (Some(table), Some(column)) = (table, catalogue.column(wanted.key(), form, child, &new.field.key)) else {
            continue;
        };
        let (table, column) = (quote(&table.name), quote(&column.name));
        for (from, to) in renamed_options(before, after) {
            let holds = format!("{column} = {}", literal(from));
            let sql = format!("UPDATE {table} SET {column} = {} WHERE {holds}", literal(to));
            let at = format!("{}/options/{to}", new.at());
            let mut step = PlannedStep::new(ChangeClass::Rename, at, vec![sql]);
            step.count = Some(format!("SELECT count(*) FROM {table} WHERE {holds}"));
            steps.push(step);
        }
    }
    steps
}

/// The options a value of the field is one of: its own, or those of the choice it looks up.
fn options_of<'a>(pack: &'a Pack, spot: Spot<'a>, hops: usize) -> Option<&'a IndexMap<Key, ChoiceOption>> {
    match &spot.field.kind {
        FieldKind::Choice { options, .. } => Some(options),
        FieldKind::Lookup { via, field, .. } if hops > 0 => {
            let FieldKind::Link { ty: Type::Link(to), .. } = &spot.siblings()[*via].kind else { return None };
            let form = pack.forms().get(to)?;
            let (_, field) = form.field(field)?;
            options_of(pack, Spot { form, child: None, field }, hops - 1)
        }
        _ => None,
    }
}
