//! What binds how tightly, on random trees: the table here is written from the language's definition, not from the parser.

use proptest::prelude::*;

use crate::expr::ast::{Kind, Node};
use crate::expr::ir::{BinaryOp, UnaryOp};
use crate::expr::parser::parse;

/// Operators from the weakest to the tightest; those of one line bind alike.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const COALESCE: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const MINUS: u8 = 8;
const NAME: u8 = 9;

#[derive(Debug, Clone)]
enum Tree {
    Name(&'static str),
    Unary(&'static str, Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
}

fn level(tree: &Tree) -> u8 {
    match tree {
        Tree::Name(_) => NAME,
        Tree::Unary("not", _) => NOT,
        Tree::Unary(..) => MINUS,
        Tree::Binary(op, ..) => match *op {
            "or" => OR,
            "and" => AND,
            "??" => COALESCE,
            "+" | "-" => SUM,
            "*" | "/" | "%" => PRODUCT,
            _ => COMPARISON,
        },
    }
}

/// With parentheses around everything.
fn whole(tree: &Tree) -> String {
    match tree {
        Tree::Name(name) => (*name).to_owned(),
        Tree::Unary(op, a) => format!("({op} {})", whole(a)),
        Tree::Binary(op, a, b) => format!("({} {op} {})", whole(a), whole(b)),
    }
}

/// With those parentheses only that the table asks for.
fn least(tree: &Tree) -> String {
    let inside = |part: &Tree, at_least: u8| match level(part) < at_least {
        true => format!("({})", least(part)),
        false => least(part),
    };
    let own = level(tree);
    match tree {
        Tree::Name(name) => (*name).to_owned(),
        Tree::Unary("not", a) => format!("not {}", inside(a, NOT)),
        Tree::Unary(op, a) => format!("{op}{}", inside(a, NAME)),
        // `a ?? b ?? c` is `a ?? (b ?? c)`; comparisons do not follow each other; everything else goes from left to right.
        Tree::Binary(op, a, b) => {
            let (left, right) = match own {
                COALESCE => (own + 1, own),
                COMPARISON => (own + 1, own + 1),
                _ => (own, own + 1),
            };
            format!("{} {op} {}", inside(a, left), inside(b, right))
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let binary =
        ["or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "??", "+", "-", "*", "/", "%"].to_vec();
    let name = prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(Tree::Name);
    name.prop_recursive(5, 24, 2, move |inner| {
        let unary = (prop::sample::select(vec!["not", "-"]), inner.clone());
        let binary = (prop::sample::select(binary.clone()), inner.clone(), inner);
        prop_oneof![
            1 => unary.prop_map(|(op, a)| Tree::Unary(op, Box::new(a))),
            4 => binary.prop_map(|(op, a, b)| Tree::Binary(op, Box::new(a), Box::new(b))),
        ]
    })
}

/// The tree that was read, without its places.
fn read(node: &Node) -> String {
    match &node.kind {
        Kind::Name(name) => name.clone(),
        Kind::Unary(UnaryOp::Not, a) => format!("(not {})", read(a)),
        Kind::Unary(UnaryOp::Negate, a) => format!("(- {})", read(a)),
        Kind::In { negated, value, list } => {
            format!("({} {} {})", read(value), if *negated { "not in" } else { "in" }, read(list))
        }
        Kind::Binary(op, a, b) => format!("({} {} {})", read(a), sign(*op), read(b)),
        other => panic!("not written: {other:?}"),
    }
}

fn sign(op: BinaryOp) -> &'static str {
    use BinaryOp as B;
    match op {
        B::Or => "or",
        B::And => "and",
        B::Equal => "==",
        B::NotEqual => "!=",
        B::Less => "<",
        B::LessEqual => "<=",
        B::Greater => ">",
        B::GreaterEqual => ">=",
        B::Coalesce => "??",
        B::Add => "+",
        B::Subtract => "-",
        B::Multiply => "*",
        B::Divide => "/",
        B::Modulo => "%",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operators_bind_as_the_table_says(tree in trees()) {
        for text in [least(&tree), whole(&tree)] {
            let (node, problems) = parse(&text);
            prop_assert!(problems.is_empty(), "{}: {:?}", text, problems);
            prop_assert_eq!(read(&node), whole(&tree), "{}", text);
        }
    }
}
