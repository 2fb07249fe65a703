//! Cells of decision tables, rewritten to ordinary conditions over `?`.
//!
//! | cell | means |
//! |---|---|
//! | `-` | anything |
//! | `'a', 'b'` | `? in ['a', 'b']` |
//! | `>= 5000` | `? >= 5000` |
//! | `[1..5)` | `? >= 1 and ? < 5` |
//! | `not('a', 'b')` | `not (? in ['a', 'b'])` |
//! | `? > 3 and ? != 7` | itself |

use std::ops::Range;

use super::ast::{Kind, Node};
use super::check::check_tree;
use super::ir::{BinaryOp, Expr, UnaryOp};
use super::lexer::Token;
use super::parser::Parser;
use super::problem::{Problem, code};
use super::scope::Scope;
use super::types::Type;

/// The condition of a cell over [`super::ir::Name::Cell`], which has the input's type; nothing for `-`, which matches
/// everything. A null input matches `null`, `!= x` and `not('x')` only.
pub fn check_cell(source: &str, scope: &Scope, input_type: &Type) -> Result<Option<Expr>, Vec<Problem>> {
    if source.trim() == "-" {
        return Ok(None);
    }
    if source.trim().is_empty() {
        let problem = Problem::new(code::CELL, 0..source.len(), "the cell is empty");
        return Err(vec![problem.hint("`-` matches everything")]);
    }
    let mut parser = Parser::new(source).map_err(|problem| vec![problem])?;
    let node = tests(&mut parser, &Token::End);
    parser.expect_end();
    let scope = scope.clone().cell(input_type.clone());
    check_tree(source, &node, parser.finish(), &scope, Some(&Type::Boolean)).map(Some)
}

/// Tests with commas between them, up to `end`: any of them. Plain values are gathered into one `in`.
fn tests(parser: &mut Parser, end: &Token) -> Node {
    let start = parser.span().start;
    let mut values: Vec<Node> = Vec::new();
    let mut found: Vec<Node> = Vec::new();
    loop {
        match test(parser) {
            Test::Value(node) => values.push(node),
            Test::Condition(node) => found.push(node),
        }
        if !parser.accept(&Token::Comma) || parser.peek() == end {
            break;
        }
    }
    if let (Some(first), Some(last)) = (values.first(), values.last()) {
        let span = first.span.start..last.span.end;
        found.insert(0, one_of(parser, values, span));
    }
    let span = start..found.last().map_or(start, |node| node.span.end);
    let mut found = found.into_iter();
    let first = found.next().unwrap_or_else(|| Node::new(Kind::Missing, span.clone()));
    found.fold(first, |left, right| binary(parser, BinaryOp::Or, left, right, span.clone()))
}

enum Test {
    Value(Node),
    Condition(Node),
}

fn test(parser: &mut Parser) -> Test {
    let span = parser.span();
    if let Some(op) = comparison(parser.peek()) {
        parser.advance();
        let right = parser.expression(0);
        let span = span.start..right.span.end;
        let left = cell(parser, &span);
        return Test::Condition(binary(parser, op, left, right, span));
    }
    if let Some(node) = interval(parser) {
        return Test::Condition(node);
    }
    if parser.is_word("not") && parser.follows(&Token::Open) {
        let mark = parser.mark();
        parser.advance();
        parser.advance();
        let inner = tests(parser, &Token::Close);
        let end = parser.span().end;
        if parser.accept(&Token::Close) && matches!(parser.peek(), Token::End | Token::Comma | Token::Close) {
            return Test::Condition(parser.node(Kind::Unary(UnaryOp::Not, Box::new(inner)), span.start..end));
        }
        parser.rewind(mark);
    }
    let node = parser.expression(0);
    if node.has_cell() { Test::Condition(node) } else { Test::Value(node) }
}

/// `[1..5)`, `(1..5]`, `[1..5]`, `(1..5)`; nothing, and nothing consumed, where it is none.
fn interval(parser: &mut Parser) -> Option<Node> {
    let start = parser.span().start;
    let low_op = match parser.peek() {
        Token::OpenBracket => BinaryOp::GreaterEqual,
        Token::Open => BinaryOp::Greater,
        _ => return None,
    };
    let mark = parser.mark();
    parser.advance();
    let low = parser.expression(0);
    if !parser.accept(&Token::DotDot) {
        parser.rewind(mark);
        return None;
    }
    let high = parser.expression(0);
    let high_op = match parser.peek() {
        Token::CloseBracket => BinaryOp::LessEqual,
        Token::Close => BinaryOp::Less,
        _ => {
            parser.unexpected(Some("`]` or `)`"));
            return Some(Node::new(Kind::Missing, start..parser.span().end));
        }
    };
    let span = start..parser.advance().end;
    let (at_low, at_high) = (cell(parser, &low.span.clone()), cell(parser, &high.span.clone()));
    let (low_span, high_span) = (low.span.clone(), high.span.clone());
    let left = binary(parser, low_op, at_low, low, low_span);
    let right = binary(parser, high_op, at_high, high, high_span);
    Some(binary(parser, BinaryOp::And, left, right, span))
}

/// `? == a`, or `? in [a, b]`.
fn one_of(parser: &mut Parser, mut values: Vec<Node>, span: Range<usize>) -> Node {
    let input = cell(parser, &span);
    if values.len() == 1 {
        let value = values.remove(0);
        return binary(parser, BinaryOp::Equal, input, value, span);
    }
    let list = parser.node(Kind::List(values), span.clone());
    parser.node(Kind::In { negated: false, value: Box::new(input), list: Box::new(list) }, span)
}

fn cell(parser: &mut Parser, span: &Range<usize>) -> Node {
    parser.node(Kind::Cell, span.clone())
}

fn binary(parser: &mut Parser, op: BinaryOp, left: Node, right: Node, span: Range<usize>) -> Node {
    parser.node(Kind::Binary(op, Box::new(left), Box::new(right)), span)
}

fn comparison(token: &Token) -> Option<BinaryOp> {
    Some(match token {
        Token::Equal => BinaryOp::Equal,
        Token::NotEqual => BinaryOp::NotEqual,
        Token::Less => BinaryOp::Less,
        Token::LessEqual => BinaryOp::LessEqual,
        Token::Greater => BinaryOp::Greater,
        Token::GreaterEqual => BinaryOp::GreaterEqual,
        _ => return None,
    })
}
