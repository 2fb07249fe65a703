//! The records a link may lead to: those the viewer reads and the field's `where` allows.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use formwork_model::Value;
use formwork_model::expr::ir::{Root, Slot};
use formwork_model::expr::{Ir, Type};
use formwork_model::pack::form::{Field, FieldKind, SortKey};
use formwork_model::value::Row;

use super::Projection;
use super::hops::rebuilt;
use super::project::Presenter;
use super::query::{and, bound_for};
use crate::Stop;
use crate::eval::RowView;
use crate::facts::{LoadedPage, Need};
use crate::read::Query;
use crate::record::Record;
use crate::scene::{Context, Scene};

/// Most records offered; beyond that one searches.
const OPTIONS_MAX: u32 = 50;

/// `[{"value": id, "label": title}]`; none where the viewer reads no record of that form.
pub(crate) fn link_options(
    context: Context<'_>,
    field: &Field,
    record: &Record,
    row: Option<&Row>,
    presenter: &mut Presenter<'_>,
) -> Result<Option<Json>, Stop> {
    let FieldKind::Link { ty: Type::Link(to), filter, .. } = &field.kind else { return Ok(None) };
    let projection = presenter.projection(to);
    if !projection.can_read() {
        return Ok(None);
    }
    let mut allowed = Ir::Literal(Value::Boolean(true));
    if let Some(filter) = filter {
        let mut rows: Vec<RowView<'_>> = row.map(RowView::from).into_iter().collect();
        rows.push(RowView::from(record));
        allowed = bound(&filter.ir, &Scene::new(context, rows))?;
    }
    let page = some(context, &projection, allowed, OPTIONS_MAX, false)?;
    let mut options = Vec::new();
    for candidate in &page.records {
        let title = presenter.title_of_stored(&projection, candidate)?;
        options.push(json!({"value": candidate.id, "label": title.unwrap_or_else(|| candidate.id.to_string())}));
    }
    Ok(Some(Json::Array(options)))
}

/// The newest records of a form for which a condition over them holds, of those the viewer reads.
pub(super) fn newest<'a>(
    context: Context<'a>,
    projection: &Projection,
    condition: Ir,
    limit: u32,
) -> Result<&'a LoadedPage, Stop> {
    some(context, projection, condition, limit, true)
}

fn some<'a>(
    context: Context<'a>,
    projection: &Projection,
    condition: Ir,
    limit: u32,
    descending: bool,
) -> Result<&'a LoadedPage, Stop> {
    let predicate = and(projection.row_predicate(), condition);
    let query = Query {
        form: projection.form().key.clone(),
        viewer: context.viewer.clone(),
        predicate: bound_for(context.pack, context.viewer, context.at, &predicate)?,
        search: None,
        sort: vec![SortKey { key: "created_at".into(), slot: Slot::CreatedAt, descending }],
        limit,
        after: None,
        count: false,
    };
    let known = context.facts.pages.iter().find(|(asked, _)| **asked == query).map(|(_, page)| page);
    known.ok_or_else(|| Stop::Need(vec![Need::Page(Arc::new(query))]))
}

/// The condition over the candidate alone: what it reads of the record around it becomes constants. Frame 0 is the
/// candidate; the frames of `around` come after it.
fn bound(ir: &Ir, around: &Scene<'_>) -> Result<Ir, Stop> {
    match ir {
        Ir::Field(path) => match path.root {
            Root::Frame(frame) if frame > 0 => {
                let mut outside = path.clone();
                outside.root = Root::Frame(frame - 1);
                Ok(Ir::Literal(around.value_ir(&Ir::Field(outside))?))
            }
            _ => Ok(ir.clone()),
        },
        Ir::Fold(..) => Ok(ir.clone()),
        other => rebuilt(other, &mut |part| bound(part, around)),
    }
}
