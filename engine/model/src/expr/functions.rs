//! The closed list of functions: names, arguments, results, meaning, and which back ends have them. The documentation
//! table and the checker read the same entries.

use super::ir::{Fold, Function};
use super::types::Type;

/// A function of the language.
#[derive(Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// What the name stands for.
    pub callee: Callee,
    /// The arguments, as the documentation writes them.
    pub arguments: &'static str,
    /// The kinds of the arguments, in order.
    pub parameters: &'static [Parameter],
    /// How many of the parameters, counted from the end, may be left out.
    pub optional: usize,
    /// The type of the result.
    pub result: ResultType,
    /// What it does, in a sentence.
    pub meaning: &'static str,
    /// Whether it lowers to SQL on fields. Parts that read no field always do: they are computed before and bound.
    pub sql: bool,
    /// Whether it runs on the columns of datasets; what does not is evaluated there row by row.
    pub polars: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// A function of scalars.
    Scalar(Function),
    /// A function over rows.
    Rows(Fold),
    /// Over rows if the first argument is rows, else of scalars: `min`, `max`.
    Either(Fold, Function),
    /// Some of the rows, as rows: `filter`.
    Filter,
    /// The first of the rows, as rows: `take`.
    Take,
    /// Over the records of a form: `lookup`, `lookup_all`.
    Lookup(Fold),
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// Text.
    Text,
    /// An integer.
    Integer,
    /// Integer, decimal or money.
    Number,
    /// A date.
    Date,
    /// An instant.
    DateTime,
    /// A date or an instant.
    Moment,
    /// A duration.
    Duration,
    /// Any scalar.
    Scalar,
    /// A list.
    List,
    /// A literal number of places, 0 to 12.
    Places,
    /// A literal regular expression.
    Pattern,
    /// A literal `strftime` format.
    Format,
    /// A literal unit of time.
    Unit,
    /// A literal IANA time zone.
    Zone,
    /// A literal role key.
    Role,
    /// A literal form key.
    Form,
    /// A literal calendar key.
    Calendar,
    /// Which record: a number or a text.
    Which,
    /// Arguments the checker treats by themselves (`when`, `coalesce`, `min`, `max`): one or more.
    Many,
}

/// The type of a function's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultType {
    /// Text.
    Text,
    /// Integer.
    Integer,
    /// Decimal with that scale.
    Decimal(u8),
    /// Boolean.
    Boolean,
    /// Date.
    Date,
    /// Instant.
    DateTime,
    /// Duration.
    Duration,
    /// The type of that argument.
    Argument(usize),
    /// The common type of the arguments.
    Common,
    /// An element of the list, or a link to the form: said by the checker.
    Own,
}

impl Signature {
    /// `round(x, places?)`.
    pub fn text(&self) -> String {
        format!("{}({})", self.name, self.arguments)
    }

    /// How many arguments at least and at most; no limit for [`Parameter::Many`].
    pub fn count(&self) -> (usize, Option<usize>) {
        let most = (!self.parameters.contains(&Parameter::Many)).then_some(self.parameters.len());
        (self.parameters.len() - self.optional, most)
    }
}

/// The function of that name.
pub fn signature(name: &str) -> Option<&'static Signature> {
    SIGNATURES.iter().find(|signature| signature.name == name)
}

/// The entry of a scalar function.
///
/// # Panics
/// When the table has no entry: a defect found by the test below.
pub fn scalar(function: Function) -> &'static Signature {
    let entry = SIGNATURES.iter().find(|signature| match signature.callee {
        Callee::Scalar(known) | Callee::Either(_, known) => known == function,
        Callee::Rows(_) | Callee::Filter | Callee::Take | Callee::Lookup(_) => false,
    });
    entry.unwrap_or_else(|| panic!("{function:?} has no entry"))
}

impl ResultType {
    /// The type where it does not depend on the arguments.
    pub fn fixed(self) -> Option<Type> {
        Some(match self {
            ResultType::Text => Type::Text,
            ResultType::Integer => Type::Integer,
            ResultType::Decimal(scale) => Type::Decimal { scale },
            ResultType::Boolean => Type::Boolean,
            ResultType::Date => Type::Date,
            ResultType::DateTime => Type::DateTime,
            ResultType::Duration => Type::Duration,
            ResultType::Argument(_) | ResultType::Common | ResultType::Own => return None,
        })
    }
}

macro_rules! signatures {
    ($($name:literal $callee:expr, $arguments:literal, [$($parameter:ident),*], $optional:literal, $result:expr, $sql:literal $polars:literal, $meaning:literal;)*) => {
        &[$(Signature {
            name: $name,
            callee: $callee,
            arguments: $arguments,
            parameters: &[$(Parameter::$parameter),*],
            optional: $optional,
            result: $result,
            meaning: $meaning,
            sql: $sql == 1,
            polars: $polars == 1,
        }),*]
    };
}

use Callee::{Either, Lookup, Rows, Scalar};
use Function as F;
use ResultType as R;

/// Every function. The two digits say whether it lowers to SQL and to polars.
#[rustfmt::skip]
pub static SIGNATURES: &[Signature] = signatures! {
    "count" Rows(Fold::Count), "rows, condition?", [], 0, R::Integer, 1 0, "how many rows there are for which the condition is true";
    "sum" Rows(Fold::Sum), "rows, number", [], 0, R::Own, 1 0, "the sum of the values that are not null; 0 for none";
    "avg" Rows(Fold::Avg), "rows, number", [], 0, R::Decimal(12), 0 0, "the mean of the values that are not null, 12 places, of amounts an amount; null for none";
    "median" Rows(Fold::Median), "rows, number", [], 0, R::Decimal(12), 0 0, "the middle of the values that are not null, the mean of the two middle ones where there are two, 12 places, of amounts an amount; null for none";
    "first" Rows(Fold::First), "rows, value, order", [], 0, R::Own, 0 0, "the value in the row where `order` is least, null last, the earlier row where it is the same; null for no rows";
    "join" Rows(Fold::Join), "rows, text, ', '", [], 0, R::Text, 0 0, "the texts that are not null in the order of the rows, with the last argument between them";
    "filter" Callee::Filter, "rows, condition", [], 0, R::Own, 0 0, "the rows for which the condition is true, for another function over rows";
    "take" Callee::Take, "rows, n, order", [], 0, R::Own, 0 0, "the first `n` rows by the value of `order`, least first, null last, for another function over rows";
    "any" Rows(Fold::Any), "rows, condition", [], 0, R::Boolean, 1 0, "whether the condition is true for some row";
    "all" Rows(Fold::All), "rows, condition", [], 0, R::Boolean, 1 0, "whether the condition is true for every row; true for none";
    "min" Either(Fold::Min, F::Least), "rows, value` or `a, b, …", [Many], 0, R::Common, 1 1, "the least value that is not null; null for none";
    "max" Either(Fold::Max, F::Greatest), "rows, value` or `a, b, …", [Many], 0, R::Common, 1 1, "the greatest value that is not null; null for none";
    "lookup" Lookup(Fold::Only), "form, value, condition", [], 0, R::Own, 0 0, "the value in the only record of the form for which the condition is true, `it.x` its fields, bare names what stands around; null for none, an error for more than one";
    "lookup_all" Lookup(Fold::List), "form, value, condition", [], 0, R::Own, 0 0, "the values in all such records, oldest first, at most 10,000; in `count`, `sum`, `min`, `max`, `avg`, `median`, `any`, `all` and `join` it stands for the rows and their values";
    "when" Scalar(F::When), "c1, v1, c2, v2, …, otherwise", [Many], 0, R::Common, 1 1, "the value behind the first condition that is true, else the last";
    "coalesce" Scalar(F::Coalesce), "a, b, …", [Many], 0, R::Common, 1 1, "the first value that is not null";
    "len" Scalar(F::Len), "text", [Text], 0, R::Integer, 1 1, "the number of code points";
    "lower" Scalar(F::Lower), "text", [Text], 0, R::Text, 0 0, "in small letters, whatever the language";
    "upper" Scalar(F::Upper), "text", [Text], 0, R::Text, 0 0, "in capital letters, whatever the language";
    "trim" Scalar(F::Trim), "text", [Text], 0, R::Text, 1 0, "without white space at both ends";
    "contains" Scalar(F::Contains), "text, part", [Text, Text], 0, R::Boolean, 1 1, "whether the part occurs, letter by letter";
    "starts_with" Scalar(F::StartsWith), "text, start", [Text, Text], 0, R::Boolean, 1 1, "whether the text starts so, letter by letter";
    "ends_with" Scalar(F::EndsWith), "text, end", [Text, Text], 0, R::Boolean, 1 1, "whether the text ends so, letter by letter";
    "matches" Scalar(F::Matches), "text, 'pattern'", [Text, Pattern], 0, R::Boolean, 0 0, "whether the regular expression occurs in the text; `^` and `$` bind it to the ends";
    "replace" Scalar(F::Replace), "text, from, to", [Text, Text, Text], 0, R::Text, 1 0, "with every `from` replaced, letter by letter; an empty `from` changes nothing";
    "substr" Scalar(F::Substr), "text, from, count", [Text, Integer, Integer], 0, R::Text, 1 0, "`count` code points from place `from`, counted from 0; what lies outside is left out";
    "last" Scalar(F::Last), "text, count", [Text, Integer], 0, R::Text, 1 0, "the last `count` code points";
    "text" Scalar(F::Text), "x", [Scalar], 0, R::Text, 0 0, "the value as text: numbers without needless zeros, dates and times by ISO 8601, times in UTC";
    "number" Scalar(F::Number), "text", [Text], 0, R::Decimal(12), 0 0, "the decimal the text writes, at most 12 places; null when it writes none";
    "abs" Scalar(F::Abs), "x", [Number], 0, R::Argument(0), 1 1, "without its sign";
    "round" Scalar(F::Round), "x, places?", [Number, Places], 1, R::Argument(0), 1 1, "rounded half away from zero, to whole numbers where no places are given";
    "floor" Scalar(F::Floor), "x", [Number], 0, R::Integer, 1 1, "the greatest integer that is not above";
    "ceil" Scalar(F::Ceil), "x", [Number], 0, R::Integer, 1 1, "the least integer that is not below";
    "clamp" Scalar(F::Clamp), "x, low, high", [Number, Number, Number], 0, R::Common, 1 1, "`x`, but not below `low` and not above `high`; `low` wins where they cross";
    "date" Scalar(F::Date), "x, 'format'?", [Scalar, Format], 1, R::Date, 0 0, "the date a text writes (`2026-01-31`, or by a strftime format), null when it writes none; of an instant, its date in the pack's zone";
    "datetime" Scalar(F::Datetime), "text, 'format'?", [Text, Format], 1, R::DateTime, 0 0, "the instant a text writes (RFC 3339, or by a strftime format), null when it writes none; without an offset, in the pack's zone";
    "days" Scalar(F::Days), "n", [Integer], 0, R::Duration, 0 0, "that many civil days";
    "hours" Scalar(F::Hours), "n", [Integer], 0, R::Duration, 0 0, "that many elapsed hours";
    "minutes" Scalar(F::Minutes), "n", [Integer], 0, R::Duration, 0 0, "that many elapsed minutes";
    "months" Scalar(F::Months), "n", [Integer], 0, R::Duration, 0 0, "that many civil months";
    "date_add" Scalar(F::DateAdd), "t, duration", [Moment, Duration], 0, R::Argument(0), 0 0, "`t + duration`: months first (31 Jan + 1 month is the last of February), then days, then elapsed time; the local time is kept over a change of the clock";
    "start_of" Scalar(F::StartOf), "'unit', t", [Unit, Moment], 0, R::Argument(1), 0 1, "the start of the `minute hour day week month quarter year` that `t` lies in, in the pack's zone; weeks start on Monday";
    "weekday" Scalar(F::Weekday), "t", [Moment], 0, R::Integer, 0 0, "1 Monday … 7 Sunday; of an instant, in the pack's zone";
    "local_date" Scalar(F::LocalDate), "t, 'zone'", [DateTime, Zone], 0, R::Date, 0 0, "the date of the instant in that zone";
    "days_between" Scalar(F::DaysBetween), "a, b", [Date, Date], 0, R::Integer, 1 1, "the days from `a` to `b`, negative where `b` is earlier";
    "hours_between" Scalar(F::HoursBetween), "a, b", [DateTime, DateTime], 0, R::Decimal(12), 0 1, "the elapsed hours from `a` to `b`, 12 places, negative where `b` is earlier";
    "years_between" Scalar(F::YearsBetween), "a, b", [Date, Date], 0, R::Integer, 0 0, "the whole years from `a` to `b`; somebody born on 29 Feb is a year older on 28 Feb where there is no 29th";
    "business_time" Scalar(F::BusinessTime), "a, b, 'calendar'", [DateTime, DateTime, Calendar], 0, R::Duration, 0 0, "how long the calendar is open from the instant `a` to the instant `b`, negative where `b` is earlier; an error for more than a hundred years";
    "has_role" Scalar(F::HasRole), "'role'", [Role], 0, R::Boolean, 1 1, "whether the acting user holds the role, included ones too";
    "hash" Scalar(F::Hash), "text", [Text], 0, R::Text, 0 0, "SHA-256 of the text in UTF-8, 64 hexadecimal digits";
    "bucket" Scalar(F::Bucket), "text, n", [Text, Integer], 0, R::Integer, 0 0, "a number from 0 to n − 1 that is always the same for the same text: the first eight bytes of its SHA-256, as a big-endian number, modulo n; null where n is less than 1";
    "rng" Scalar(F::Rng), "n", [Integer], 0, R::Integer, 0 0, "demo recipes only: a number from 0 to n − 1, the same for the same seed, row and place";
    "ref" Scalar(F::Ref), "'form', k", [Form, Which], 0, R::Own, 0 0, "demo recipes only: the k-th record of the form that earlier recipes made, counted from 0 and round again; where `k` is a text, the one with this natural key, which may also be a seed row";
    "pick" Scalar(F::Pick), "list, n", [List, Integer], 0, R::Own, 0 0, "demo recipes only: the n-th of the list, counted from 0 and round again";
};

/// The documentation table, in Markdown: what `engine/model/docs/functions.md` holds.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Functions of the expression language\n\n\
         <!-- Generated from `engine/model/src/expr/functions.rs`; `FORMWORK_BLESS=1 cargo test -p formwork-model` writes it. -->\n\n\
         A function of null is null, unless its meaning says otherwise.\n\n\
         `SQL` says whether it works on fields in row rules, filters, views and the conditions of uniques; where it does\n\
         not, it is refused. There arithmetic needs fields whose `min` and `max` prove that no row can leave the 64 bits of\n\
         the database; decimals and amounts are bounded by themselves. In datasets and metrics everything but look-ups works: what has a ✓ runs on columns, the rest is\n\
         evaluated row by row, which is slower, and the account of a report says so. Parts that read no field are computed\n\
         before and work everywhere.\n\n\
         | function | result | meaning | Rust | SQL | datasets |\n|---|---|---|---|---|---|\n",
    );
    for entry in SIGNATURES {
        let is_demo = matches!(entry.callee, Callee::Scalar(Function::Rng | Function::Ref | Function::Pick));
        let loads = matches!(entry.callee, Callee::Lookup(_));
        let result = match (entry.result.fixed(), entry.result) {
            (Some(ty), _) => ty.to_string(),
            (None, ResultType::Argument(index)) => format!("as argument {}", index + 1),
            (None, ResultType::Common) => "common type".to_owned(),
            (None, _) => match entry.callee {
                Callee::Rows(Fold::First) | Callee::Lookup(Fold::Only) => "as the value".to_owned(),
                Callee::Lookup(_) => "list of the value".to_owned(),
                Callee::Filter | Callee::Take => "rows".to_owned(),
                Callee::Rows(_) => "as the number".to_owned(),
                Callee::Scalar(Function::Ref) => "link".to_owned(),
                _ => "an element".to_owned(),
            },
        };
        let folded = matches!(entry.callee, Callee::Either(..));
        text.push_str(&format!(
            "| `{}` | {result} | {} | ✓ | {} | {} |\n",
            entry.text().replace("` or `", &format!(")` or `{}(", entry.name)),
            entry.meaning.replace('|', "\\|"),
            refused(entry.sql),
            match folded {
                true => "over rows row by row, scalars ✓",
                _ if is_demo || loads => "–",
                _ => by_rows(entry.polars),
            },
        ));
    }
    text.push_str("\n## Operators\n\n| operator | meaning | Rust | SQL | datasets |\n|---|---|---|---|---|\n");
    for entry in OPERATORS {
        let (sql, polars) = (refused(entry.sql), by_rows(entry.polars));
        text.push_str(&format!("| {} | {} | ✓ | {sql} | {polars} |\n", entry.text, entry.meaning));
    }
    text
}

fn refused(lowers: bool) -> &'static str {
    if lowers { "✓" } else { "–" }
}

fn by_rows(lowers: bool) -> &'static str {
    if lowers { "✓" } else { "row by row" }
}

/// An operator of the language, or another way to read a value.
#[derive(Debug)]
pub struct Operator {
    /// How it is written.
    pub text: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// An expression that uses it on the fields of the tests; none for what they have no field for.
    pub sample: Option<&'static str>,
    /// Whether it lowers to SQL on fields.
    pub sql: bool,
    /// Whether it runs on the columns of datasets.
    pub polars: bool,
}

macro_rules! operators {
    ($($text:literal, $sample:expr, $sql:literal $polars:literal, $meaning:literal;)*) => {
        &[$(Operator { text: $text, meaning: $meaning, sample: $sample, sql: $sql == 1, polars: $polars == 1 }),*]
    };
}

/// Every operator. The two digits are those of [`SIGNATURES`].
#[rustfmt::skip]
pub static OPERATORS: &[Operator] = operators! {
    "`a == b`, `a != b`", Some("a != b"), 1 1, "null-safe: never null";
    "`a < b`, `a <= b`, `a > b`, `a >= b`", Some("d <= n"), 1 1, "numbers, texts by code point, dates, instants; null on null";
    "`a in [b, c]`, `a not in user.queues`", Some("queue not in user.queues"), 1 1, "null-safe: never null";
    "`and`, `or`, `not`", Some("flag and not mark"), 1 1, "three-valued";
    "`a ?? b`", Some("a ?? b"), 1 1, "`a`, or `b` where `a` is null";
    "`a + b`, `a - b`, `-a` of numbers", Some("-m + d - 1.5"), 1 1, "exact; an integer beyond 64 bits is an error";
    "`a + b` of texts", Some("a + b"), 1 1, "joined; null on null";
    "`t + duration`, `t - duration`", Some("at + days(1)"), 0 0, "as `date_add`";
    "`==`, `<` … of durations", Some("hours(n) < days(2)"), 0 0, "by their length: a day counts as 24 hours, a month as 30 days";
    "`duration / duration`", Some("minutes(n) / hours(1)"), 0 0, "by their lengths: how often the one goes into the other; decimal, 12 places, by zero null";
    "`a * b`", Some("m * m"), 1 1, "exact up to 28 digits, beyond that rounded to 12 places";
    "`a / b`", Some("d / n"), 0 1, "decimal, 12 places, half away from zero; by zero null";
    "`a % b`", Some("m % 7"), 1 1, "takes the sign of `b`; by zero null";
    "`customer.tier`", Some("owner.boss.level"), 1 1, "over links that lead to one record";
    "computed and live fields", None, 0 1, "they have no column unless stored";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_callees_are_unique() {
        for (index, entry) in SIGNATURES.iter().enumerate() {
            for other in &SIGNATURES[index + 1..] {
                assert_ne!(entry.name, other.name);
                assert_ne!(entry.callee, other.callee, "{} and {}", entry.name, other.name);
            }
        }
    }

    #[test]
    fn the_documentation_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/functions.md");
        if std::env::var_os("FORMWORK_BLESS").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
            std::fs::write(path, documentation()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(found, documentation(), "run FORMWORK_BLESS=1 cargo test -p formwork-model");
    }
}
