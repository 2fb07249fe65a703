use super::super::{Type, check, types::TableRef};
use super::{at, order, shapes, table, workflow};
use crate::expr::ir::{Ir, Rows};
use crate::expr::{Position, Scope};

fn accept(source: &str, scope: &Scope, expected: Option<&Type>) -> (String, Ir) {
    match check(source, scope, expected) {
        Ok(expr) => (expr.ty.to_string(), expr.ir),
        Err(problems) => {
            let shown: Vec<String> = problems.iter().map(|problem| problem.render(source)).collect();
            panic!("{}", shown.join("\n"))
        }
    }
}

#[test]
fn expressions_over_a_record_have_a_type() {
    let shapes = shapes();
    for (source, ty) in [
        ("null", "null"),
        ("''", "text"),
        (r"'it\'s \\'", "text"),
        ("1 + 2 * 3", "integer"),
        ("count / 2", "decimal"),
        ("count + rate", "decimal"),
        ("amount * 2", "money"),
        ("amount >= 5000", "boolean"),
        ("rate == 0.25", "boolean"),
        ("amount / amount", "decimal"),
        ("-amount", "money"),
        ("count % 3 == 0", "boolean"),
        ("state == 'open'", "boolean"),
        ("'open' == state", "boolean"),
        ("state in ['new', 'open']", "boolean"),
        ("state not in ['new']", "boolean"),
        ("queue in user.queues or created_by == user.id", "boolean"),
        ("user.team in user.leads", "boolean"),
        ("'clerk' in user.roles", "boolean"),
        ("queue == 'desk'", "boolean"),
        ("not state == 'open' and urgent", "boolean"),
        ("buyer.boss.name", "text"),
        ("buyer.id == buyer", "boolean"),
        ("buyer != null", "boolean"),
        ("old.state != state", "boolean"),
        ("old.buyer.tier == 'gold'", "boolean"),
        ("subject + ' ' + text(count)", "text"),
        ("due + days(3)", "date"),
        ("closed_at - hours(1) < now", "boolean"),
        ("days_between(due, today) > settings.limit", "boolean"),
        ("hours_between(created_at, closed_at ?? now)", "decimal"),
        ("floor(rate)", "integer"),
        ("round(rate, 2)", "decimal"),
        ("(amount ?? 0) <= (total ?? 0)", "boolean"),
        ("when(urgent, 'gold', 'basic') == buyer.tier", "boolean"),
        ("when(urgent, 1, amount > 3, 2.5, 0)", "decimal"),
        ("coalesce(subject, buyer.name, '')", "text"),
        ("min(count, 3)", "integer"),
        ("max(amount, 100)", "money"),
        ("clamp(count, 0, 10)", "integer"),
        ("start_of('month', closed_at)", "datetime"),
        ("start_of('week', due)", "date"),
        ("date('2026-01-31') > due", "boolean"),
        ("date(closed_at)", "date"),
        ("local_date(closed_at, 'Asia/Shanghai')", "date"),
        ("matches(subject, '^[A-Z]{3}$')", "boolean"),
        ("has_role('lead') or has_role('admin')", "boolean"),
        ("count(lines)", "integer"),
        ("sum(lines, pieces * price)", "money"),
        ("max(lines, price)", "money"),
        ("avg(lines, pieces)", "decimal"),
        ("avg(lines, price)", "money"),
        ("median(filter(lines, pieces > outer.count), price)", "money"),
        ("first(lines, article, -price)", "text"),
        ("join(take(lines, 3, article), article, ', ')", "text"),
        ("count(filter(shipments, weight > 1))", "integer"),
        ("any(lines, state == outer.state)", "boolean"),
        ("sum(shipments, weight)", "decimal"),
        ("all(shipments, order.urgent)", "boolean"),
    ] {
        assert_eq!(accept(source, &order(&shapes), None).0, ty, "{source}");
    }
}

#[test]
fn operators_bind_as_documented() {
    let shapes = shapes();
    let scope = order(&shapes);
    for (source, meant) in [
        ("not urgent and urgent", "(not urgent) and urgent"),
        ("not count == 1", "not (count == 1)"),
        ("urgent or urgent and not urgent", "urgent or (urgent and (not urgent))"),
        ("count + 1 * 2 - 3", "(count + (1 * 2)) - 3"),
        ("count ?? 0 + 1 == 1", "(count ?? (0 + 1)) == 1"),
        ("count ?? count ?? 1", "count ?? (count ?? 1)"),
        ("-count - -1", "(-count) - (-1)"),
        ("count - 1 - 1", "(count - 1) - 1"),
        ("not count in [1] or urgent", "(not (count in [1])) or urgent"),
        ("count not in [1]", "not (count in [1])"),
    ] {
        assert_eq!(accept(source, &scope, None).1, accept(meant, &scope, None).1, "{source}");
    }
}

#[test]
fn literals_take_the_type_of_the_place() {
    let shapes = shapes();
    let scope = order(&shapes);
    let gold = shapes.tables[&TableRef::form(&"person".into())].fields["tier"].ty.clone();
    for (source, expected) in [
        ("5", Type::Money),
        ("5.25", Type::Money),
        ("count", Type::Decimal { scale: 2 }),
        ("when(urgent, 'gold', null)", gold),
        ("'desk'", Type::Queue),
        ("null", Type::Date),
        ("rate", Type::Money),
    ] {
        accept(source, &scope, Some(&expected));
    }
    assert_eq!(check("null", &scope, Some(&Type::Date)).unwrap().ty, Type::Date);
}

#[test]
fn workflows_name_the_record_and_their_own_state() {
    let shapes = shapes();
    for (source, ty) in [
        ("record.amount > 400", "boolean"),
        ("record.buyer.name", "text"),
        ("vars.tries + 1", "integer"),
        ("step.route.queue", "queue"),
        ("step.route.count", "integer"),
        ("step.route.actor == user.id", "boolean"),
        ("instance.started_at + hours(2)", "datetime"),
        ("sum(record.lines, price * record.count)", "money"),
        ("business_time(instance.started_at, now, 'desk') > hours(4)", "boolean"),
        ("business_time(record.closed_at, now, 'desk') / hours(1)", "decimal"),
    ] {
        assert_eq!(accept(source, &workflow(&shapes), None).0, ty, "{source}");
    }
}

#[test]
fn imports_and_demos_have_names_of_their_own() {
    let shapes = shapes();
    let import = Scope::new(Position::Column, &shapes);
    let state = Type::Choice(["new".into()].into());
    for source in ["row.state", "row['State of it']", "when(row.in == '1', 'new', null)"] {
        accept(source, &import, Some(&state));
    }
    let demo = Scope::new(Position::Recipe, &shapes);
    for (source, ty) in [
        ("pick(['a', 'b'], i) + text(rng(10))", "text"),
        ("ref('person', i % 3)", "link to `person`"),
        ("ref('person', 'A' + text(i))", "link to `person`"),
        ("date(as_of - days(rng(30)))", "date"),
    ] {
        assert_eq!(accept(source, &demo, None).0, ty, "{source}");
    }
}

#[test]
fn list_functions_push_a_frame() {
    let shapes = shapes();
    let (_, ir) = accept("any(lines, price > outer.amount)", &order(&shapes), None);
    let Ir::Fold(_, Rows::Table { frame: 0, .. }, Some(each)) = ir else { panic!("{ir:?}") };
    let Ir::Binary(_, price, amount) = *each else { panic!("{each:?}") };
    let frame = |ir: &Ir| match ir {
        Ir::Field(path) => (path.root, path.field.table.clone()),
        other => panic!("{other:?}"),
    };
    use crate::expr::ir::Root::Frame;
    assert_eq!(frame(&price), (Frame(0), table("order", Some("lines"))));
    assert_eq!(frame(&amount), (Frame(1), table("order", None)));
}

#[test]
fn look_ups_name_the_record_it_and_leave_bare_names_as_they_are() {
    let shapes = shapes();
    let scope = at(Position::Rule, &shapes);
    for (source, ty) in [
        ("lookup(person, it.tier, it.id == buyer)", "choice"),
        ("lookup(person, it.boss.name, it.born == due and it.name != subject)", "text"),
        ("lookup_all(person, it.name, it.tier == 'gold')", "list of text"),
        ("subject in lookup_all(person, it.name, it.boss == buyer)", "boolean"),
        ("count(lookup_all(person, it.id, it.boss == buyer))", "integer"),
        ("sum(lookup_all(order, it.amount, it.buyer == buyer and it.id != id))", "money"),
        ("min(lookup_all(order, it.due, it.count > count))", "date"),
        ("any(lookup_all(order, it.urgent, it.due == due))", "boolean"),
        ("join(lookup_all(person, it.name, true), ', ')", "text"),
        // What is not read of the record need not lower: it is computed before.
        ("lookup(person, it.name, it.name == lower(subject) and it.born < due + days(count))", "text"),
        ("lookup(person, it.name, it.born == first(filter(lines, pieces > 1), outer.due, price))", "text"),
        ("lookup(person, it.name, it.id == old.buyer)", "text"),
        // The value is computed of what was found: it need not lower either.
        ("lookup(person, upper(it.name), it.id == buyer)", "text"),
        ("sum(lines, lookup(order, it.amount, it.subject == article and it.count == outer.count))", "money"),
    ] {
        assert_eq!(accept(source, &scope, None).0, ty, "{source}");
    }
    let steps = workflow(&shapes);
    accept("lookup(person, it.name, it.id == record.buyer and it.tier == 'gold')", &steps, None);
}

#[test]
fn rules_of_rows_may_use_what_lowers_and_what_is_computed_before() {
    let shapes = shapes();
    let scope = at(Position::Rows, &shapes);
    for source in [
        "state != 'closed' and buyer.boss.tier == 'gold'",
        "amount + 1 > 5",
        "count(lines, pieces > 2) > 1 or any(shipments, weight > 3)",
        "lower(settings.carrier) == subject",
        "due < date_add(today, days(30))",
        "due > date(now - days(30))",
        "starts_with(subject, upper('a'))",
    ] {
        accept(source, &scope, Some(&Type::Boolean));
    }
}
