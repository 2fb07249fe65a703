//! Addresses: query strings as pairs, in order, and written again.

use axum::http::Uri;

/// The pairs of a query string or of a posted form, decoded, in order.
pub(crate) type Pairs = Vec<(String, String)>;

/// The pairs of an address.
pub(crate) fn pairs(uri: &Uri) -> Pairs {
    parse(uri.query().unwrap_or_default().as_bytes())
}

/// The pairs of `application/x-www-form-urlencoded` text.
pub(crate) fn parse(text: &[u8]) -> Pairs {
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let end = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            (decoded(&part[..end]), decoded(part.get(end + 1..).unwrap_or_default()))
        })
        .collect()
}

/// The first value of a name, empty ones are none.
pub(crate) fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// A path with these pairs behind it; none where there are no pairs.
pub(crate) fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The address without the pairs that are `dropped`, and with others behind.
pub(crate) fn changed(path: &str, pairs: &Pairs, dropped: impl Fn(&str) -> bool, added: &[(&str, &str)]) -> String {
    let kept = pairs.iter().filter(|(name, value)| !dropped(name) && !value.is_empty());
    address(path, kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(added.iter().copied()))
}

/// Whether this is a path of ours, and not `//elsewhere` or an address with a scheme.
pub(crate) fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.contains(|c: char| c.is_control())
}

/// Percent-encoded, except what RFC 3986 leaves alone.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decoded(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut look = rest.clone();
                let digits = (look.next().and_then(hex), look.next().and_then(hex));
                if let (Some(high), Some(low)) = digits {
                    out.push(high << 4 | low);
                    rest = look;
                } else {
                    out.push(b'%');
                }
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_way_there_and_back() {
        let pairs = vec![("f.state".to_owned(), "新 & a=b".to_owned()), ("q".to_owned(), "100 %+".to_owned())];
        let written = address("/x", pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(written, "/x?f.state=%E6%96%B0%20%26%20a%3Db&q=100%20%25%2B");
        assert_eq!(parse(written.split_once('?').unwrap().1.as_bytes()), pairs);
        assert_eq!(parse(b"a=1+2&&b&c=%zz"), [("a", "1 2"), ("b", ""), ("c", "%zz")].map(own));
    }

    #[test]
    fn only_paths_of_ours_are_local() {
        assert!(is_local("/inbox?box=mine"));
        for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "", "inbox", "/a\r\nb"] {
            assert!(!is_local(foreign), "{foreign:?}");
        }
    }

    fn own((name, value): (&str, &str)) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }
}
