//! Readable, unique names of tables, columns and indexes.
//!
//! `{pack}_{form}` and `{pack}_{form}__{field}`, so that any tool can read the database; at most 63 bytes (the limit of
//! PostgreSQL), shortened by a hash where longer. A name is allotted once and kept in the catalogue: renaming a field
//! or form moves the catalogue's row, never the column, so that two releases can work on one store.

use std::collections::HashSet;

/// Longest name PostgreSQL keeps whole.
const NAME_BYTES_MAX: usize = 63;

/// The name wanted for a form's table, or for the table of a child field.
pub(crate) fn table(pack: &str, form: &str, child: Option<&str>) -> String {
    match child {
        None => format!("{pack}_{form}"),
        Some(field) => format!("{pack}_{form}__{field}"),
    }
}

/// The wanted name, shortened and numbered until it is not among the taken ones; it is taken from then on.
pub(crate) fn allot(wanted: &str, taken: &mut HashSet<String>) -> String {
    let mut name = shorten(wanted);
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = shorten(&format!("{wanted}_{number}"));
        number += 1;
    }
    name
}

/// The name in double quotes: so reserved words are names like any other, on both engines.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn shorten(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let mut end = NAME_BYTES_MAX - 9;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{:08x}", &name[..end], hash(name))
}

/// FNV-1a: stable for ever, which is all that is asked of it.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_short_and_unique() {
        let mut taken = HashSet::new();
        assert_eq!(allot(&table("crm", "ticket", None), &mut taken), "crm_ticket");
        assert_eq!(allot(&table("crm", "ticket", Some("items")), &mut taken), "crm_ticket__items");
        assert_eq!(allot("crm_ticket", &mut taken), "crm_ticket_2");

        let long = "a".repeat(48);
        let (one, two) = (format!("{long}_{long}_x"), format!("{long}_{long}_y"));
        let (one, two) = (allot(&one, &mut taken), allot(&two, &mut taken));
        assert_eq!((one.len(), two.len()), (63, 63));
        assert_ne!(one, two, "the hash keeps long names apart");
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote("order"), "\"order\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
