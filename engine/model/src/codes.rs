//! The codes of diagnostics. Each has a page in `engine/model/codes/`.

/// The page of a code: what it means, an example that is wrong, and the same put right. `FW0203` and `fw0203` are one.
pub fn explain(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_uppercase();
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// All codes, ascending.
pub fn all() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

const PAGES: &[(&str, &str)] = &[
    ("FW0101", include_str!("../codes/FW0101.md")),
    ("FW0102", include_str!("../codes/FW0102.md")),
    ("FW0103", include_str!("../codes/FW0103.md")),
    ("FW0104", include_str!("../codes/FW0104.md")),
    ("FW0105", include_str!("../codes/FW0105.md")),
    ("FW0110", include_str!("../codes/FW0110.md")),
    ("FW0111", include_str!("../codes/FW0111.md")),
    ("FW0112", include_str!("../codes/FW0112.md")),
    ("FW0113", include_str!("../codes/FW0113.md")),
    ("FW0114", include_str!("../codes/FW0114.md")),
    ("FW0115", include_str!("../codes/FW0115.md")),
    ("FW0116", include_str!("../codes/FW0116.md")),
    ("FW0117", include_str!("../codes/FW0117.md")),
    ("FW0200", include_str!("../codes/FW0200.md")),
    ("FW0201", include_str!("../codes/FW0201.md")),
    ("FW0202", include_str!("../codes/FW0202.md")),
    ("FW0203", include_str!("../codes/FW0203.md")),
    ("FW0204", include_str!("../codes/FW0204.md")),
    ("FW0205", include_str!("../codes/FW0205.md")),
    ("FW0206", include_str!("../codes/FW0206.md")),
    ("FW0207", include_str!("../codes/FW0207.md")),
    ("FW0208", include_str!("../codes/FW0208.md")),
    ("FW0209", include_str!("../codes/FW0209.md")),
    ("FW0210", include_str!("../codes/FW0210.md")),
    ("FW0211", include_str!("../codes/FW0211.md")),
    ("FW0212", include_str!("../codes/FW0212.md")),
    ("FW0213", include_str!("../codes/FW0213.md")),
    ("FW0214", include_str!("../codes/FW0214.md")),
    ("FW0301", include_str!("../codes/FW0301.md")),
    ("FW0302", include_str!("../codes/FW0302.md")),
    ("FW0303", include_str!("../codes/FW0303.md")),
    ("FW0304", include_str!("../codes/FW0304.md")),
    ("FW0305", include_str!("../codes/FW0305.md")),
    ("FW0306", include_str!("../codes/FW0306.md")),
    ("FW0308", include_str!("../codes/FW0308.md")),
    ("FW0312", include_str!("../codes/FW0312.md")),
    ("FW0313", include_str!("../codes/FW0313.md")),
    ("FW0314", include_str!("../codes/FW0314.md")),
    ("FW0317", include_str!("../codes/FW0317.md")),
    ("FW0318", include_str!("../codes/FW0318.md")),
    ("FW0401", include_str!("../codes/FW0401.md")),
    ("FW0402", include_str!("../codes/FW0402.md")),
    ("FW0403", include_str!("../codes/FW0403.md")),
    ("FW0404", include_str!("../codes/FW0404.md")),
    ("FW0405", include_str!("../codes/FW0405.md")),
    ("FW0406", include_str!("../codes/FW0406.md")),
    ("FW0408", include_str!("../codes/FW0408.md")),
    ("FW0409", include_str!("../codes/FW0409.md")),
    ("FW0410", include_str!("../codes/FW0410.md")),
    ("FW0411", include_str!("../codes/FW0411.md")),
    ("FW0412", include_str!("../codes/FW0412.md")),
    ("FW0413", include_str!("../codes/FW0413.md")),
    ("FW0414", include_str!("../codes/FW0414.md")),
    ("FW0415", include_str!("../codes/FW0415.md")),
    ("FW0416", include_str!("../codes/FW0416.md")),
    ("FW0417", include_str!("../codes/FW0417.md")),
    ("FW0420", include_str!("../codes/FW0420.md")),
    ("FW0501", include_str!("../codes/FW0501.md")),
    ("FW0502", include_str!("../codes/FW0502.md")),
    ("FW0503", include_str!("../codes/FW0503.md")),
    ("FW0504", include_str!("../codes/FW0504.md")),
    ("FW0505", include_str!("../codes/FW0505.md")),
];

#[cfg(test)]
mod tests;
