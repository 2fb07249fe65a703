//! Functions that make text of text: those that mean exactly the same in both engines. Letters' cases do not: SQLite knows
//! those of ASCII only.

use std::sync::LazyLock;

use formwork_model::expr::Ir;
use sea_query::Expr;

use super::{Lowered, Lowering, Operand, Sql};
use crate::dialect::{Bound, ColumnKind, Dialect};

/// Everything that is white space, whatever the language.
static WHITE_SPACE: LazyLock<String> =
    LazyLock::new(|| (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| c.is_whitespace()).collect());

impl Lowering<'_> {
    pub(super) fn trim(&mut self, text: &Ir) -> Lowered<Operand> {
        let text = self.text(text)?;
        let space = Expr::val(Bound::String(Some(WHITE_SPACE.clone())));
        let template = if self.dialect == Dialect::Sqlite { "trim(?, ?)" } else { "btrim(?, ?)" };
        Ok(of_text(self.template(template, [text.expr, space]), text.nullable))
    }

    pub(super) fn replace(&mut self, text: &Ir, from: &Ir, to: &Ir) -> Lowered<Operand> {
        let (text, from, to) = (self.text(text)?, self.text(from)?, self.text(to)?);
        let nullable = text.nullable || from.nullable || to.nullable;
        let expr = match self.dialect {
            // An empty `from` gives the text there, even where `to` is null.
            Dialect::Sqlite if to.nullable => {
                let parts = [to.expr.clone(), text.expr, from.expr, to.expr];
                self.template("(CASE WHEN ? IS NOT NULL THEN replace(?, ?, ?) END)", parts)
            }
            _ => self.template("replace(?, ?, ?)", [text.expr, from.expr, to.expr]),
        };
        Ok(of_text(expr, nullable))
    }

    /// `count` code points from place `from`; what lies outside is left out.
    pub(super) fn substr(&mut self, text: &Ir, from: &Ir, count: &Ir) -> Lowered<Operand> {
        let (text, from, count) = (self.text(text)?, self.integer(from)?, self.integer(count)?);
        let nullable = text.nullable || from.nullable || count.nullable;
        let expr = match self.dialect {
            Dialect::Sqlite => {
                let parts = [text.expr, from.expr.clone(), count.expr, from.expr];
                self.template("substr(?, min(max(?, 0), 2147483646) + 1, max(0, max(?, 0) + min(?, 0)))", parts)
            }
            // The greatest and least of null and a number is the number there.
            Dialect::Postgres => {
                let parts =
                    [from.expr.clone(), count.expr.clone(), text.expr, from.expr.clone(), count.expr, from.expr];
                self.template(
                    "(CASE WHEN ? IS NOT NULL AND ? IS NOT NULL THEN substring(?, \
                     CAST(LEAST(GREATEST(?, 0), 1073741823) AS integer) + 1, \
                     CAST(LEAST(GREATEST(GREATEST(?, 0) + LEAST(?, 0), 0), 1073741823) AS integer)) END)",
                    parts,
                )
            }
        };
        Ok(of_text(expr, nullable))
    }

    /// The last `count` code points. SQLite takes a place far before the start for an empty part.
    pub(super) fn last(&mut self, text: &Ir, count: &Ir) -> Lowered<Operand> {
        let (text, count) = (self.text(text)?, self.integer(count)?);
        let nullable = text.nullable || count.nullable;
        let parts = [count.expr.clone(), text.expr.clone(), count.expr.clone(), count.expr, text.expr];
        let template = match self.dialect {
            Dialect::Sqlite => {
                "(CASE WHEN ? > 0 THEN substr(?, -min(?, 500000000)) WHEN ? IS NOT NULL THEN substr(?, 1, 0) END)"
            }
            Dialect::Postgres => {
                "(CASE WHEN ? > 0 THEN right(?, CAST(LEAST(?, 1073741823) AS integer)) WHEN ? IS NOT NULL \
                 THEN left(?, 0) END)"
            }
        };
        Ok(of_text(self.template(template, parts), nullable))
    }

    pub(super) fn text(&mut self, ir: &Ir) -> Lowered<Sql> {
        let operand = self.operand(ir)?;
        self.of_kind(operand, ColumnKind::Text)
    }

    fn integer(&mut self, ir: &Ir) -> Lowered<Sql> {
        let operand = self.operand(ir)?;
        self.of_kind(operand, ColumnKind::Integer)
    }
}

fn of_text(expr: Expr, nullable: bool) -> Operand {
    Operand::Sql(Sql { expr, kind: ColumnKind::Text, nullable, magnitude: 0, unguarded: false })
}
