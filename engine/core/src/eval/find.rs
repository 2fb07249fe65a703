//! Look-ups: which records are wanted, and what is said where there are more than there may be.

use formwork_model::expr::ir::{FieldRef, Fold, Ir};
use formwork_model::{Key, Pack};

use super::EvalError;
use super::rows::RowView;
use super::run::{Evaluator, Frame};
use crate::messages::message;
use crate::rejection::{Rejection, RejectionKind};

/// Most records a look-up may find.
pub const FOUND_MAX: u32 = 10_000;

/// Records wanted: those of a form for which a condition holds, in the order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    /// The form.
    pub form: Key,
    /// Over the record as frame 0, and bound: what it does not read of the record is a literal.
    pub condition: Ir,
    /// How many may be found; whether there are more is told, and that is an error.
    pub most: u32,
}

/// A look-up found more records than it may: a mistake in the data or in the definition, nobody's choice to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooMany {
    /// The form looked into.
    pub form: Key,
    /// How many there may be: 1, or [`FOUND_MAX`].
    pub most: u32,
}

impl TooMany {
    /// `lookup_ambiguous` or `lookup_too_many`.
    pub fn code(&self) -> &'static str {
        if self.most == 1 { "lookup_ambiguous" } else { "lookup_too_many" }
    }

    /// The sentence in that language, with the form's label.
    pub fn told(&self, pack: &Pack, language: &str) -> String {
        let label = pack.forms().get(&self.form).map_or(&*self.form, |form| form.label.get(language));
        message(language, self.code(), label, &self.most.to_string())
    }

    /// The refusal of whoever set it off.
    pub fn refusal(&self, pack: &Pack, language: &str) -> Rejection {
        Rejection::new(RejectionKind::Conflict, self.code(), self.told(pack, language))
    }
}

impl<'a> Evaluator<'a> {
    /// The records of the form for which the condition holds.
    pub(super) fn found(
        &self,
        fold: Fold,
        id: &FieldRef,
        condition: &'a Ir,
        frame: Option<&Frame<'_, 'a>>,
    ) -> Result<Vec<RowView<'a>>, EvalError> {
        let condition = self.bound(condition, frame)?;
        if let Ir::Literal(value) = &condition
            && !value.is_true()
        {
            return Ok(Vec::new());
        }
        let most = if fold == Fold::Only { 1 } else { FOUND_MAX };
        let find = Find { form: id.table.form.clone(), condition, most };
        match self.environment.records.found(&find) {
            Ok(Some(rows)) => Ok(rows),
            Ok(None) => Err(EvalError::TooMany(TooMany { form: find.form, most })),
            Err(missing) => Err(EvalError::Missing(vec![missing])),
        }
    }
}
