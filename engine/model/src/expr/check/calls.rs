//! Calls: the arguments against the table of functions, and the few functions with rules of their own.

use super::literals::conversion;
use super::operators::is_ordered;
use super::{Checker, Typed, constant};
use crate::Key;
use crate::expr::ast::{Kind, Node, Word};
use crate::expr::functions::{Callee, Parameter, ResultType, SIGNATURES, Signature, signature};
use crate::expr::ir::{Function, Ir};
use crate::expr::position::Names;
use crate::expr::problem::{Problem, code};
use crate::expr::scope::BUILT_IN_ROLES;
use crate::expr::times;
use crate::expr::types::{TableRef, Type};
use crate::expr::walk::round_type;
use crate::suggest::nearest;
use crate::value::Value;

const UNITS: [&str; 7] = ["minute", "hour", "day", "week", "month", "quarter", "year"];
/// Most bytes a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Checker<'_> {
    pub(super) fn call(&mut self, node: &Node, name: &Word, arguments: &[Node], hint: Option<&Type>) -> Option<Typed> {
        let Some(found) = signature(&name.text).filter(|found| self.scope.has(Names::Recipe) || !is_demo_only(found))
        else {
            return self.unknown_function(name, arguments);
        };
        if let Callee::Lookup(fold) = found.callee {
            return self.lookup(node, found, fold, arguments);
        }
        if matches!(found.callee, Callee::Filter | Callee::Take) {
            let message = format!("{} are rows, not a value", self.shown(node));
            let problem = Problem::new(code::ROWS, node.span.clone(), message);
            return self.report(problem.hint("use a function over them: `count(filter(rows, condition))`"));
        }
        let fold = match found.callee {
            Callee::Rows(fold) => Some(fold),
            Callee::Either(fold, _) if arguments.first().is_some_and(|first| self.is_rows(first)) => Some(fold),
            _ => None,
        };
        if let Some(fold) = fold {
            return self.fold(node, found, fold, arguments);
        }
        let (Callee::Scalar(function) | Callee::Either(_, function)) = found.callee else { return None };
        self.check_count(node, found, arguments.len())?;
        let (arguments, ty, free) = match function {
            Function::When => self.when(arguments, hint)?,
            Function::Coalesce => self.common("`coalesce`", arguments, hint, |_| true)?,
            Function::Least | Function::Greatest => {
                self.common(&format!("`{}`", found.name), arguments, hint, is_ordered)?
            }
            Function::Clamp => self.common("`clamp`", arguments, hint, Type::is_numeric)?,
            _ => self.plain(node, found, function, arguments, hint)?,
        };
        if let Some(folded) = fold_constant(function, &arguments) {
            return Some(constant(folded, ty));
        }
        // No column holds a duration.
        let sql = found.sql && ty != Type::Duration;
        self.require_lowering(node.span.clone(), free || sql, &format!("`{}`", found.name));
        let ir = Ir::Call(function, arguments);
        if !free && found.result == ResultType::Common {
            self.require_bound(node, &ir, &ty);
        }
        Some(Typed { ir, ty, free })
    }

    fn unknown_function(&mut self, name: &Word, arguments: &[Node]) -> Option<Typed> {
        let message = format!("unknown function `{}`", name.text);
        let problem = Problem::new(code::UNKNOWN_FUNCTION, name.span.clone(), message);
        let near = nearest(&name.text, SIGNATURES.iter().map(|signature| signature.name));
        self.report::<()>(match near {
            _ if signature(&name.text).is_some() => problem.hint("it is defined in demo recipes only"),
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        });
        // The arguments of an unknown function may well be names of rows; only what is outside of rows is checked.
        if !arguments.first().is_some_and(|first| self.is_rows(first)) {
            for argument in arguments {
                self.node(argument, None);
            }
        }
        None
    }

    fn check_count(&mut self, node: &Node, found: &Signature, count: usize) -> Option<()> {
        let (least, most) = match found.callee {
            Callee::Scalar(Function::When) => (3, None),
            Callee::Scalar(Function::Coalesce) | Callee::Either(..) => (2, None),
            _ => found.count(),
        };
        let paired = found.callee != Callee::Scalar(Function::When) || count % 2 == 1;
        if count >= least && most.is_none_or(|most| count <= most) && paired {
            return Some(());
        }
        let wanted = match most {
            Some(most) if most == least => format!("takes {least} arguments"),
            Some(most) => format!("takes {least} to {most} arguments"),
            None if !paired => "takes pairs of condition and value, then one value more".to_owned(),
            None => format!("takes at least {least} arguments"),
        };
        let wanted = if wanted == "takes 1 arguments" { "takes 1 argument".to_owned() } else { wanted };
        let message = format!("`{}` {wanted}: there are {count}", found.name);
        let problem = Problem::new(code::ARGUMENT_COUNT, node.span.clone(), message);
        self.report(problem.hint(format!("it is written `{}`", found.text())))
    }

    /// `when(c1, v1, c2, v2, …, otherwise)`.
    fn when(&mut self, arguments: &[Node], hint: Option<&Type>) -> Option<(Vec<Ir>, Type, bool)> {
        let (otherwise, pairs) = arguments.split_last()?;
        let conditions: Vec<Option<Typed>> = pairs.iter().step_by(2).map(|node| self.condition(node)).collect();
        let values: Vec<&Node> = pairs.iter().skip(1).step_by(2).chain([otherwise]).collect();
        let (values, ty, mut free) = self.values(&values, hint, "`when`")?;
        let mut conditions = conditions.into_iter();
        let mut parts = Vec::with_capacity(arguments.len());
        for value in values {
            if let Some(condition) = conditions.next() {
                let condition = condition?;
                free &= condition.free;
                parts.push(condition.ir);
            }
            parts.push(value);
        }
        Some((parts, ty, free))
    }

    /// Arguments with a common type that the function accepts.
    fn common(
        &mut self,
        what: &str,
        arguments: &[Node],
        hint: Option<&Type>,
        accepts: impl Fn(&Type) -> bool,
    ) -> Option<(Vec<Ir>, Type, bool)> {
        let nodes: Vec<&Node> = arguments.iter().collect();
        let (parts, ty, free) = self.values(&nodes, hint, what)?;
        if ty != Type::Null && !accepts(&ty) {
            let message = format!("{what} is not defined for {ty}");
            return self.report(Problem::new(code::ARGUMENT_TYPE, arguments[0].span.clone(), message));
        }
        Some((parts, ty, free))
    }

    /// A function whose arguments stand one by one in the table.
    fn plain(
        &mut self,
        node: &Node,
        found: &Signature,
        function: Function,
        arguments: &[Node],
        hint: Option<&Type>,
    ) -> Option<(Vec<Ir>, Type, bool)> {
        let element = hint.map(|ty| Type::List(Box::new(ty.clone())));
        let checked: Vec<Option<Typed>> = arguments
            .iter()
            .zip(found.parameters)
            .map(|(argument, parameter)| self.argument(found, *parameter, argument, element.as_ref()))
            .collect();
        let mut checked = checked.into_iter().collect::<Option<Vec<Typed>>>()?;
        if function == Function::Date {
            self.check_date(arguments, &checked)?;
        }
        let ty = match found.result {
            _ if function == Function::Round => round_type(&checked[0].ty, checked.get(1).map(|places| &places.ir)),
            ResultType::Argument(index) => checked[index].ty.clone(),
            ResultType::Own => match (&checked[0].ty, &checked[0].ir) {
                (Type::List(of), _) => (**of).clone(),
                (_, Ir::Literal(Value::Text(form))) => Type::Link(Key::from(form.as_str())),
                _ => return None,
            },
            other => other.fixed()?,
        };
        if function == Function::HasRole && !self.scope.has(Names::User) {
            let problem =
                Problem::new(code::UNKNOWN_NAME, node.span.clone(), "nobody acts here: `has_role` has no user");
            return self.report(problem);
        }
        let mut free = checked.iter().all(|typed| typed.free);
        if function == Function::Rng {
            checked.push(constant(Value::Integer(self.draws), Type::Integer));
            self.draws += 1;
            free = false;
        }
        Some((checked.into_iter().map(|typed| typed.ir).collect(), ty, free))
    }

    fn argument(
        &mut self,
        found: &Signature,
        parameter: Parameter,
        node: &Node,
        element: Option<&Type>,
    ) -> Option<Typed> {
        use Parameter as P;
        let wanted = match parameter {
            P::Text => Some(Type::Text),
            P::Integer => Some(Type::Integer),
            P::Date => Some(Type::Date),
            P::DateTime => Some(Type::DateTime),
            P::Duration => Some(Type::Duration),
            P::Places | P::Pattern | P::Format | P::Unit | P::Zone | P::Role | P::Form | P::Calendar => {
                return self.constant_argument(found, parameter, node);
            }
            P::Number | P::Moment | P::Scalar | P::List | P::Many | P::Which => None,
        };
        let hint = if parameter == P::List { element } else { wanted.as_ref() };
        let typed = self.node(node, hint)?;
        let accepted = match (parameter, &typed.ty) {
            (P::List, Type::List(_)) => !matches!(&typed.ir, Ir::List(items) if items.is_empty()),
            (P::List, _) => false,
            (_, Type::Null) => true,
            (P::Number, ty) => ty.is_numeric(),
            (P::Moment, ty) => matches!(ty, Type::Date | Type::DateTime),
            (P::Which, ty) => matches!(ty, Type::Integer | Type::Text),
            (P::Scalar | P::Many, ty) => !matches!(ty, Type::List(_) | Type::Rows(_)),
            (_, ty) => wanted.as_ref() == Some(ty),
        };
        if accepted {
            return Some(typed);
        }
        let name = match parameter {
            P::Number => "a number".to_owned(),
            P::Moment => "a date or a datetime".to_owned(),
            P::Which => "an integer or a text".to_owned(),
            P::List => "a list with something in it".to_owned(),
            P::Scalar | P::Many => "a single value".to_owned(),
            _ => wanted.as_ref().map(Type::to_string).unwrap_or_default(),
        };
        let message = format!("`{}` takes {name} here, and {} is {}", found.name, self.shown(node), typed.ty);
        let mut problem = Problem::new(code::ARGUMENT_TYPE, node.span.clone(), message);
        problem.hint = match (parameter, &typed.ty) {
            (P::Date, Type::Text)
            | (P::DateTime, Type::Text)
            | (P::Date, Type::DateTime)
            | (P::Integer, _)
            | (P::Text, _) => wanted.as_ref().and_then(|wanted| conversion(&typed.ty, wanted)),
            (P::Number, Type::Text) => conversion(&typed.ty, &Type::Integer),
            (P::DateTime, Type::Date) if found.callee == Callee::Scalar(Function::HoursBetween) => {
                Some("`days_between(a, b)` takes dates".to_owned())
            }
            _ => None,
        };
        self.report(problem)
    }

    /// An argument that must be written out, because what it says decides how the rest is read.
    fn constant_argument(&mut self, found: &Signature, parameter: Parameter, node: &Node) -> Option<Typed> {
        use Parameter as P;
        let refused = |checker: &mut Self, message: String, hint: &str| {
            checker.report(Problem::new(code::CONSTANT, node.span.clone(), message).hint(hint))
        };
        let text = match (&node.kind, parameter) {
            (Kind::Missing, _) => return None,
            (Kind::Number(digits), P::Places) => {
                return match digits.parse::<i64>() {
                    Ok(places) if places <= 12 => Some(constant(Value::Integer(places), Type::Integer)),
                    _ => refused(self, format!("`{digits}` is no number of places"), "from 0 to 12"),
                };
            }
            (Kind::Text(text), P::Pattern | P::Format | P::Unit | P::Zone | P::Role | P::Form | P::Calendar) => text,
            (_, P::Places) => {
                return refused(
                    self,
                    format!("{} is no number of places", self.shown(node)),
                    "from 0 to 12, written out",
                );
            }
            _ => {
                let message = format!("`{}` takes a text in single quotes here, not {}", found.name, self.shown(node));
                return refused(self, message, &format!("it is written `{}`", found.text()));
            }
        };
        let typed = constant(Value::Text(text.clone()), Type::Text);
        let shapes = self.scope.shapes;
        match parameter {
            P::Pattern => match regex::RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build() {
                Ok(_) => Some(typed),
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    refused(self, format!("`{text}` is no regular expression"), &reason)
                }
            },
            P::Format if times::is_format(text) => Some(typed),
            P::Format => refused(self, format!("`{text}` is no time format"), "such as `%Y-%m-%d %H:%M:%S`"),
            P::Unit if UNITS.contains(&text.as_str()) => Some(typed),
            P::Unit => self.unknown_key(node, "unit", text, UNITS.iter().copied()),
            P::Zone if text.parse::<chrono_tz::Tz>().is_ok() => Some(typed),
            P::Zone => refused(self, format!("unknown time zone `{text}`"), "an IANA name, such as `Asia/Shanghai`"),
            P::Role => {
                let known = shapes.roles.iter().map(|role| &**role).chain(BUILT_IN_ROLES);
                if known.clone().any(|role| role == text) {
                    return Some(typed);
                }
                self.unknown_key(node, "role", text, known)
            }
            P::Calendar => {
                let known = shapes.calendars.iter().map(|calendar| &**calendar);
                if known.clone().any(|calendar| calendar == text) {
                    return Some(typed);
                }
                self.unknown_key(node, "calendar", text, known)
            }
            _ => {
                let form = TableRef::form(&Key::from(text.as_str()));
                if shapes.tables.contains_key(&form) {
                    return Some(typed);
                }
                let mut forms: Vec<&str> =
                    shapes.tables.keys().map(|table| &*table.form).filter(|form| !form.contains(':')).collect();
                forms.sort_unstable();
                forms.dedup();
                self.unknown_key(node, "form", text, forms.into_iter())
            }
        }
    }

    /// `date(…)` takes text or an instant; literal text must be a date.
    fn check_date(&mut self, nodes: &[Node], arguments: &[Typed]) -> Option<()> {
        let formatted = nodes.len() > 1;
        match arguments[0].ty {
            Type::Text | Type::Null => {}
            Type::DateTime if !formatted => {}
            ref ty => {
                let message = format!("`date` takes text or a datetime here, and {} is {ty}", self.shown(&nodes[0]));
                return self.report(Problem::new(code::ARGUMENT_TYPE, nodes[0].span.clone(), message));
            }
        }
        if let (Ir::Literal(Value::Text(text)), false) = (&arguments[0].ir, formatted)
            && times::parse_date(text, None).is_none()
        {
            let problem = Problem::new(code::CONSTANT, nodes[0].span.clone(), format!("`{text}` is no date"));
            return self.report(problem.hint("a date is written `2026-01-31`"));
        }
        Some(())
    }
}

fn is_demo_only(signature: &Signature) -> bool {
    matches!(signature.callee, Callee::Scalar(Function::Rng | Function::Ref | Function::Pick))
}

/// `date('2026-01-31')` and an absolute `datetime('…Z')` are constants, so that every back end sees a plain literal.
fn fold_constant(function: Function, arguments: &[Ir]) -> Option<Value> {
    let (function, [Ir::Literal(Value::Text(text))]) = (function, arguments) else { return None };
    match function {
        Function::Date => times::parse_date(text, None).map(Value::Date),
        Function::Datetime => match times::parse_datetime(text, None)? {
            times::Moment::Instant(at) => Some(Value::DateTime(at)),
            times::Moment::Local(_) => None,
        },
        _ => None,
    }
}
