//! The system tables, `fw_…`: created in numbered steps, so that a newer release finds out what is missing.

use crate::dialect::Dialect;

/// Every step ever released, in order; `fw_meta` holds how many have run. Steps are added, never changed.
///
/// Types are written `@id @text @int @bool @time @json`, `@number` is a key that counts by itself, `@txid` the number of
/// the transaction where the engine has one.
pub(crate) const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE fw_deployment (number @number, pack @text NOT NULL, version @text NOT NULL, hash @text NOT NULL, at @time NOT NULL)",
        "CREATE INDEX fw_deployment_pack ON fw_deployment (pack, number)",
        "CREATE TABLE fw_deployment_file (number @int NOT NULL, path @text NOT NULL, content @text NOT NULL, PRIMARY KEY (number, path))",
        // kind: of a column; null for tables.
        "CREATE TABLE fw_catalogue (pack @text NOT NULL, form @text NOT NULL, child @text NOT NULL, field @text NOT NULL, name @text NOT NULL, kind @text, hidden @bool NOT NULL, PRIMARY KEY (pack, form, child, field))",
        "CREATE TABLE fw_index (name @text PRIMARY KEY, pack @text NOT NULL, definition @text NOT NULL)",
        "CREATE TABLE fw_instance (id @id PRIMARY KEY, pack @text NOT NULL, workflow @text NOT NULL, pack_hash @text NOT NULL, form @text, record @id, start_key @text NOT NULL, status @text NOT NULL, started_at @time NOT NULL, started_by @id, revision @int NOT NULL, state @json NOT NULL)",
        "CREATE INDEX fw_instance_record ON fw_instance (record)",
        "CREATE INDEX fw_instance_live ON fw_instance (pack_hash) WHERE status IN ('running', 'failed')",
        "CREATE TABLE fw_start_key (pack @text NOT NULL, workflow @text NOT NULL, start_key @text NOT NULL, instance @id NOT NULL, PRIMARY KEY (pack, workflow, start_key))",
        // barred: ids of those that four eyes keep away, apart by spaces.
        "CREATE TABLE fw_task (id @id PRIMARY KEY, pack @text NOT NULL, instance @id NOT NULL, workflow @text NOT NULL, pack_hash @text NOT NULL, activation @int NOT NULL, step @text NOT NULL, form @text, record @id, pool_kind @text NOT NULL, pool_key @text, assignee @id, owner @id, starter @id, barred @text NOT NULL, signer @text, status @text NOT NULL, created_at @time NOT NULL, due_at @time, closed_at @time, closed_by @id, outcome @text)",
        "CREATE INDEX fw_task_instance ON fw_task (instance)",
        "CREATE INDEX fw_task_record ON fw_task (record)",
        "CREATE INDEX fw_task_assignee ON fw_task (assignee, due_at, id) WHERE status = 'open'",
        "CREATE INDEX fw_task_pool ON fw_task (pool_kind, pool_key, due_at, id) WHERE status = 'open'",
        "CREATE INDEX fw_task_closed_by ON fw_task (closed_by, closed_at) WHERE status = 'done'",
        "CREATE INDEX fw_task_starter ON fw_task (starter, due_at, id) WHERE status = 'open'",
        // kind: copy, reminder. at: when it was given, or made last.
        "CREATE TABLE fw_task_person (task @id NOT NULL, person @id NOT NULL, kind @text NOT NULL, at @time NOT NULL, PRIMARY KEY (task, person, kind))",
        "CREATE INDEX fw_task_person_person ON fw_task_person (person, kind, task)",
        "CREATE TABLE fw_timer (id @id PRIMARY KEY, instance @id NOT NULL, pack @text NOT NULL, activation @int NOT NULL, event @text NOT NULL, due_at @time NOT NULL)",
        "CREATE INDEX fw_timer_due ON fw_timer (due_at, id)",
        "CREATE INDEX fw_timer_instance ON fw_timer (instance)",
        "CREATE TABLE fw_subscription (id @id PRIMARY KEY, instance @id NOT NULL, pack @text NOT NULL, activation @int NOT NULL, event @text NOT NULL, name @text NOT NULL, message_key @text NOT NULL)",
        "CREATE INDEX fw_subscription_message ON fw_subscription (pack, name, message_key, instance)",
        "CREATE TABLE fw_message (pack @text NOT NULL, name @text NOT NULL, message_id @text NOT NULL, at @time NOT NULL, PRIMARY KEY (pack, name, message_id))",
        // state: pending, leased, sent, failed.
        "CREATE TABLE fw_outbox (message_key @text PRIMARY KEY, pack @text NOT NULL, channel @text NOT NULL, template @text NOT NULL, address @text NOT NULL, subject @text, body @text NOT NULL, instance @id NOT NULL, form @text, record @id, created_at @time NOT NULL, state @text NOT NULL, attempts @int NOT NULL, next_at @time NOT NULL, epoch @int NOT NULL, reason @text, settled_at @time)",
        "CREATE INDEX fw_outbox_channel ON fw_outbox (channel, next_at, message_key) WHERE state IN ('pending', 'leased')",
        "CREATE INDEX fw_outbox_due ON fw_outbox (next_at) WHERE state IN ('pending', 'leased')",
        "CREATE INDEX fw_outbox_created ON fw_outbox (created_at)",
        "CREATE INDEX fw_outbox_failed ON fw_outbox (created_at) WHERE state = 'failed'",
        "CREATE TABLE fw_event (number @number, at @time NOT NULL, pack @text NOT NULL, form @text, record @id, instance @id, kind @text NOT NULL, step @text, activation @int, actor @id, actor_kind @text NOT NULL, data @json NOT NULL)",
        "CREATE INDEX fw_event_record ON fw_event (record, number)",
        "CREATE INDEX fw_event_instance ON fw_event (instance, number)",
        "CREATE TABLE fw_change (seq @number, txid @txid, pack @text NOT NULL, form @text NOT NULL, record @id NOT NULL)",
        "CREATE INDEX fw_change_txid ON fw_change (txid, seq)",
        "CREATE TABLE fw_series (pack @text NOT NULL, form @text NOT NULL, field @text NOT NULL, period @text NOT NULL, last @int NOT NULL, PRIMARY KEY (pack, form, field, period))",
        "CREATE TABLE fw_request (actor @text NOT NULL, request_key @text NOT NULL, hash @text NOT NULL, reply @json NOT NULL, seq @txid, at @time NOT NULL, answer @json, PRIMARY KEY (actor, request_key))",
        "CREATE INDEX fw_request_at ON fw_request (at)",
        "CREATE TABLE fw_user (id @id PRIMARY KEY, login @text NOT NULL UNIQUE, password_hash @text NOT NULL, name @text NOT NULL, active @bool NOT NULL, roles @json NOT NULL, queues @json NOT NULL, language @text NOT NULL, theme @text NOT NULL)",
        "CREATE TABLE fw_session (token_hash @text PRIMARY KEY, user_id @id NOT NULL, until @time NOT NULL)",
        "CREATE INDEX fw_session_until ON fw_session (until)",
        "CREATE TABLE fw_token (token_hash @text PRIMARY KEY, user_id @id NOT NULL, name @text NOT NULL, scopes @json NOT NULL, until @time)",
        "CREATE TABLE fw_schedule (pack @text NOT NULL, workflow @text NOT NULL, start @text NOT NULL, ran_at @time NOT NULL, PRIMARY KEY (pack, workflow, start))",
        "CREATE TABLE fw_incident (number @number, instance @id NOT NULL, step @text NOT NULL, code @text NOT NULL, message @text NOT NULL, at @time NOT NULL)",
        "CREATE INDEX fw_incident_instance ON fw_incident (instance)",
    ],
    &[
        // kind: view, columns, draft, undo.
        "CREATE TABLE fw_kept (owner @id NOT NULL, kind @text NOT NULL, scope @text NOT NULL, name @text NOT NULL, at @time NOT NULL, body @json NOT NULL, PRIMARY KEY (owner, kind, scope, name))",
        "CREATE INDEX fw_kept_scope ON fw_kept (kind, scope, at)",
    ],
    &[
        "CREATE TABLE fw_import (id @id PRIMARY KEY, owner @id, pack @text NOT NULL, form @text NOT NULL, name @text NOT NULL, size @int NOT NULL, state @text NOT NULL, settings @json NOT NULL, counts @json NOT NULL, problem @text, created_at @time NOT NULL, updated_at @time NOT NULL, epoch @int NOT NULL, lease_until @time)",
        "CREATE INDEX fw_import_owner ON fw_import (owner, created_at)",
        "CREATE INDEX fw_import_due ON fw_import (updated_at) WHERE state IN ('checking', 'running', 'cancelling', 'undoing')",
        // content: a piece of the gzipped file, in base64.
        "CREATE TABLE fw_import_part (import @id NOT NULL, number @int NOT NULL, content @text NOT NULL, PRIMARY KEY (import, number))",
        // pass: 0 check, 1 run, 2 undo; told: how many errors there are.
        "CREATE TABLE fw_import_row (import @id NOT NULL, pass @int NOT NULL, row @int NOT NULL, line @int NOT NULL, outcome @text NOT NULL, records @json NOT NULL, errors @json NOT NULL, told @int NOT NULL, PRIMARY KEY (import, pass, row))",
    ],
    &[
        // password_until: when a password that somebody else gave ends; null once its user has chosen their own.
        "ALTER TABLE fw_user ADD COLUMN password_until @time",
        "ALTER TABLE fw_user ADD COLUMN revision @int NOT NULL DEFAULT 0",
        "ALTER TABLE fw_session ADD COLUMN started_at @time",
        "ALTER TABLE fw_session ADD COLUMN address @text",
        "ALTER TABLE fw_session ADD COLUMN agent @text",
        "CREATE INDEX fw_session_user ON fw_session (user_id)",
        "ALTER TABLE fw_token ADD COLUMN created_at @time",
        "CREATE INDEX fw_token_user ON fw_token (user_id)",
        // who: the login, also of somebody there is not; subject: whom or what it was done to.
        "CREATE TABLE fw_audit (number @number, at @time NOT NULL, actor @id, who @text NOT NULL, kind @text NOT NULL, subject @text NOT NULL, address @text, data @json NOT NULL)",
        "CREATE INDEX fw_audit_at ON fw_audit (at)",
        "CREATE INDEX fw_audit_kind ON fw_audit (kind, number)",
    ],
    &[
        // What those who watch need beside the change log, for an hour or two.
        "CREATE TABLE fw_trace (seq @number, txid @txid, pack @text NOT NULL, at @time NOT NULL, trace @json NOT NULL)",
        "CREATE INDEX fw_trace_txid ON fw_trace (txid, seq)",
        "CREATE INDEX fw_trace_at ON fw_trace (at)",
    ],
    &[
        "CREATE INDEX fw_outbox_newest ON fw_outbox (created_at, message_key)",
        "CREATE INDEX fw_outbox_state ON fw_outbox (state, created_at, message_key)",
        "CREATE INDEX fw_import_newest ON fw_import (created_at, id)",
    ],
    &[
        // Durations are milliseconds. since: of the running segment; fired: keys of rungs.
        "CREATE TABLE fw_clock (id @id PRIMARY KEY, pack @text NOT NULL, instance @id NOT NULL, workflow @text NOT NULL, form @text NOT NULL, record @id NOT NULL, sla @text NOT NULL, cycle @int NOT NULL, state @text NOT NULL, budget_text @text, budget @int NOT NULL, edge @text NOT NULL, calendar @text, calendar_version @text NOT NULL, consumed @int NOT NULL, paused @int NOT NULL, closed @int NOT NULL, started_at @time NOT NULL, since @time NOT NULL, runs @bool NOT NULL, due_at @time, next_rung_at @time, stopped_at @time, breached_at @time, detected_at @time, fired @json NOT NULL, armed @bool NOT NULL, split @text, provisional @bool NOT NULL, segments @int NOT NULL)",
        "CREATE INDEX fw_clock_record ON fw_clock (record)",
        "CREATE INDEX fw_clock_version ON fw_clock (calendar_version, id) WHERE stopped_at IS NULL AND calendar IS NOT NULL",
        // kind: run, pause, closed.
        "CREATE TABLE fw_clock_segment (clock @id NOT NULL, number @int NOT NULL, kind @text NOT NULL, from_at @time NOT NULL, to_at @time NOT NULL, consumed @int NOT NULL, calendar_version @text NOT NULL, cause @text NOT NULL, actor @id, split @text, PRIMARY KEY (clock, number))",
        "CREATE TABLE fw_clock_rung (clock @id NOT NULL, rung @text NOT NULL, due_at @time NOT NULL, fired_at @time NOT NULL, PRIMARY KEY (clock, rung))",
    ],
    &[
        "CREATE TABLE fw_team (team_key @text PRIMARY KEY, name @text NOT NULL)",
        // team: of which they are a member; leads: keys of teams.
        "ALTER TABLE fw_user ADD COLUMN team @text",
        "ALTER TABLE fw_user ADD COLUMN leads @json NOT NULL DEFAULT '[]'",
    ],
    &[
        "CREATE TABLE fw_judgment (pack @text NOT NULL, form @text NOT NULL, record @id NOT NULL, decision @text NOT NULL, rule @text NOT NULL, accepted @bool NOT NULL, actor @id, at @time NOT NULL, PRIMARY KEY (pack, form, record, decision, rule))",
    ],
    &[
        // subject: the task or the import.
        "CREATE TABLE fw_notice (number @number, person @id NOT NULL, at @time NOT NULL, pack @text NOT NULL, kind @text NOT NULL, actor @id, subject @id NOT NULL, read_at @time)",
        "CREATE INDEX fw_notice_person ON fw_notice (person, number)",
        "CREATE INDEX fw_notice_unread ON fw_notice (person) WHERE read_at IS NULL",
        "CREATE INDEX fw_notice_at ON fw_notice (at)",
    ],
];

/// The table that says how many steps have run.
pub(crate) const META: &str = "CREATE TABLE IF NOT EXISTS fw_meta (name @text PRIMARY KEY, value @int NOT NULL)";

/// The statement in the words of the engine.
pub(crate) fn in_dialect(statement: &str, dialect: Dialect) -> String {
    let words: [(&str, &str); 8] = match dialect {
        Dialect::Sqlite => [
            ("@id", "BLOB"),
            ("@text", "TEXT"),
            ("@int", "INTEGER"),
            ("@bool", "INTEGER"),
            ("@time", "INTEGER"),
            ("@json", "TEXT"),
            ("@number", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("@txid", "INTEGER NOT NULL DEFAULT 0"),
        ],
        Dialect::Postgres => [
            ("@id", "uuid"),
            ("@text", "text COLLATE \"C\""),
            ("@int", "bigint"),
            ("@bool", "boolean"),
            ("@time", "timestamptz"),
            ("@json", "json"),
            ("@number", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ("@txid", "bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)"),
        ],
    };
    let mut text = words.iter().fold(statement.to_owned(), |text, (word, sql)| text.replace(word, sql));
    if dialect == Dialect::Sqlite && text.starts_with("CREATE TABLE") {
        text.push_str(" STRICT");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_replaced() {
        for statement in STEPS.iter().flat_map(|step| step.iter()).chain([&META]) {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                let text = in_dialect(statement, dialect);
                assert!(!text.contains('@'), "{text}");
            }
        }
    }
}
