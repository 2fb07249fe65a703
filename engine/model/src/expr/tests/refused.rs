use super::super::{Scope, Type, check};
use super::{at, order, shapes, workflow};
use crate::expr::Position;

/// What is said about a source: code, message, the text under the carets, hint.
fn said(source: &str, scope: &Scope, expected: Option<&Type>) -> Vec<String> {
    let problems = check(source, scope, expected).expect_err(source);
    problems
        .iter()
        .map(|problem| {
            let at = &source[problem.span.clone()];
            let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{} [{at}] {}{hint}", problem.code, problem.message)
        })
        .collect()
}

fn expect(scope: &Scope, cases: &[(&str, &[&str])]) {
    for (source, expected) in cases {
        assert_eq!(said(source, scope, None), *expected, "{source}");
    }
}

#[test]
fn broken_texts_are_read_to_their_end() {
    let shapes = shapes();
    expect(
        &order(&shapes),
        &[
            ("", &["FW0201 [] the expression ends too early (a value is expected here)"]),
            ("count +", &["FW0201 [] the expression ends too early (a value is expected here)"]),
            (
                "count + * amont",
                &[
                    "FW0201 [*] unexpected `*` (a value is expected here)",
                    "FW0203 [amont] unknown field `amont` (did you mean `amount`?)",
                ],
            ),
            ("(count + 1", &["FW0201 [] the expression ends too early (`)` is expected here)"]),
            ("count)", &["FW0201 [)] unexpected `)`"]),
            ("count = 1", &["FW0201 [=] unexpected `=` (write `==`)"]),
            (
                "urgent && !urgent",
                &["FW0201 [&&] unexpected `&&` (write `and`)", "FW0201 [!] unexpected `!` (write `not`)"],
            ),
            ("subject == \"a\"", &["FW0202 [\"a\"] texts stand in single quotes (write 'a')"]),
            ("subject == 'a", &["FW0202 ['a] the text is not closed (put ' at its end)"]),
            (r"subject == 'a\n'", &[r"FW0202 [\n] `\n` is no escape (only `\'` and `\\` are)"]),
            (
                "12px",
                &[
                    "FW0202 [12px] `12px` is neither a number nor a name (a number is written in digits, such as `5000` or `0.25`)",
                ],
            ),
            ("count # 1", &["FW0202 [#] unexpected character `#`", "FW0201 [1] unexpected `1`"]),
            ("1 < count < 3", &["FW0201 [<] comparisons cannot be chained (join two comparisons with `and`)"]),
            ("subject.len()", &["FW0201 [len] `len` is called as a method (functions are called as `len(x)`)"]),
            ("[1, 2", &["FW0201 [] the expression ends too early (`,` or `]` is expected here)"]),
            (
                "len(subject subject) + foo(1)",
                &[
                    "FW0201 [subject] unexpected `subject` (`,` or `)` is expected here)",
                    "FW0204 [foo] unknown function `foo`",
                ],
            ),
            (
                "99999999999999999999",
                &["FW0202 [99999999999999999999] `99999999999999999999` is too large or has too many places"],
            ),
        ],
    );
}

#[test]
fn unknown_words_come_with_the_nearest() {
    let shapes = shapes();
    expect(
        &order(&shapes),
        &[
            ("amont > 1", &["FW0203 [amont] unknown field `amont` (did you mean `amount`?)"]),
            ("buyer.nam", &["FW0203 [nam] unknown field `nam` (did you mean `name`?)"]),
            ("subject.x", &["FW0203 [subject] `subject` is text and has no members (only links can be followed)"]),
            (
                "lines.price",
                &[
                    "FW0203 [lines] `lines` is rows of `order.lines` and has no members (use a list function: `count(lines)`)",
                ],
            ),
            (
                "any(lines, amount > price)",
                &["FW0203 [amount] unknown field `amount` (write `outer.amount` for the row around)"],
            ),
            ("vars.x", &["FW0203 [vars] `vars` is not in scope here"]),
            ("user", &["FW0203 [user] `user` is no value by itself (name a member of it: `user.x`)"]),
            ("user.shoe", &["FW0203 [shoe] `user` has no `shoe` (it has `id`, `roles`, `queues`, `team`, `leads`)"]),
            ("settings.limits", &["FW0203 [limits] `settings` has no `limits` (did you mean `limit`?)"]),
            ("state == 'opne'", &["FW0208 ['opne'] unknown option `opne` (did you mean `open`?)"]),
            (
                "state in ['x', 'new', 'y']",
                &[
                    "FW0208 ['x'] unknown option `x` (there are `new`, `open`, `closed`)",
                    "FW0208 ['y'] unknown option `y` (there are `new`, `open`, `closed`)",
                ],
            ),
            ("queue == 'dsk'", &["FW0208 ['dsk'] unknown queue `dsk` (did you mean `desk`?)"]),
            ("'desc' in user.queues", &["FW0208 ['desc'] unknown queue `desc` (did you mean `desk`?)"]),
            ("has_role('led')", &["FW0208 ['led'] unknown role `led` (did you mean `lead`?)"]),
            ("uper(subject)", &["FW0204 [uper] unknown function `uper` (did you mean `upper`?)"]),
            ("business_time(closed_at, now, 'dsk')", &["FW0208 ['dsk'] unknown calendar `dsk` (did you mean `desk`?)"]),
            (
                "business_time(due, now, 'desk')",
                &["FW0207 [due] `business_time` takes datetime here, and `due` is date"],
            ),
            (
                "business_time(closed_at, now, 'desk') > 4",
                &["FW0206 [business_time(closed_at, now, 'desk') > 4] `>` is not defined between \
                    `business_time(closed_at, now, 'desk')` (duration) and `4` (integer) (write the number as a duration, such \
                    as `hours(4)`; a duration divided by `hours(1)` is a number)"],
            ),
            ("age_of(lines, price)", &["FW0204 [age_of] unknown function `age_of`"]),
            (
                "filter(lines, price > 1)",
                &[
                    "FW0212 [filter(lines, price > 1)] `filter(lines, price > 1)` are rows, not a value (use a function \
                     over them: `count(filter(rows, condition))`)",
                ],
            ),
            (
                "first(lines, price)",
                &[
                    "FW0205 [first(lines, price)] `first` takes 3 arguments: there are 2 (it is written `first(rows, value, \
                     order)`)",
                ],
            ),
            (
                "sum(take(lines, count, price), price)",
                &["FW0211 [count] `count` is no number of rows (a whole number, written out)"],
            ),
            ("rng(3)", &["FW0204 [rng] unknown function `rng` (it is defined in demo recipes only)"]),
            ("? > 3", &["FW0203 [?] `?` is not in scope here (it stands for the input in the cells of a decision)"]),
        ],
    );
    expect(
        &workflow(&shapes),
        &[
            ("amount > 1", &["FW0203 [amount] unknown name `amount` (write `record.amount`)"]),
            ("step.rout.queue", &["FW0203 [rout] `step` has no `rout` (did you mean `route`?)"]),
            ("step.route.queu", &["FW0203 [queu] `step.route` has no `queu` (did you mean `queue`?)"]),
            (
                "instance.stage",
                &["FW0203 [stage] `instance` has no `stage` (it has `id`, `key`, `started_at`, `started_by`)"],
            ),
        ],
    );
}

#[test]
fn types_that_do_not_fit_are_named() {
    let shapes = shapes();
    expect(
        &order(&shapes),
        &[
            (
                "count == 'a'",
                &[
                    "FW0206 [count == 'a'] cannot compare `count` (integer) with `'a'` (text) (`number(x)` reads a number from text)",
                ],
            ),
            (
                "due < closed_at",
                &[
                    "FW0206 [due < closed_at] `<` is not defined between `due` (date) and `closed_at` (datetime) (`date(x)` is the date of an instant in the pack's zone)",
                ],
            ),
            (
                "due == '2026-01-31'",
                &[
                    "FW0206 [due == '2026-01-31'] cannot compare `due` (date) with `'2026-01-31'` (text) (`date('2026-01-31')` reads a date from text)",
                ],
            ),
            (
                "buyer == 'x'",
                &[
                    "FW0206 [buyer == 'x'] cannot compare `buyer` (link to `person`) with `'x'` (text) (a link holds a record; compare a field of it, such as its code, with text)",
                ],
            ),
            (
                "state == subject",
                &[
                    "FW0206 [state == subject] cannot compare `state` (choice) with `subject` (text) (`text(x)` is the key of a choice as text)",
                ],
            ),
            (
                "state == buyer.tier",
                &[
                    "FW0206 [state == buyer.tier] cannot compare `state` (choice) with `buyer.tier` (choice) (the two choices have no option in common)",
                ],
            ),
            (
                "count > null",
                &[
                    "FW0206 [count > null] `>` is not defined between `count` (integer) and `null` (null) (compare with null by `==` or `!=`)",
                ],
            ),
            (
                "subject + 1",
                &[
                    "FW0206 [subject + 1] `+` is not defined between `subject` (text) and `1` (integer) (`text(x)` makes text of a value)",
                ],
            ),
            (
                "due - due",
                &[
                    "FW0206 [due - due] `-` is not defined between `due` (date) and `due` (date) (`days_between(from, to)` counts the days)",
                ],
            ),
            (
                "count and urgent",
                &[
                    "FW0206 [count] `count` is integer, and a condition is wanted (compare it: `==`, `!=`, `<`, `in` or `!= null`)",
                ],
            ),
            ("-subject", &["FW0206 [-subject] `-` takes a number, and `subject` is text"]),
            (
                "'a' in subject",
                &["FW0206 [subject] `subject` is text, and `in` wants a list (`contains(text, part)` looks into text)"],
            ),
            (
                "len(count)",
                &["FW0207 [count] `len` takes text here, and `count` is integer (`text(x)` makes text of it)"],
            ),
            ("len()", &["FW0205 [len()] `len` takes 1 argument: there are 0 (it is written `len(text)`)"]),
            (
                "when(urgent, 1)",
                &[
                    "FW0205 [when(urgent, 1)] `when` takes pairs of condition and value, then one value more: there are 2 (it is written `when(c1, v1, c2, v2, …, otherwise)`)",
                ],
            ),
            (
                "when(urgent, 1, 'a')",
                &[
                    "FW0207 ['a'] the values of `when` are of different types: `'a'` is text, the others are integer (`number(x)` reads a number from text)",
                ],
            ),
            ("matches(subject, '[')", &["FW0211 ['['] `[` is no regular expression (unclosed character class)"]),
            ("start_of('weak', due)", &["FW0208 ['weak'] unknown unit `weak` (did you mean `week`?)"]),
            (
                "local_date(closed_at, 'Beijing')",
                &["FW0211 ['Beijing'] unknown time zone `Beijing` (an IANA name, such as `Asia/Shanghai`)"],
            ),
            ("date('31.1.2026')", &["FW0211 ['31.1.2026'] `31.1.2026` is no date (a date is written `2026-01-31`)"]),
            ("round(rate, count)", &["FW0211 [count] `count` is no number of places (from 0 to 12, written out)"]),
            (
                "lines",
                &[
                    "FW0212 [lines] `lines` is rows of `order.lines`, not a value (use a list function: `count(rows)`, `sum(rows, x)`, `any(rows, condition)`)",
                ],
            ),
            (
                "sum(count, 1)",
                &[
                    "FW0212 [count] `sum` takes rows first, and `count` is integer (rows are a table field or a backlink of the record)",
                ],
            ),
            ("sum(lines, article)", &["FW0207 [article] `sum` is not defined for text: `article`"]),
            (
                "sum(lines)",
                &["FW0205 [sum(lines)] `sum` takes 2 arguments: there are 1 (it is written `sum(rows, number)`)"],
            ),
        ],
    );
    let scope = order(&shapes);
    for (source, expected, message) in [
        (
            "count",
            Type::Boolean,
            "FW0209 [count] `count` is integer, and boolean is wanted (compare it: `==`, `!=`, `<`, `in` or `!= null`)",
        ),
        (
            "rate",
            Type::Integer,
            "FW0209 [rate] `rate` is decimal, and integer is wanted (`floor(x)` and `ceil(x)` make an integer)",
        ),
        ("'x'", Type::Queue, "FW0208 ['x'] unknown queue `x` (there are `desk`, `returns`)"),
        ("count", Type::Text, "FW0209 [count] `count` is integer, and text is wanted (`text(x)` makes text of it)"),
    ] {
        assert_eq!(said(source, &scope, Some(&expected)), [message], "{source}");
    }
}

#[test]
fn what_cannot_run_in_the_database_is_refused_there() {
    let shapes = shapes();
    let scope = at(Position::Rows, &shapes);
    let hint = "(keep the result in a stored computed field and compare that)";
    for (source, message) in [
        ("matches(subject, 'a')", format!("FW0210 [matches(subject, 'a')] `matches` cannot run in the database {hint}")),
        ("amount / 2 > 5", format!("FW0210 [amount / 2] `/` on money cannot run in the database {hint}")),
        (
            "count + 1 > 5",
            "FW0210 [count + 1] `count + 1` might be too large for the database (give the fields a `min` and a `max`, or \
             keep the result in a stored computed field)"
                .to_owned(),
        ),
        ("due + days(3) > today", format!("FW0210 [due + days(3)] `+` on date cannot run in the database {hint}")),
        (
            "total > 5",
            "FW0210 [total] `total` is computed on reading and cannot run in the database (give the field `\"stored\": \
             true`, or name what it is computed from)"
                .to_owned(),
        ),
        ("avg(lines, price) > 5", format!("FW0210 [avg(lines, price)] `avg` over rows cannot run in the database {hint}")),
    ] {
        assert_eq!(said(source, &scope, None), [message], "{source}");
    }
}

#[test]
fn limits_hold() {
    let shapes = shapes();
    let scope = order(&shapes);
    let deep = format!("{}count{}", "(".repeat(500), ")".repeat(500));
    let long = format!("'{}'", "a".repeat(4_000));
    let chain = vec!["count"; 200].join(" + ");
    assert!(check(&vec!["count"; 60].join(" + "), &scope, None).is_ok());
    let wide = format!("count in [{}]", vec!["1"; 1_600].join(","));
    for (source, message) in [
        (deep, "the expression is nested too deeply"),
        (long, "the expression has 4002 bytes, at most 4000 are allowed"),
        (chain, "the expression is nested too deeply"),
        (wide, "the expression has too many parts"),
    ] {
        let problems = check(&source, &scope, None).unwrap_err();
        assert_eq!((problems[0].code, problems[0].message.as_str()), ("FW0200", message));
    }
}

#[test]
fn problems_are_shown_with_a_caret() {
    let shapes = shapes();
    let source = "subject == '王芳' and amont > 1";
    let problems = check(source, &order(&shapes), None).unwrap_err();
    let expected = "\
FW0203: unknown field `amont`
  subject == '王芳' and amont > 1
                        ^^^^^
  hint: did you mean `amount`?";
    assert_eq!(problems[0].render(source), expected);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let shapes = shapes();
    let scope = order(&shapes);
    let parts =
        ["(", ")", "[", "]", "'", "not", "in", "count", ".", "..", "??", "?", "-", "5", "时", "\\", "==", ",", "max"];
    let mut seed = 7_u64;
    for _ in 0..3_000 {
        let mut source = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            source.push_str(parts[(seed >> 33) as usize % parts.len()]);
            source.push_str(if seed >> 63 == 0 { " " } else { "" });
        }
        if let Err(problems) = check(&source, &scope, None) {
            assert!(!problems.is_empty(), "{source}");
            problems.iter().for_each(|problem| assert!(!problem.render(&source).is_empty()));
        }
        let _ = crate::expr::check_cell(&source, &scope, &Type::Integer);
    }
}
