//! A sample of every function and operator of the language, with the back ends that the documentation's table promises.

use formwork_model::expr::functions::{Callee, OPERATORS, Parameter, SIGNATURES, Signature};
use formwork_model::expr::ir::{Fold, Function};

/// An expression over `item` that uses one function or operator on fields.
#[derive(Debug)]
pub struct Sample {
    /// The expression.
    pub source: String,
    /// Whether it lowers to SQL.
    pub sql: bool,
    /// Whether it runs on columns.
    pub polars: bool,
}

/// One for each entry of the table, two where it has two forms; none for look-ups, which run in no back end but Rust.
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for signature in SIGNATURES {
        if let Callee::Rows(fold) | Callee::Either(fold, _) = signature.callee {
            let source = format!("{}(rows, {})", signature.name, each(fold));
            let polars = signature.polars && !matches!(signature.callee, Callee::Either(..));
            samples.push(Sample { source, sql: signature.sql, polars });
        }
        if matches!(signature.callee, Callee::Filter | Callee::Take) {
            let rows = if signature.callee == Callee::Filter { "filter(rows, ok)" } else { "take(rows, 2, q)" };
            samples.push(Sample { source: format!("count({rows})"), sql: signature.sql, polars: signature.polars });
        }
        if let Callee::Scalar(function) | Callee::Either(_, function) = signature.callee
            && !matches!(function, Function::Rng | Function::Ref | Function::Pick)
        {
            let source = format!("{}({})", signature.name, arguments(signature, function));
            samples.push(Sample { source, sql: signature.sql, polars: signature.polars });
        }
    }
    samples.extend(OPERATORS.iter().filter_map(|operator| {
        Some(Sample { source: operator.sample?.to_owned(), sql: operator.sql, polars: operator.polars })
    }));
    samples
}

fn each(fold: Fold) -> &'static str {
    match fold {
        Fold::Count | Fold::Any | Fold::All => "ok",
        Fold::Sum | Fold::Min | Fold::Max | Fold::Avg | Fold::Median => "q",
        Fold::First => "q, t",
        Fold::Join => "t, ', '",
        Fold::Only | Fold::List => unreachable!("look-ups take no rows"),
    }
}

fn arguments(signature: &Signature, function: Function) -> String {
    match function {
        Function::When => return "flag, n, m".to_owned(),
        Function::Coalesce | Function::Least | Function::Greatest => return "n, m".to_owned(),
        Function::Date => return "at".to_owned(),
        _ => {}
    }
    let argument = |parameter: &Parameter| match parameter {
        Parameter::Text => "a",
        Parameter::Integer | Parameter::Which => "n",
        Parameter::Number | Parameter::Scalar | Parameter::Many => "d",
        Parameter::Date => "day",
        Parameter::DateTime | Parameter::Moment => "at",
        Parameter::Duration => "days(n)",
        Parameter::List => "[1, 2]",
        Parameter::Places => "2",
        Parameter::Pattern => "'a+'",
        Parameter::Format => "'%Y-%m-%d'",
        Parameter::Unit => "'month'",
        Parameter::Zone => "'UTC'",
        Parameter::Role => "'clerk'",
        Parameter::Form => "'party'",
        Parameter::Calendar => "'desk'",
    };
    signature.parameters.iter().map(argument).collect::<Vec<_>>().join(", ")
}
