//! Numbers as text. Rounding happens here and nowhere else, half away from zero.

use formwork_model::pack::analytics::Format;

use crate::fault::Fault;
use crate::number::Number;

/// The number as machines read it: `812`, `0.923`, `-5.00`; places by the metric's format, a percentage as its fraction.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn plain(number: Number, format: Format) -> Result<String, Fault> {
    let places = match format {
        Format::Integer => 0,
        Format::Decimal(places) => places,
        Format::Percent(places) => places.saturating_add(2),
        Format::Money => 2,
        Format::Duration => 0,
    };
    Ok(fixed(number.round(places)?, places))
}

/// The number as people read it: `812`, `92.3%`, `-5.00`, `28:05:00`, without grouping and currency, which depend on the reader.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn shown(number: Number, format: Format) -> Result<String, Fault> {
    match format {
        // The same digits as the plain text, two places further left.
        Format::Percent(places) => Ok(format!("{}%", fixed(number.round(places.saturating_add(2))?, places))),
        Format::Duration => {
            // Whole seconds: the last rounding there is.
            let seconds = number.over(Number::of_count(1_000))?.unwrap_or(Number::ZERO).round(0)?;
            let (sign, left) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
            Ok(format!("{sign}{}:{:02}:{:02}", left / 3_600, left / 60 % 60, left % 60))
        }
        _ => plain(number, format),
    }
}

/// The name of a format as definitions write it: `percent:1`.
pub fn name(format: Format) -> String {
    match format {
        Format::Integer => "integer".to_owned(),
        Format::Decimal(places) => format!("decimal:{places}"),
        Format::Percent(places) => format!("percent:{places}"),
        Format::Money => "money".to_owned(),
        Format::Duration => "duration".to_owned(),
    }
}

/// An integer of `10^-places` with the point in its place.
fn fixed(units: i128, places: u8) -> String {
    let digits = units.unsigned_abs().to_string();
    let sign = if units < 0 { "-" } else { "" };
    let places = usize::from(places);
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{fraction}")
}

/// A bare number with that many places.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn fraction(number: Number, places: u8) -> Result<String, Fault> {
    Ok(fixed(number.round(places)?, places))
}
