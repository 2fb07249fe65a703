//! Masked values: their shape, not their content.

use serde_json::Value as Json;

use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_model::pack::form::Mask;

use crate::wire::render;

/// The value at level `mask`: `138****1234`. The middle is always four asterisks, so that it does not tell a length;
/// what is too short to hide anything in becomes asterisks altogether.
pub fn masked(value: &Value, ty: &Type, mask: Mask) -> Json {
    match render(value, ty) {
        Json::Null => Json::Null,
        Json::String(text) => Json::String(mask_text(&text, mask)),
        other => Json::String(mask_text(&other.to_string(), mask)),
    }
}

/// The mask of a text.
pub(crate) fn mask_text(text: &str, mask: Mask) -> String {
    // A country code is not what a mask hides, nor what its author counted.
    let text = text.strip_prefix("+86").filter(|rest| rest.len() == 11).unwrap_or(text);
    let characters: Vec<char> = text.chars().collect();
    let (first, last) = (usize::from(mask.keep_first), usize::from(mask.keep_last));
    if first + last >= characters.len() {
        return "****".to_owned();
    }
    let head: String = characters[..first].iter().collect();
    let tail: String = characters[characters.len() - last..].iter().collect();
    format!("{head}****{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_ends_and_never_the_whole() {
        let phone = Mask { keep_first: 3, keep_last: 4 };
        for (value, mask, expected) in [
            ("+8613812341234", phone, "138****1234"),
            ("+4915112345678", phone, "+49****5678"),
            ("1234567", phone, "****"),
            ("王小芳", Mask { keep_first: 1, keep_last: 0 }, "王****"),
            ("secret", Mask::default(), "****"),
        ] {
            assert_eq!(masked(&Value::Text(value.into()), &Type::Text, mask), *expected, "{value}");
        }
        assert_eq!(masked(&Value::Null, &Type::Text, phone), Json::Null);
    }
}
