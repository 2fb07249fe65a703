//! A desk: tickets and people, seen by four roles.

use serde_json::{Value as Json, json};

/// The files of the pack.
pub fn files() -> Vec<(&'static str, Json)> {
    vec![
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "Asia/Shanghai",
            "roles": {"agent": {"title": "A"}, "lead": {"title": "L", "includes": ["agent"]}, "analyst": {"title": "N"}, "stranger": {"title": "S"}},
            "queues": {"a": {"title": "A"}, "b": {"title": "B"}}}),
        ),
        (
            "forms/person.json",
            json!({"label": "Person", "title": "name",
            "fields": {"name": {"type": "text", "tags": ["pii"]}, "tier": {"type": "text"}},
            "access": {"agent": {"read": true, "create": true, "fields": {"*": "write"}},
                       "analyst": {"read": true, "fields": {"*": "read", "#pii": "mask"}}}}),
        ),
        (
            "forms/ticket.json",
            json!({"label": "Ticket", "title": "subject",
            "fields": {
                "subject": {"type": "text"},
                "phone": {"type": "phone", "tags": ["pii"], "mask": {"keepFirst": 3, "keepLast": 4}},
                "amount": {"type": "money"},
                "doubled": {"type": "money", "compute": "amount * 2"},
                "person": {"type": "link", "to": "person"},
                "queue": {"type": "queue"},
                "state": {"type": "choice", "options": {"open": {}, "closed": {}}, "default": "open"},
                "notes": {"type": "table", "fields": {"text": {"type": "text"}, "inner": {"type": "text", "tags": ["pii"]}}}},
            "access": {
                "agent": {"read": "queue in user.queues or created_by == user.id", "create": true, "update": "state != 'closed'",
                          "fields": {"*": "write", "#pii": "mask", "amount": "read"}},
                "lead": {"read": true, "update": true, "delete": true, "fields": {"*": "write"}},
                "analyst": {"read": true, "fields": {"*": "read", "#pii": "none", "amount": "none"}},
                "public": {"create": true, "fields": {"*": "none", "subject": "write", "phone": "write", "person": "write"}}},
            "views": {"open": {"type": "list", "columns": ["subject", "phone", "amount"], "where": "state == 'open'", "sort": ["amount"]}}}),
        ),
    ]
}
