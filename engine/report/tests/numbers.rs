//! Exact numbers, and their one rounding.

use formwork_model::Value;
use formwork_model::pack::analytics::Format;
use formwork_report::fault::Fault;
use formwork_report::number::Number;
use formwork_report::{format, scale};
use rust_decimal::Decimal;

fn number(units: i128, scale: u8) -> Number {
    Number::of_units(units, scale).expect("small")
}

fn quotient(a: i128, b: i128) -> Number {
    number(a, 0).over(number(b, 0)).expect("small").expect("not by zero")
}

#[test]
fn rounds_half_away_from_zero() {
    for (value, places, expected) in [
        (number(5, 1), 0, 1),
        (number(-5, 1), 0, -1),
        (number(25, 1), 0, 3),
        (number(-25, 1), 0, -3),
        (number(24, 1), 0, 2),
        (quotient(1, 3), 2, 33),
        (quotient(2, 3), 2, 67),
        (quotient(-2, 3), 2, -67),
        (quotient(1, 6), 0, 0),
        (quotient(-1, 6), 0, 0),
        (number(123, 2), 4, 12_300),
        (number(i64::MAX.into(), 0), 2, i128::from(i64::MAX) * 100),
    ] {
        assert_eq!(value.round(places).expect("small"), expected, "{value:?} at {places}");
    }
}

#[test]
fn divides_and_subtracts_exactly() {
    // 0.1 + 0.2 as a difference; thirds; sums of different scales.
    assert_eq!(number(3, 1).minus(number(20, 2)).expect("small"), number(1, 1));
    assert_eq!(quotient(1, 3).minus(quotient(1, 3)).expect("small"), Number::ZERO);
    assert_eq!(number(150, 2).over(number(3, 0)).expect("small"), Some(number(5, 1)));
    assert_eq!(number(1, 0).over(Number::ZERO).expect("small"), None);
    // -6 / -4 = 1.5: the sign is the numerator's.
    assert_eq!(quotient(-6, -4), number(15, 1));
    assert!(matches!(number(i128::MAX, 0).minus(number(-1, 0)), Err(Fault::Overflow)));
}

#[test]
fn compares_without_products() {
    let ascending = [
        number(i128::MIN + 1, 0),
        quotient(-7, 3),
        number(-2, 0),
        Number::ZERO,
        quotient(1, i128::MAX),
        quotient(1, i128::MAX - 1),
        quotient(1, 3),
        number(34, 2),
        number(i128::MAX, 0),
    ];
    for (index, left) in ascending.iter().enumerate() {
        for (other, right) in ascending.iter().enumerate() {
            assert_eq!(left.cmp(right), index.cmp(&other), "{left:?} {right:?}");
        }
    }
}

#[test]
fn writes_numbers() {
    for (value, as_format, plain, shown) in [
        (number(812, 0), Format::Integer, "812", "812"),
        (number(-5, 0), Format::Money, "-5.00", "-5.00"),
        (number(-5, 3), Format::Money, "-0.01", "-0.01"),
        (number(4, 3), Format::Money, "0.00", "0.00"),
        (quotient(923, 1000), Format::Percent(1), "0.923", "92.3%"),
        (quotient(1, 3), Format::Percent(0), "0.33", "33%"),
        (quotient(2, 3), Format::Decimal(3), "0.667", "0.667"),
    ] {
        assert_eq!(format::plain(value, as_format).expect("small"), plain);
        assert_eq!(format::shown(value, as_format).expect("small"), shown);
    }
}

#[test]
fn values_become_integers() {
    let decimal = |text: &str| Value::Decimal(text.parse::<Decimal>().expect("a decimal"));
    for (value, places, expected) in [
        (Value::Null, 2, None),
        (Value::Integer(-3), 2, Some(-300)),
        (Value::Integer(i64::MIN), 9, Some(i128::from(i64::MIN) * 1_000_000_000)),
        (decimal("1.5"), 2, Some(150)),
        (decimal("1.500"), 2, Some(150)),
        (decimal("1.005"), 2, Some(101)),
        (decimal("-1.005"), 2, Some(-101)),
    ] {
        assert_eq!(scale::units(&value, places).expect("a number"), expected, "{value:?}");
    }
    assert!(scale::units(&Value::Text("1".to_owned()), 0).is_err());
}
