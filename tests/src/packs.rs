//! Small packs made for tests.

use std::path::{Path, PathBuf};

use formwork_runtime::deploy::Bundle;
use formwork_runtime::files::read_pack;

/// A folder of the checkout.
pub fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout").join(path)
}

/// A pack of the checkout.
pub fn shipped(path: &str) -> Bundle {
    let (pack, files) = read_pack(&folder(path)).expect("the pack can be read");
    Bundle { pack, files }
}

/// A pack written in a test.
pub fn made(pack: &str, files: &[(&str, &str)]) -> Bundle {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Bundle { pack: pack.to_owned(), files }
}

/// Requests that are acknowledged by a message, wait a minute, are acknowledged again, and end: timers and messages.
pub fn waiting() -> Bundle {
    made(
        "waiting",
        &[
            (
                "pack.json",
                r#"{"version": "1.0.0", "title": "Waiting", "languages": ["en"], "timezone": "UTC",
                    "roles": {"agent": {"title": "Agent"}}, "queues": {"desk": {"title": "Desk"}},
                    "channels": {"hook": {"type": "webhook"}}}"#,
            ),
            (
                "forms/request.json",
                r#"{"label": "Request", "title": "what",
                    "fields": {"what": {"type": "text", "required": true}, "number": {"type": "integer"},
                               "state": {"type": "choice", "options": {"new": {}, "seen": {}, "done": {}}, "default": "new"}},
                    "unique": {"one": {"fields": ["what"]}},
                    "access": {"agent": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "workflows/handling.json",
                r#"{"label": "Handling", "for": "request",
                    "start": {"filed": {"on": "created", "next": "greet"}},
                    "steps": {
                      "greet": {"type": "notify", "to": "=record.what", "channels": ["hook"], "template": "seen", "data": {"what": "=record.what"}, "next": "pause"},
                      "pause": {"type": "wait", "events": {"over": {"after": "PT1M", "set": {"state": "seen"}, "next": "bye"}}},
                      "bye": {"type": "notify", "to": "=record.what", "channels": ["hook"], "template": "seen", "data": {"what": "=record.what"}, "next": "look"},
                      "look": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": {"set": {"state": "done"}, "next": "finish"}}},
                      "finish": {"type": "end", "outcome": "done"}}}"#,
            ),
            ("templates/seen.en.txt", "Subject: Seen\nWe have seen {{ data.what }}."),
            (
                "imports/bulk.json",
                r#"{"label": "Bulk", "source": {"type": "upload"}, "format": "csv",
                    "into": {"request": {"key": ["what"], "columns": {"what": "row.what", "number": "floor(number(row.number))"}}}}"#,
            ),
            (
                "datasets/requests.json",
                r#"{"label": "Requests", "source": {"form": "request"}, "times": {"created": "created_at"}, "time": "created", "dimensions": {"state": {"field": "state"}}}"#,
            ),
            ("metrics/requests.json", r#"{"label": "Requests", "type": "count", "dataset": "requests"}"#),
        ],
    )
}

/// Tickets about people whom not everybody may read: what shows through links, in filters and numbers.
pub fn guarded() -> Bundle {
    made(
        "guarded",
        &[
            (
                "pack.json",
                r#"{"version": "1.0.0", "title": "Guarded", "languages": ["en"], "timezone": "UTC",
                    "roles": {"agent": {"title": "Agent"}, "lead": {"title": "Lead"}, "boss": {"title": "Boss"}},
                    "queues": {"a": {"title": "A", "lead": "lead"}, "b": {"title": "B", "lead": "boss"}}}"#,
            ),
            (
                "forms/person.json",
                r#"{"label": "Person", "title": "name",
                    "fields": {"name": {"type": "text"}, "tier": {"type": "text"}, "tickets": {"type": "backlink", "from": "ticket.person"}},
                    "access": {"agent": {"read": "created_by == user.id", "create": true, "update": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "forms/ticket.json",
                r#"{"label": "Ticket", "title": "subject",
                    "fields": {
                      "subject": {"type": "text", "required": true, "label": "Subject"},
                      "person": {"type": "link", "to": "person"},
                      "tier": {"type": "lookup", "via": "person", "field": "tier"},
                      "queue": {"type": "queue", "default": "a"},
                      "amount": {"type": "money"},
                      "code": {"type": "text", "label": "Secret code"},
                      "secret": {"type": "text", "label": "Secret", "required": true, "default": "s"},
                      "items": {"type": "table", "fields": {"what": {"type": "text"}, "price": {"type": "money"}}}},
                    "unique": {"one_code": {"fields": ["code"]}},
                    "access": {
                      "agent": {"read": "queue in user.queues", "create": true, "update": true, "delete": true, "fields": {"*": "write", "secret": "none", "code": "none"}},
                      "lead": {"read": true, "create": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "workflows/handling.json",
                r#"{"label": "Handling", "for": "ticket",
                    "start": {"filed": {"on": "created", "next": "look"}, "by_hand": {"manual": ["agent"], "next": "look"}},
                    "steps": {
                      "look": {"type": "user", "label": "Look", "assign": {"queue": "=record.queue"}, "outcomes": {"done": {"next": "finish"}}},
                      "finish": {"type": "end", "outcome": "done"}}}"#,
            ),
            (
                "datasets/tickets.json",
                r#"{"label": "Tickets", "source": {"form": "ticket"}, "times": {"created": "created_at"}, "time": "created",
                    "dimensions": {"tier": {"field": "person.tier"}, "queue": {"field": "queue"}}}"#,
            ),
            ("metrics/tickets.json", r#"{"label": "Tickets", "type": "count", "dataset": "tickets"}"#),
            (
                "reports/by_tier.json",
                r#"{"label": "By tier", "metrics": ["tickets"], "by": {"tier": {"dimension": "tier"}}, "params": {"range": {"type": "range", "default": "all"}}}"#,
            ),
        ],
    )
}
