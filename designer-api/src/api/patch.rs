//! RFC 6902 patches as the merge patches the engine takes: applied to the record as its reader sees it, child rows by
//! their ids.

use serde_json::{Map, Value, json};

use formwork_core::{FieldError, Rejection, RejectionKind};

use super::problem::Problem;

/// Most operations of one patch.
const OPERATIONS_MAX: usize = 1_000;

/// What has to change in `current` so that it is as the patch leaves it.
///
/// # Errors
/// 409 where a `test` does not hold, 422 where a path leads nowhere.
pub(super) fn merge_patch(current: &Value, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let patch: json_patch::Patch = serde_json::from_slice(body)
        .map_err(|error| Problem::malformed(format!("the body is no JSON patch: {error}")))?;
    if patch.0.len() > OPERATIONS_MAX {
        return Err(Problem::malformed(format!("at most {OPERATIONS_MAX} operations at once")));
    }
    let mut wanted = current.clone();
    json_patch::patch(&mut wanted, &patch).map_err(|error| refused(&error))?;
    match (current, &wanted) {
        (Value::Object(current), Value::Object(wanted)) => Ok(difference(current, wanted)),
        _ => Err(Problem::malformed("a patch leaves the record an object")),
    }
}

fn refused(error: &json_patch::PatchError) -> Problem {
    let (kind, code, title) = match error.kind {
        json_patch::PatchErrorKind::TestFailed => (RejectionKind::Conflict, "test_failed", "a test does not hold"),
        _ => (RejectionKind::Invalid, "invalid_path", "an operation does not fit the record"),
    };
    let mut rejection = Rejection::new(kind, code, title);
    rejection.errors = vec![FieldError {
        code: code.to_owned(),
        pointer: format!("/{}", error.operation),
        message: error.to_string(),
        hint: None,
    }];
    rejection.into()
}

fn difference(current: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for key in current.keys().filter(|key| !wanted.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in wanted.iter().filter(|(key, value)| current.get(*key) != Some(*value)) {
        let change = match (current.get(key), value) {
            (Some(Value::Array(before)), Value::Array(after)) if before.iter().all(|row| row["id"].is_string()) => {
                rows(before, after)
            }
            (_, value) => written(value),
        };
        patch.insert(key.clone(), change);
    }
    patch
}

/// Child rows by id: null for one that is gone, the changed cells of one that stays; new ones have names of their own.
fn rows(before: &[Value], after: &[Value]) -> Value {
    let mut patch = Map::new();
    let id = |row: &Value| row["id"].as_str().map(str::to_owned);
    let known = |wanted: &str| before.iter().find(|row| row["id"] == *wanted);
    for gone in before.iter().filter_map(id).filter(|gone| !after.iter().any(|row| row["id"] == **gone)) {
        patch.insert(gone, Value::Null);
    }
    for (index, row) in after.iter().enumerate() {
        let name = id(row).unwrap_or_else(|| format!("new-{index}"));
        match (known(&name), row) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(name, Value::Object(difference(before, after)));
            }
            (_, row) => {
                patch.insert(name, written(row));
            }
        }
    }
    Value::Object(patch)
}

/// A value as it is written: links are read as `{id, title}` and written as an id.
fn written(value: &Value) -> Value {
    match value {
        Value::Object(link) if link.len() == 2 && link.contains_key("title") && link.contains_key("id") => {
            json!(link["id"])
        }
        Value::Object(cells) => cells.iter().map(|(key, value)| (key.clone(), written(value))).collect(),
        Value::Array(values) => values.iter().map(written).collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(current: Value, patch: Value) -> Result<Value, String> {
        let merged = merge_patch(&current, patch.to_string().as_bytes());
        merged.map(Value::Object).map_err(|problem| problem.body().0["code"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_patch_becomes_what_has_to_change() {
        let record = json!({"id": "r", "a": "1", "b": null, "link": {"id": "x", "title": "X"},
            "rows": [{"id": "p", "n": 1, "m": 1}, {"id": "q", "n": 2, "m": 2}]});
        for (patch, expected) in [
            (json!([{"op": "replace", "path": "/a", "value": "2"}]), json!({"a": "2"})),
            (json!([{"op": "remove", "path": "/a"}]), json!({"a": null})),
            (json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"b": "1"})),
            (json!([{"op": "test", "path": "/a", "value": "1"}]), json!({})),
            (json!([{"op": "replace", "path": "/link", "value": {"id": "y", "title": "Y"}}]), json!({"link": "y"})),
            (json!([{"op": "replace", "path": "/rows/1/n", "value": 3}]), json!({"rows": {"q": {"n": 3}}})),
            (json!([{"op": "remove", "path": "/rows/0"}]), json!({"rows": {"p": null}})),
            (json!([{"op": "add", "path": "/rows/-", "value": {"n": 9}}]), json!({"rows": {"new-2": {"n": 9}}})),
        ] {
            assert_eq!(merged(record.clone(), patch.clone()), Ok(expected), "{patch}");
        }
        let refused = |patch: Value| merged(record.clone(), patch).expect_err("refused");
        assert_eq!(refused(json!([{"op": "test", "path": "/a", "value": "2"}])), "test_failed");
        assert_eq!(refused(json!([{"op": "replace", "path": "/rows/7/n", "value": 3}])), "invalid_path");
        assert_eq!(refused(json!({"a": 1})), "FW1000");
    }
}
