//! Scalar functions: those of the closed list that mean the same in SQL (`formwork_model::expr::functions` has the table).

use sea_query::Expr;

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::Function;

use super::numeric::{kind_of, scale};
use super::{Lowered, Lowering, Operand, Sql, Unsupported};
use crate::dialect::{Bound, ColumnKind, Dialect};

impl Lowering<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Ir]) -> Lowered<Operand> {
        match (function, arguments) {
            (Function::When, arguments) => self.when(arguments),
            (Function::Coalesce, arguments) => {
                let operands = arguments.iter().map(|argument| self.operand(argument)).collect::<Lowered<Vec<_>>>()?;
                self.coalesce(operands)
            }
            (Function::Len, [text]) => self.length(text),
            (Function::Abs, [number]) => self.absolute(number),
            (Function::DaysBetween, [from, to]) => self.days_between(from, to),
            (Function::Contains, [text, part]) => self.contains(text, part),
            (Function::StartsWith, [text, start]) => self.starts_with(text, start),
            (Function::EndsWith, [text, end]) => self.ends_with(text, end),
            (Function::Trim, [text]) => self.trim(text),
            (Function::Replace, [text, from, to]) => self.replace(text, from, to),
            (Function::Substr, [text, from, count]) => self.substr(text, from, count),
            (Function::Last, [text, count]) => self.last(text, count),
            (Function::Round | Function::Floor | Function::Ceil, [number, rest @ ..]) => {
                self.rounded(function, number, rest.first())
            }
            (Function::Clamp, [_, _, _]) => self.clamp(arguments),
            (Function::Least | Function::Greatest, _) => self.extreme(function == Function::Least, arguments),
            _ => Err(Unsupported(format!("`{function:?}` on fields"))),
        }
    }

    pub(super) fn coalesce(&mut self, operands: Vec<Operand>) -> Lowered<Operand> {
        let Some(kind) = common_kind(&operands)? else { return Ok(Operand::Constant(Value::Null)) };
        let parts = operands.into_iter().map(|operand| self.of_kind(operand, kind)).collect::<Lowered<Vec<_>>>()?;
        let nullable = parts.iter().all(|part| part.nullable);
        let magnitude = parts.iter().map(|part| part.magnitude).max().unwrap_or_default();
        let list = self.comma_list(parts.into_iter().map(|part| part.expr).collect());
        let expr = self.template("coalesce(?)", [list]);
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded: false }))
    }

    fn when(&mut self, arguments: &[Ir]) -> Lowered<Operand> {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for pair in arguments.chunks(2) {
            match pair {
                [condition, value] => {
                    conditions.push(self.condition(condition)?);
                    values.push(self.operand(value)?);
                }
                [otherwise] => values.push(self.operand(otherwise)?),
                _ => {}
            }
        }
        if conditions.len() == values.len() {
            values.push(Operand::Constant(Value::Null));
        }
        let Some(kind) = common_kind(&values)? else { return Ok(Operand::Constant(Value::Null)) };
        let values = values.into_iter().map(|value| self.of_kind(value, kind)).collect::<Lowered<Vec<_>>>()?;
        let nullable = values.iter().any(|value| value.nullable);
        let magnitude = values.iter().map(|value| value.magnitude).max().unwrap_or_default();
        let mut values = values.into_iter().rev().map(|value| value.expr);
        let otherwise = values.next().unwrap_or_else(|| Expr::cust("NULL"));
        let expr = conditions.into_iter().rev().zip(values).fold(otherwise, |otherwise, (condition, value)| {
            self.template("(CASE WHEN ? THEN ? ELSE ? END)", [condition, value, otherwise])
        });
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded: false }))
    }

    fn absolute(&mut self, number: &Ir) -> Lowered<Operand> {
        match self.operand(number)? {
            Operand::Constant(Value::Null) => Ok(Operand::Constant(Value::Null)),
            Operand::Sql(sql) if scale(sql.kind).is_some() => {
                let sql = self.guarded(sql);
                let expr = self.template("abs(?)", [sql.expr]);
                Ok(Operand::Sql(Sql { expr, ..sql }))
            }
            _ => Err(Unsupported("`abs` of this value".to_owned())),
        }
    }

    fn days_between(&mut self, from: &Ir, to: &Ir) -> Lowered<Operand> {
        let (from, to) = (self.operand(from)?, self.operand(to)?);
        let (from, to) = (self.of_kind(from, ColumnKind::Date)?, self.of_kind(to, ColumnKind::Date)?);
        let nullable = from.nullable || to.nullable;
        let expr = match self.dialect {
            Dialect::Sqlite => self.template("(? - ?)", [to.expr, from.expr]),
            Dialect::Postgres => self.template("CAST(? - ? AS bigint)", [to.expr, from.expr]),
        };
        // chrono's dates span fewer than 2^30 days.
        Ok(Operand::Sql(Sql { expr, kind: ColumnKind::Integer, nullable, magnitude: 1 << 30, unguarded: false }))
    }

    /// The least or greatest that is not null.
    fn extreme(&mut self, least: bool, arguments: &[Ir]) -> Lowered<Operand> {
        let operands = arguments.iter().map(|argument| self.operand(argument)).collect::<Lowered<Vec<_>>>()?;
        let Some(kind) = common_kind(&operands)? else { return Ok(Operand::Constant(Value::Null)) };
        let parts = operands.into_iter().map(|operand| self.of_kind(operand, kind)).collect::<Lowered<Vec<_>>>()?;
        let nullable = parts.iter().all(|part| part.nullable);
        let magnitude = parts.iter().map(|part| part.magnitude).max().unwrap_or_default();
        let parts: Vec<Expr> = parts.into_iter().map(|part| part.expr).collect();
        let expr = match self.dialect {
            Dialect::Postgres => {
                let list = self.comma_list(parts);
                self.template(if least { "LEAST(?)" } else { "GREATEST(?)" }, [list])
            }
            // `min(a, b)` is null where one is; the aggregate leaves nulls out.
            Dialect::Sqlite => {
                let selected = parts.into_iter().map(|part| self.template("SELECT ? AS x", [part]));
                let union = selected.reduce(|left, right| self.template("? UNION ALL ?", [left, right]));
                let text = if least { "(SELECT min(x) FROM (?))" } else { "(SELECT max(x) FROM (?))" };
                self.template(text, union.map(|union| [union]).unwrap_or([Expr::cust("SELECT NULL AS x")]))
            }
        };
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded: false }))
    }

    // --- text ------------------------------------------------------------------------------------------------------

    fn length(&mut self, text: &Ir) -> Lowered<Operand> {
        let text = self.text(text)?;
        let expr = match self.dialect {
            Dialect::Sqlite => self.template("length(?)", [text.expr]),
            Dialect::Postgres => self.template("CAST(char_length(?) AS bigint)", [text.expr]),
        };
        let kind = ColumnKind::Integer;
        Ok(Operand::Sql(Sql { expr, kind, nullable: text.nullable, magnitude: 1 << 31, unguarded: false }))
    }

    fn contains(&mut self, text: &Ir, part: &Ir) -> Lowered<Operand> {
        let (text, part) = (self.text(text)?, self.text(part)?);
        let nullable = text.nullable || part.nullable;
        Ok(match self.dialect {
            Dialect::Sqlite => self.boolean("(instr(?, ?) > 0)", [text.expr, part.expr], nullable),
            Dialect::Postgres => self.boolean("(strpos(?, ?) > 0)", [text.expr, part.expr], nullable),
        })
    }

    /// A constant start is a range of texts, which an index knows.
    fn starts_with(&mut self, text: &Ir, start: &Ir) -> Lowered<Operand> {
        let text = self.text(text)?;
        let start = self.operand(start)?;
        if let Operand::Constant(Value::Text(start)) = &start {
            let bind = |text: String| Expr::val(Bound::String(Some(text)));
            let from = bind(start.clone());
            return Ok(match successor(start) {
                Some(end) => {
                    let parts = [text.expr.clone(), from, text.expr, bind(end)];
                    self.boolean("(? >= ? AND ? < ?)", parts, text.nullable)
                }
                None => self.boolean("(? >= ?)", [text.expr, from], text.nullable),
            });
        }
        let start = self.of_kind(start, ColumnKind::Text)?;
        let nullable = text.nullable || start.nullable;
        let parts = [text.expr, start.expr.clone(), start.expr];
        Ok(match self.dialect {
            Dialect::Sqlite => self.boolean("(substr(?, 1, length(?)) = ?)", parts, nullable),
            Dialect::Postgres => self.boolean("(left(?, char_length(?)) = ?)", parts, nullable),
        })
    }

    fn ends_with(&mut self, text: &Ir, end: &Ir) -> Lowered<Operand> {
        let (text, end) = (self.text(text)?, self.text(end)?);
        let nullable = text.nullable || end.nullable;
        Ok(match self.dialect {
            // `substr(x, 0)` is the whole text: an empty end needs its own branch.
            Dialect::Sqlite => {
                let parts =
                    [end.expr.clone(), text.expr.clone(), text.expr.clone(), text.expr, end.expr.clone(), end.expr];
                self.boolean("(CASE WHEN ? = '' THEN ? = ? ELSE substr(?, -length(?)) = ? END)", parts, nullable)
            }
            Dialect::Postgres => {
                let parts = [text.expr, end.expr.clone(), end.expr];
                self.boolean("(right(?, char_length(?)) = ?)", parts, nullable)
            }
        })
    }
}

/// The kind all operands are brought to; none if all are null.
pub(super) fn common_kind(operands: &[Operand]) -> Lowered<Option<ColumnKind>> {
    let mut common: Option<ColumnKind> = None;
    for kind in operands.iter().filter_map(kind_of) {
        common = Some(match common {
            None => kind,
            Some(known) if known == kind => known,
            Some(known) => match (scale(known), scale(kind)) {
                (Some(one), Some(other)) => ColumnKind::Decimal(one.max(other)),
                _ => return Err(Unsupported(format!("{} beside {}", known.word(), kind.word()))),
            },
        });
    }
    Ok(common)
}

/// The least text above all texts that start so; none if there is no such text.
fn successor(start: &str) -> Option<String> {
    let mut characters: Vec<char> = start.chars().collect();
    while let Some(last) = characters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::successor;

    #[test]
    fn the_successor_skips_what_is_no_character() {
        for (start, expected) in [
            ("ab", Some("ac")),
            ("a\u{10FFFF}", Some("b")),
            ("\u{D7FF}", Some("\u{E000}")),
            ("\u{10FFFF}", None),
            ("", None),
        ] {
            assert_eq!(successor(start).as_deref(), expected, "{start:?}");
        }
    }
}
