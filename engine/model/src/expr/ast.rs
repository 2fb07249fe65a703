//! The tree the parser makes: every node with its start and end in the text.

use std::ops::Range;

use super::ir::{BinaryOp, UnaryOp};

/// A node and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Byte places in the text, without the parentheses around it.
    pub span: Range<usize>,
    /// How many nodes lie between it and its deepest leaf; bounded by the parser, so that walking may recurse.
    pub(crate) depth: u16,
}

/// A word with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Byte places in the text.
    pub span: Range<usize>,
}

/// Kinds of node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// What should stand here could not be read; the problem is already reported.
    Missing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number as written: digits, maybe a point and digits.
    Number(String),
    /// A text, escapes resolved.
    Text(String),
    /// A bare name.
    Name(String),
    /// `?`, the input of a decision cell.
    Cell,
    /// `[a, b]`.
    List(Vec<Node>),
    /// `a.b`.
    Member(Box<Node>, Word),
    /// `a['b']`.
    Index(Box<Node>, Box<Node>),
    /// `f(a, b)`.
    Call(Word, Vec<Node>),
    /// `not a`, `-a`.
    Unary(UnaryOp, Box<Node>),
    /// `a + b`.
    Binary(BinaryOp, Box<Node>, Box<Node>),
    /// `a in b`, `a not in b`.
    In {
        /// Whether it is `not in`.
        negated: bool,
        /// The value looked for.
        value: Box<Node>,
        /// Where it is looked for.
        list: Box<Node>,
    },
}

impl Node {
    /// A node over its children's depth.
    pub(crate) fn new(kind: Kind, span: Range<usize>) -> Self {
        let depth = kind.children().iter().map(|child| child.depth + 1).max().unwrap_or(0);
        Self { kind, span, depth }
    }

    /// Whether `?` occurs in it.
    pub fn has_cell(&self) -> bool {
        matches!(self.kind, Kind::Cell) || self.kind.children().iter().any(|child| child.has_cell())
    }
}

impl Kind {
    /// The nodes directly below.
    pub fn children(&self) -> Vec<&Node> {
        match self {
            Kind::Missing
            | Kind::Null
            | Kind::Boolean(_)
            | Kind::Number(_)
            | Kind::Text(_)
            | Kind::Name(_)
            | Kind::Cell => Vec::new(),
            Kind::List(nodes) | Kind::Call(_, nodes) => nodes.iter().collect(),
            Kind::Member(node, _) | Kind::Unary(_, node) => vec![node],
            Kind::Index(a, b) | Kind::Binary(_, a, b) | Kind::In { value: a, list: b, .. } => vec![a, b],
        }
    }
}
