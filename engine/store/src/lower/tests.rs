//! The SQL itself, where its form matters: indexes know `=` and ranges, and only where null counts as false.

use sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

use formwork_core::access::shapes;
use formwork_model::expr::{Names, Position, Scope, TableRef, Type, check};
use formwork_model::{Key, Pack, SourceMap, compile};

use super::Lowering;
use crate::dialect::Dialect;
use crate::layout::PackLayout;

fn pack() -> Pack {
    let mut sources = SourceMap::new();
    sources.insert("pack.json", r#"{"version": "1.0.0", "title": "T", "languages": ["en"], "timezone": "UTC"}"#);
    sources.insert(
        "forms/thing.json",
        r#"{"label": "Thing", "fields": {"name": {"type": "text"}, "price": {"type": "money"}, "open": {"type": "boolean"}}}"#,
    );
    compile("lab", &sources).0.expect("the pack of the test")
}

/// The condition in both dialects, with its values written out and without the alias.
fn lowered(source: &str) -> (String, String) {
    let pack = std::sync::Arc::new(pack());
    let shapes = shapes(&pack, &formwork_core::Viewer::system("en"));
    let scope = Scope::new(Position::Rows, &shapes).row(Names::Fields, TableRef::form(&Key::from("thing")));
    let ir = check(source, &scope, Some(&Type::Boolean)).expect("a filter").ir;
    let layout = PackLayout::presumed(&pack).expect("a layout");
    let text = |dialect| {
        let condition = Lowering::new(dialect, &pack, &layout).condition(&ir).expect("it lowers");
        let select = Query::select().expr(condition).to_owned();
        let text = match dialect {
            Dialect::Sqlite => select.to_string(SqliteQueryBuilder),
            Dialect::Postgres => select.to_string(PostgresQueryBuilder),
        };
        text.replace("SELECT ", "").replace("\"t0\".", "").replace('"', "")
    };
    (text(Dialect::Sqlite), text(Dialect::Postgres))
}

#[test]
fn conditions_are_written_for_indexes_where_null_counts_as_false() {
    let cases = [
        ("name == 'a'", "(name = 'a')", "(name = 'a')"),
        ("not (name == 'a')", "(NOT (name IS 'a'))", "(NOT (name IS NOT DISTINCT FROM 'a'))"),
        ("name != 'a'", "(name IS NOT 'a')", "(name IS DISTINCT FROM 'a')"),
        ("name == null", "(name IS NULL)", "(name IS NULL)"),
        ("name in ['a', null]", "((name IN ('a')) OR (name IS NULL))", "((name IN ('a')) OR (name IS NULL))"),
        ("starts_with(name, 'ab')", "(name >= 'ab' AND name < 'ac')", "(name >= 'ab' AND name < 'ac')"),
        ("price >= 1.505", "(price > 150)", "(price >= 1.505)"),
        ("version == 1", "(version = 1)", "(version = 1)"),
        ("open and price == 2", "(open AND (price = 200))", "(open AND (price = 2))"),
    ];
    for (source, sqlite, postgres) in cases {
        let (found_sqlite, found_postgres) = lowered(source);
        assert_eq!((found_sqlite.as_str(), found_postgres.as_str()), (sqlite, postgres), "`{source}`");
    }
}
