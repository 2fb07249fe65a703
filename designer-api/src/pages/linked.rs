//! What stands below a record: its child rows, and the records that link to it.

use serde_json::Value as Json;

use formwork_model::pack::form::{self, FieldKind};
use formwork_runtime::questions::ListRequest;

use super::errors::Refusal;
use super::list::{Sorting, table};
use super::tabs::Part;
use super::visit::Visit;
use crate::view::cell::{Cell, Scribe, plain};
use crate::view::columns::columns_of;
use crate::view::field::{Field, Link, Table, TableView};
use crate::view::query::address;
use crate::view::related;
use crate::view::seen::Seen;

/// Rows of a card of records that link here.
const RELATED_ROWS: u32 = 5;
/// Columns of such a card.
const RELATED_COLUMNS: usize = 5;

/// What a tab shows of it, in the order of the layout: child tables that hold rows, or the records that link here.
pub(super) async fn related_cards(
    visit: &Visit,
    seen: &Seen,
    scribe: Scribe<'_>,
    record: &Json,
    tab: Part,
) -> Result<Vec<Field>, Refusal> {
    let mut cards = Vec::new();
    for position in seen.form.layout.values().flat_map(|section| section.rows.iter().flatten()) {
        let field = &seen.form.fields[*position];
        let Some(value) = record.get(&*field.key).filter(|value| value.is_array()) else { continue };
        let count = value.as_array().map_or(0, Vec::len);
        let table = match &field.kind {
            FieldKind::Table { .. } if count > 0 && tab == Part::Details => {
                related::rows(seen, scribe, *position, value)
            }
            FieldKind::Backlink { .. } if tab == Part::Related => {
                linked(visit, seen, scribe, record, field, value).await?
            }
            _ => continue,
        };
        cards.push(Field {
            kind: field.kind.name(),
            id: format!("f/{}", field.key),
            label: field.label.get(&scribe.local.language).to_owned(),
            shown: Cell::text(count.to_string()),
            table: Some(TableView::Read(table)),
            ..Field::default()
        });
    }
    Ok(cards)
}

/// Records that link here: the newest ones in the columns of their first view, and the way to all of them.
async fn linked(
    visit: &Visit,
    seen: &Seen,
    scribe: Scribe<'_>,
    record: &Json,
    field: &form::Field,
    value: &Json,
) -> Result<Table, Refusal> {
    let Some((form, link)) = related::target(field) else { return Ok(related::titles(seen, scribe, value)) };
    let other = Seen::new(&seen.pack, form, &seen.viewer);
    let named = related::naming_field(seen, record).filter(|_| other.can_read());
    let (Some((key, name)), Some((_, view))) = (named, other.view(None)) else {
        return Ok(related::titles(&other, scribe, value));
    };
    let filter = format!("{link}.{key} == '{}'", name.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut columns = columns_of(&other, Some(view));
    columns.retain(|(column, _)| *column != **link);
    columns.truncate(RELATED_COLUMNS);
    let request = ListRequest {
        filter: Some(filter.clone()),
        fields: Some(columns.iter().map(|(key, _)| key.clone()).collect()),
        limit: RELATED_ROWS,
        ..ListRequest::default()
    };
    let answer = visit.engine().list(&other.pack, &other.viewer, form, request).await?;
    let unordered = Sorting { path: "", pairs: &Vec::new(), view: None };
    let mut table = table(&other, scribe, &columns, &answer, &unordered);
    if !answer["next"].is_null() {
        let all = other.form.views.iter().find(|(_, view)| view.filter.is_none()).map_or("", |(key, _)| &**key);
        let path = other.path(visit.engine());
        let href = match all {
            "" => address(&path, [("filter", filter.as_str())]),
            view => address(&path, [("view", view), ("filter", filter.as_str())]),
        };
        let label = visit.say("table.more", &[("n", &plain(&answer["total"]["value"]))]);
        table.more = Some(Link { label, href });
    }
    Ok(table)
}
