//! Tokens → tree: a Pratt parser that goes on after an error, so that one reading finds several.
//!
//! | binds | operators |
//! |---|---|
//! | weakest | `or` |
//! | | `and` |
//! | | `not` |
//! | | `== != < <= > >= in`, `not in` (not chained) |
//! | | `??` (to the right) |
//! | | `+ -` |
//! | | `* / %` |
//! | strongest | `-x`, then `a.b`, `a['b']`, `f(x)` |

use std::ops::Range;

use super::ast::{Kind, Node, Word};
use super::ir::{BinaryOp, UnaryOp};
use super::lexer::{Spanned, Token, tokenize};
use super::problem::{Problem, code};

/// Most bytes of an expression.
pub const LENGTH_BYTES_MAX: usize = 4_000;
/// Most nodes between the root and a leaf; walking the tree recurses, and this bounds the stack it needs.
pub const DEPTH_MAX: u16 = 64;
/// Most nodes.
pub const NODES_MAX: usize = 1_500;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const COALESCE: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const NEGATION: u8 = 8;

/// The tree of an expression, as far as it could be read, and what was wrong with its text.
pub fn parse(source: &str) -> (Node, Vec<Problem>) {
    let mut parser = match Parser::new(source) {
        Ok(parser) => parser,
        Err(problem) => return (Node::new(Kind::Missing, 0..source.len()), vec![problem]),
    };
    let node = parser.expression(0);
    parser.expect_end();
    (node, parser.finish())
}

/// The state of a reading; the cells of decisions are read through it, too.
pub(crate) struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Spanned>,
    at: usize,
    depth: u16,
    nodes: usize,
    /// Set once a limit was hit: nothing more is reported.
    exhausted: bool,
    pub(crate) problems: Vec<Problem>,
}

impl<'s> Parser<'s> {
    pub(crate) fn new(source: &'s str) -> Result<Self, Problem> {
        if source.len() > LENGTH_BYTES_MAX {
            let message = format!("the expression has {} bytes, at most {LENGTH_BYTES_MAX} are allowed", source.len());
            return Err(Problem::new(code::LIMIT, 0..source.len(), message));
        }
        let (tokens, problems) = tokenize(source);
        Ok(Self { source, tokens, at: 0, depth: 0, nodes: 0, exhausted: false, problems })
    }

    /// What was wrong, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.span.start);
        self.problems
    }

    pub(crate) fn expression(&mut self, least: u8) -> Node {
        self.depth += 1;
        let node = if self.depth > DEPTH_MAX { self.exhaust("is nested too deeply") } else { self.operators(least) };
        self.depth -= 1;
        node
    }

    /// Reports what is left over, once; then reads on behind it, for the problems there.
    pub(crate) fn expect_end(&mut self) {
        let mut reported = false;
        while *self.peek() != Token::End {
            if !reported {
                self.unexpected(None);
                reported = true;
            }
            self.advance();
            let before = self.problems.len();
            if self.starts_operand() {
                self.expression(0);
            }
            // The tokens behind an error are often leftovers of it; only literals and words misread are worth a report.
            let rest = self.problems.split_off(before);
            self.problems.extend(rest.into_iter().filter(|problem| problem.code == code::LITERAL));
        }
    }

    pub(crate) fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    pub(crate) fn advance(&mut self) -> Range<usize> {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    /// Consumes the token if it is that one.
    pub(crate) fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    /// The place of the next token, to come back to with [`Parser::rewind`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.at, self.problems.len())
    }

    pub(crate) fn rewind(&mut self, (at, problems): (usize, usize)) {
        self.at = at;
        self.problems.truncate(problems);
    }

    /// Whether the next token is that word.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(crate) fn follows(&self, token: &Token) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|next| next.token == *token)
    }

    pub(crate) fn node(&mut self, kind: Kind, span: Range<usize>) -> Node {
        self.nodes += 1;
        let node = Node::new(kind, span);
        if self.nodes > NODES_MAX {
            return self.exhaust("has too many parts");
        }
        if node.depth > DEPTH_MAX {
            return self.exhaust("is nested too deeply");
        }
        node
    }

    /// Reports that the next token does not belong here.
    pub(crate) fn unexpected(&mut self, wanted: Option<&str>) {
        if self.exhausted {
            return;
        }
        let span = self.span();
        // What the lexer has reported needs no second report.
        if self.problems.iter().any(|problem| problem.span == span) {
            return;
        }
        let found = match self.peek() {
            Token::End => "the expression ends too early".to_owned(),
            _ => format!("unexpected `{}`", &self.source[span.clone()]),
        };
        let problem = Problem::new(code::SYNTAX, span, found);
        self.problems.push(match wanted {
            Some(wanted) => problem.hint(format!("{wanted} is expected here")),
            None => problem,
        });
    }

    fn operators(&mut self, least: u8) -> Node {
        let start = self.span().start;
        let mut left = self.operand();
        let mut chained = false;
        while let Some((power, operator)) = self.operator() {
            if power < least {
                break;
            }
            self.consume(&operator);
            let right = match operator {
                Operator::Binary(BinaryOp::Coalesce) => self.expression(power),
                _ => self.expression(power + 1),
            };
            let span = start..right.span.end.max(self.last_end());
            let kind = match operator {
                Operator::Binary(op) => Kind::Binary(op, Box::new(left), Box::new(right)),
                Operator::In { negated } => Kind::In { negated, value: Box::new(left), list: Box::new(right) },
            };
            left = self.node(if chained { Kind::Missing } else { kind }, span);
            chained = power == COMPARISON && self.operator().is_some_and(|(next, _)| next == COMPARISON);
            if chained {
                self.report_chain();
            }
        }
        left
    }

    /// `a < b < c`: reported; the rest is read as a further comparison and dropped.
    fn report_chain(&mut self) {
        let span = self.span();
        let problem = Problem::new(code::SYNTAX, span.clone(), "comparisons cannot be chained");
        self.problems.push(problem.hint("join two comparisons with `and`"));
    }

    fn operator(&self) -> Option<(u8, Operator)> {
        use BinaryOp as B;
        let (power, op) = match self.peek() {
            Token::Or => (OR, B::Or),
            Token::And => (AND, B::And),
            Token::Equal => (COMPARISON, B::Equal),
            Token::NotEqual => (COMPARISON, B::NotEqual),
            Token::Less => (COMPARISON, B::Less),
            Token::LessEqual => (COMPARISON, B::LessEqual),
            Token::Greater => (COMPARISON, B::Greater),
            Token::GreaterEqual => (COMPARISON, B::GreaterEqual),
            Token::Coalesce => (COALESCE, B::Coalesce),
            Token::Plus => (SUM, B::Add),
            Token::Minus => (SUM, B::Subtract),
            Token::Star => (PRODUCT, B::Multiply),
            Token::Slash => (PRODUCT, B::Divide),
            Token::Percent => (PRODUCT, B::Modulo),
            Token::Word => match self.word()? {
                "or" => (OR, B::Or),
                "and" => (AND, B::And),
                "in" => return Some((COMPARISON, Operator::In { negated: false })),
                "not" if self.word_at(self.at + 1) == Some("in") => {
                    return Some((COMPARISON, Operator::In { negated: true }));
                }
                _ => return None,
            },
            _ => return None,
        };
        Some((power, Operator::Binary(op)))
    }

    fn consume(&mut self, operator: &Operator) {
        self.advance();
        if matches!(operator, Operator::In { negated: true }) {
            self.advance();
        }
    }

    fn operand(&mut self) -> Node {
        let span = self.span();
        match self.peek().clone() {
            Token::Minus => {
                self.advance();
                let inner = self.expression(NEGATION);
                let span = span.start..inner.span.end.max(self.last_end());
                self.node(Kind::Unary(UnaryOp::Negate, Box::new(inner)), span)
            }
            Token::Not => self.negation(),
            Token::Word if self.is_word("not") && !self.follows(&Token::Dot) => self.negation(),
            _ => {
                let start = span.start;
                let primary = self.primary();
                self.postfix(primary, start)
            }
        }
    }

    fn negation(&mut self) -> Node {
        let start = self.advance().start;
        let inner = self.expression(NOT);
        let span = start..inner.span.end.max(self.last_end());
        self.node(Kind::Unary(UnaryOp::Not, Box::new(inner)), span)
    }

    fn primary(&mut self) -> Node {
        let span = self.span();
        let kind = match self.peek().clone() {
            // Digits with letters behind them are reported by the lexer.
            Token::Number if self.source[span.clone()].contains(|c: char| !c.is_ascii_digit() && c != '.') => {
                Kind::Missing
            }
            Token::Number => Kind::Number(self.source[span.clone()].to_owned()),
            Token::Text(text) => Kind::Text(text),
            Token::Question => Kind::Cell,
            Token::Word => match self.name() {
                Some(kind) => kind,
                None => return self.missing(),
            },
            Token::Open => {
                self.advance();
                let inner = self.expression(0);
                self.close(&Token::Close, ")");
                return inner;
            }
            Token::OpenBracket => {
                self.advance();
                let items = self.items(&Token::CloseBracket, "]");
                return self.node(Kind::List(items), span.start..self.last_end());
            }
            _ => return self.missing(),
        };
        self.advance();
        self.node(kind, span)
    }

    /// What a word means where a value is expected; nothing for an operator out of place.
    fn name(&self) -> Option<Kind> {
        let word = self.word()?;
        if self.follows(&Token::Dot) {
            return Some(Kind::Name(word.to_owned()));
        }
        Some(match word {
            "null" => Kind::Null,
            "true" => Kind::Boolean(true),
            "false" => Kind::Boolean(false),
            "and" | "or" | "in" | "not" => return None,
            _ => Kind::Name(word.to_owned()),
        })
    }

    fn postfix(&mut self, mut left: Node, start: usize) -> Node {
        loop {
            match self.peek() {
                Token::Dot => {
                    self.advance();
                    if *self.peek() != Token::Word {
                        self.unexpected(Some("a name"));
                        return self.node(Kind::Missing, start..self.last_end());
                    }
                    let span = self.advance();
                    let word = Word { text: self.source[span.clone()].to_owned(), span: span.clone() };
                    left = self.node(Kind::Member(Box::new(left), word), start..span.end);
                }
                Token::OpenBracket => {
                    self.advance();
                    let index = self.expression(0);
                    self.close(&Token::CloseBracket, "]");
                    left = self.node(Kind::Index(Box::new(left), Box::new(index)), start..self.last_end());
                }
                Token::Open => left = self.call(left, start),
                _ => return left,
            }
        }
    }

    fn call(&mut self, callee: Node, start: usize) -> Node {
        self.advance();
        let arguments = self.items(&Token::Close, ")");
        let span = start..self.last_end();
        match callee.kind {
            Kind::Name(text) => {
                let word = Word { text, span: callee.span };
                self.node(Kind::Call(word, arguments), span)
            }
            Kind::Member(_, word) => {
                let problem = Problem::new(code::SYNTAX, word.span, format!("`{}` is called as a method", word.text));
                self.problems.push(problem.hint(format!("functions are called as `{}(x)`", word.text)));
                self.node(Kind::Missing, span)
            }
            Kind::Missing => self.node(Kind::Missing, span),
            _ => {
                self.problems.push(Problem::new(code::SYNTAX, callee.span, "only a function can be called"));
                self.node(Kind::Missing, span)
            }
        }
    }

    /// Expressions with commas between them, up to and with `close`.
    fn items(&mut self, close: &Token, sign: &str) -> Vec<Node> {
        let mut items = Vec::new();
        while !self.accept(close) {
            items.push(self.expression(0));
            if self.accept(&Token::Comma) {
                if self.peek() == close {
                    self.unexpected(Some("a value"));
                }
                continue;
            }
            if self.accept(close) {
                break;
            }
            self.unexpected(Some(&format!("`,` or `{sign}`")));
            if !self.skip_to_separator(close) {
                break;
            }
        }
        items
    }

    /// Skips what cannot belong to this list; whether the list goes on.
    fn skip_to_separator(&mut self, close: &Token) -> bool {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Token::End => return false,
                Token::Comma if open == 0 => {
                    self.advance();
                    return true;
                }
                token if open == 0 && token == close => return true,
                Token::Close | Token::CloseBracket if open == 0 => return false,
                Token::Open | Token::OpenBracket => open += 1,
                Token::Close | Token::CloseBracket => open -= 1,
                _ => {}
            }
            self.advance();
        }
    }

    fn close(&mut self, token: &Token, sign: &str) {
        if !self.accept(token) {
            self.unexpected(Some(&format!("`{sign}`")));
        }
    }

    /// A value is missing: reported, and the token consumed unless something around it waits for it.
    fn missing(&mut self) -> Node {
        let span = self.span();
        self.unexpected(Some("a value"));
        let waited_for = matches!(self.peek(), Token::End | Token::Comma | Token::Close | Token::CloseBracket)
            || self.operator().is_some();
        if !waited_for {
            self.advance();
        }
        self.node(Kind::Missing, span)
    }

    fn exhaust(&mut self, how: &str) -> Node {
        let span = 0..self.source.len();
        if !self.exhausted {
            self.problems.push(Problem::new(code::LIMIT, span.clone(), format!("the expression {how}")));
            self.exhausted = true;
        }
        self.at = self.tokens.len() - 1;
        Node::new(Kind::Missing, span)
    }

    fn starts_operand(&self) -> bool {
        matches!(
            self.peek(),
            Token::Number
                | Token::Text(_)
                | Token::Word
                | Token::Open
                | Token::OpenBracket
                | Token::Minus
                | Token::Not
                | Token::Question
        )
    }

    fn word(&self) -> Option<&str> {
        self.word_at(self.at)
    }

    fn word_at(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at)?;
        (token.token == Token::Word).then(|| &self.source[token.span.clone()])
    }

    /// Where the token before the next one ends.
    fn last_end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].span.end)
    }
}

enum Operator {
    Binary(BinaryOp),
    In { negated: bool },
}
