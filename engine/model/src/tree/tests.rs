use super::*;

#[test]
fn a_pointer_leads_to_the_bytes_of_its_value() {
    let text = r#"{"a": [1, {"b/c": "x"}]}"#;
    let (tree, errors) = parse(text);
    assert_eq!(errors, []);
    let place = tree.unwrap().locate("/a/1/b~1c");
    assert_eq!(&text[place.value], "\"x\"");
    assert_eq!(&text[place.key.unwrap()], "\"b/c\"");
}

#[test]
fn the_second_of_two_equal_keys_is_an_error_and_the_first_stays() {
    let (tree, errors) = parse(r#"{"a": 1, "a": 2}"#);
    assert_eq!(errors, [TreeError::DuplicateKey { span: 9..12, key: "a".to_owned() }]);
    assert_eq!(tree.unwrap().to_json(), serde_json::json!({"a": 1}));
}

#[test]
fn json_is_strict() {
    for text in ["{a: 1}", "[1,]", "// no\n1", "'a'", "[1 2]", "+1", ".5", "0x1F", "NaN", "", "\"\\x41\""] {
        let (tree, errors) = parse(text);
        assert!(tree.is_none() && !errors.is_empty(), "`{text}` was accepted");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse(&nested(DEPTH_MAX)).1, []);
    assert_eq!(parse(&nested(DEPTH_MAX + 1)).1, [TreeError::TooDeep { span: DEPTH_MAX..DEPTH_MAX + 1 }]);
}

#[test]
fn offsets_in_a_string_mind_escapes() {
    // The text is: a " b é 😀 c; the é is written as an escape, the smiley as a pair of them.
    let raw = r#""a\"b\u00e9\ud83d\ude00c""#;
    let text: String = serde_json::from_str(raw).unwrap();
    for (letter, expected) in [('a', 1), ('"', 2), ('b', 4), ('é', 5), ('😀', 11), ('c', 23)] {
        let offset = text.find(letter).unwrap();
        assert_eq!(offset_in_string(raw, offset), expected, "{letter}");
    }
}
