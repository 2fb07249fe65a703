//! The forms of the tests.

use serde_json::{Value as Json, json};

/// A form with a field of every type, one it links to, and one that links to it.
pub(crate) fn everything() -> Json {
    json!({
        "site": {
            "label": "Site",
            "fields": {"name": {"type": "text", "required": true}, "rank": {"type": "integer"}}
        },
        "thing": {
            "label": "Thing",
            "fields": {
                "name": {"type": "text", "max": 400},
                "notes": {"type": "long_text"},
                "count": {"type": "integer"},
                "ratio": {"type": "decimal", "scale": 3},
                "coarse": {"type": "decimal", "scale": 1},
                "price": {"type": "money"},
                "open": {"type": "boolean"},
                "day": {"type": "date"},
                "due": {"type": "date"},
                "seen": {"type": "datetime"},
                "state": {"type": "choice", "options": {"new": {"label": "New"}, "done": {"label": "Done"}}},
                "site": {"type": "link", "to": "site", "onDelete": "restrict"},
                "mail": {"type": "email"},
                "phone": {"type": "phone"},
                "queue": {"type": "queue"},
                "owner": {"type": "user"},
                "total": {"type": "money", "compute": "sum(items, amount)", "stored": true},
                "items": {"type": "table", "fields": {
                    "label": {"type": "text"}, "amount": {"type": "money"}, "flag": {"type": "boolean"}}},
                "visits": {"type": "backlink", "from": "visit.thing"},
                "order": {"type": "text"}
            },
            "unique": {
                "one_open": {"fields": ["name", "site"], "where": "state != 'done'"},
                "order": {"fields": ["order"]},
                "mail_of_few": {"fields": ["mail"], "where": "count < settings.limit - 1"}
            },
            "indexes": [["state", "-created_at"], ["-price"]],
            "access": {"agent": {"read": true, "create": true, "fields": {"*": "write"}}}
        },
        "visit": {
            "label": "Visit",
            "fields": {"thing": {"type": "link", "to": "thing", "onDelete": "clear"}, "minutes": {"type": "integer"}}
        }
    })
}
