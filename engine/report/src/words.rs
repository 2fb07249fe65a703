//! The few words a renderer adds by itself, in the languages of the product.

use crate::cell::State;

/// Words of one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Heading of the state column.
    pub(crate) state: &'static str,
    /// Label of the grand total.
    pub(crate) total: &'static str,
    /// All values that are not among the first.
    pub(crate) other: &'static str,
    no_data: &'static str,
    hidden: &'static str,
    provisional: &'static str,
    suppressed: &'static str,
    chinese: bool,
}

const ENGLISH: Words = Words {
    state: "State",
    total: "Total",
    other: "Other",
    no_data: "no data",
    hidden: "hidden",
    provisional: "provisional",
    suppressed: "too few",
    chinese: false,
};

const CHINESE: Words = Words {
    state: "状态",
    total: "合计",
    other: "其他",
    no_data: "无数据",
    hidden: "不可见",
    provisional: "暂定",
    suppressed: "样本过少",
    chinese: true,
};

impl Words {
    /// The words of a language tag; English for those we do not have.
    pub(crate) fn of(language: &str) -> Self {
        if language.starts_with("zh") { CHINESE } else { ENGLISH }
    }

    /// What a cell's state says beside its number; nothing for an ordinary number.
    pub(crate) fn of_state(&self, state: State) -> Option<&'static str> {
        match state {
            State::Ok => None,
            State::NoData => Some(self.no_data),
            State::Hidden => Some(self.hidden),
            State::Provisional => Some(self.provisional),
            State::Suppressed => Some(self.suppressed),
        }
    }

    /// The notice below a result that was cut off.
    pub(crate) fn truncated(&self, shown: usize, of: usize) -> String {
        match self.chinese {
            true => format!("结果已截断：共 {of} 行，显示 {shown} 行"),
            false => format!("truncated: {shown} of {of} rows"),
        }
    }
}
