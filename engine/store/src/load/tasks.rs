//! Queries for tasks.

use std::fmt::Write as _;

use uuid::Uuid;

use formwork_core::facts::TaskQuery;
use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Pack};

use super::system::text;
use crate::codec::{TASK_KINDS, task_columns};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id};
use crate::statement::Select;

/// The open tasks of an instance, oldest first.
pub(super) fn open_of(dialect: Dialect, instance: Uuid) -> Select {
    let columns = task_columns(dialect, "fw_task");
    let sql = format!("SELECT {columns} FROM fw_task WHERE instance = $1 AND status = 'open' ORDER BY id");
    Select::new(sql, vec![bind_id(dialect, instance)], TASK_KINDS)
}

/// The tasks of a record: open ones first, then the newest; at most 200.
pub(super) fn of_record(dialect: Dialect, record: Uuid) -> Select {
    let columns = task_columns(dialect, "fw_task");
    let sql = format!(
        "SELECT {columns} FROM fw_task WHERE record = $1 \
         ORDER BY CASE status WHEN 'open' THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT 200"
    );
    Select::new(sql, vec![bind_id(dialect, record)], TASK_KINDS)
}

/// A page of a box: what is due first comes first, what has no date last; of what is done, the newest first.
pub(super) fn of_box(dialect: Dialect, pack: &Pack, query: &TaskQuery) -> Select {
    let mut sql = String::new();
    let mut params = vec![text(&query.pack)];
    let user = query.viewer.user.map_or_else(|| ColumnKind::Id.null(dialect), |user| bind_id(dialect, user));
    let columns = task_columns(dialect, "t");
    let _ = write!(sql, "SELECT {columns} FROM fw_task t WHERE t.pack = $1");
    match query.page.tasks {
        TaskBox::Mine => {
            params.push(user);
            sql.push_str(" AND t.status = 'open' AND t.assignee = $2");
        }
        TaskBox::Cc => {
            params.push(user);
            sql.push_str(
                " AND EXISTS (SELECT 1 FROM fw_task_person p WHERE p.task = t.id AND p.kind = 'copy' AND p.person = $2)",
            );
        }
        TaskBox::Started => {
            params.push(user);
            sql.push_str(" AND t.status = 'open' AND t.starter = $2");
        }
        TaskBox::Done => {
            params.push(user);
            sql.push_str(" AND t.status = 'done' AND t.closed_by = $2");
        }
        TaskBox::Claimable => {
            let queues = of_pool(&mut params, "queue", &query.viewer.queues);
            let roles = of_pool(&mut params, "role", &query.viewer.roles);
            let teams = of_pool(&mut params, "team", query.viewer.team.as_slice());
            let _ = write!(sql, " AND t.status = 'open' AND t.assignee IS NULL AND ({queues} OR {roles} OR {teams})");
            if let Some(user) = query.viewer.user {
                params.push(text(&user.to_string()));
                let _ = write!(sql, " AND t.barred NOT LIKE '%' || ${} || '%'", params.len());
            }
        }
        TaskBox::Team => {
            let led = pack
                .queues()
                .iter()
                .filter(|(_, queue)| queue.lead.as_ref().is_some_and(|lead| query.viewer.has_role(lead)));
            let led: Vec<Key> = led.map(|(key, _)| key.clone()).collect();
            let queues = of_pool(&mut params, "queue", &led);
            let teams = of_pool(&mut params, "team", &query.viewer.leads);
            let _ = write!(sql, " AND t.status = 'open' AND ({queues} OR {teams})");
        }
    }
    if let Some(queue) = &query.page.queue {
        let queue = of_pool(&mut params, "queue", std::slice::from_ref(queue));
        let _ = write!(sql, " AND {queue}");
    }
    if let Some(workflow) = &query.page.workflow {
        params.push(text(workflow));
        let _ = write!(sql, " AND t.workflow = ${}", params.len());
    }
    let newest = query.page.tasks == TaskBox::Done;
    if let Some(after) = query.page.after {
        params.push(bind_id(dialect, after));
        let number = params.len();
        let behind = if newest {
            "t.closed_at < a.closed_at OR (t.closed_at = a.closed_at AND t.id > a.id)"
        } else {
            "(a.due_at IS NULL AND t.due_at IS NULL AND t.id > a.id) \
             OR (a.due_at IS NOT NULL AND (t.due_at > a.due_at OR t.due_at IS NULL OR (t.due_at = a.due_at AND t.id > a.id)))"
        };
        let _ = write!(sql, " AND EXISTS (SELECT 1 FROM fw_task a WHERE a.id = ${number} AND ({behind}))");
    }
    let order = if newest { "t.closed_at DESC, t.id" } else { "t.due_at ASC NULLS LAST, t.id" };
    let _ = write!(sql, " ORDER BY {order} LIMIT {}", u64::from(query.page.limit) + 1);
    Select::new(sql, params, TASK_KINDS)
}

/// `pool_kind = 'queue' and pool_key in (…)`.
fn of_pool(params: &mut Vec<Bound>, kind: &str, keys: &[Key]) -> String {
    if keys.is_empty() {
        return "FALSE".to_owned();
    }
    let numbers = keys.iter().map(|key| {
        params.push(text(key));
        format!("${}", params.len())
    });
    let numbers = numbers.collect::<Vec<_>>().join(", ");
    format!("(t.pool_kind = '{kind}' AND t.pool_key IN ({numbers}))")
}
