use super::super::{Scope, Type, check, check_cell};
use super::shapes;
use crate::Key;
use crate::expr::Position;

fn tier() -> Type {
    Type::Choice(["basic", "gold", "platinum"].map(Key::from).into())
}

#[test]
fn cells_mean_conditions_over_the_input() {
    let shapes = shapes();
    let scope = Scope::new(Position::Cell, &shapes);
    for (cell, ty, meant) in [
        ("'gold'", tier(), "? == 'gold'"),
        ("'gold', 'platinum'", tier(), "? in ['gold', 'platinum']"),
        ("not('gold')", tier(), "not (? == 'gold')"),
        ("not('gold', 'basic')", tier(), "not (? in ['gold', 'basic'])"),
        ("null", tier(), "? == null"),
        ("not(null)", tier(), "not (? == null)"),
        (">= 5000", Type::Money, "? >= 5000"),
        ("< -1", Type::Integer, "? < -1"),
        ("-1", Type::Integer, "? == -1"),
        ("[1..5)", Type::Integer, "? >= 1 and ? < 5"),
        ("(0.5..1]", Type::Decimal { scale: 2 }, "? > 0.5 and ? <= 1"),
        ("not([1..5])", Type::Integer, "not (? >= 1 and ? <= 5)"),
        ("1, 7, >= 10", Type::Integer, "? in [1, 7] or ? >= 10"),
        ("? > 3 and ? != 7", Type::Integer, "? > 3 and ? != 7"),
        ("not ? > 3", Type::Integer, "not (? > 3)"),
        ("true", Type::Boolean, "? == true"),
        ("< date('2026-01-01')", Type::Date, "? < date('2026-01-01')"),
        (">= settings.limit", Type::Integer, "? >= settings.limit"),
    ] {
        let meaning = scope.clone().cell(ty.clone());
        let found = check_cell(cell, &scope, &ty).unwrap_or_else(|problems| panic!("{cell}: {problems:?}"));
        assert_eq!(found.unwrap().ir, check(meant, &meaning, None).unwrap().ir, "{cell}");
    }
    assert_eq!(check_cell(" - ", &scope, &tier()), Ok(None));
}

#[test]
fn wrong_cells_are_refused() {
    let shapes = shapes();
    let scope = Scope::new(Position::Cell, &shapes);
    for (cell, ty, message) in [
        ("", tier(), "the cell is empty"),
        ("'glod'", tier(), "unknown option `glod`"),
        ("'gold', 'glod'", tier(), "unknown option `glod`"),
        (">= 'gold'", tier(), "`>=` is not defined between the input (choice) and `'gold'` (choice)"),
        ("[1..5", Type::Integer, "the expression ends too early"),
        ("1 2", Type::Integer, "unexpected `2`"),
        ("'a'", Type::Integer, "cannot compare the input (integer) with `'a'` (text)"),
    ] {
        let problems = check_cell(cell, &scope, &ty).unwrap_err();
        assert_eq!(problems[0].message, message, "{cell}");
    }
}
