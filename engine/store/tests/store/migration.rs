//! Migrations: everything expands, nothing is lost.

use std::sync::Arc;

use formwork_core::Record;
use formwork_model::Value;
use formwork_model::value::Row;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::world::{World, at, created, new_record, pack, text, value};

crate::on_both!(super::first();
    renaming_keeps_data_and_undoing_it_too,
    what_leaves_is_hidden_and_comes_back,
    added_fields_get_defaults_and_computed_values,
    numbers_widen_and_other_changes_of_type_start_empty,
    forms_and_child_tables_are_renamed,
    a_hidden_link_holds_nothing_back,
    a_migration_is_told_before_it_runs,
    deployments_are_kept_with_their_files,
    indexes_follow_the_definitions,
);

fn first() -> Json {
    json!({
        "place": {"label": "Place", "fields": {"name": {"type": "text"}}},
        "card": {"label": "Card", "fields": {
            "title": {"type": "text"},
            "amount": {"type": "integer"},
            "place": {"type": "link", "to": "place"},
            "lines": {"type": "table", "fields": {"what": {"type": "text"}, "cost": {"type": "money"}}}
        }}
    })
}

/// `first`, with the fields of `card` changed.
fn with_card(change: impl Fn(&mut serde_json::Map<String, Json>)) -> Json {
    let mut forms = first();
    change(forms["card"]["fields"].as_object_mut().unwrap());
    forms
}

async fn fill(world: &World) {
    let pack = world.pack();
    world.create("place", vec![new_record(&pack, "place", 1, &[("name", text("p"))])]).await;
    let line = Row { id: Uuid::from_u128(50), values: vec![text("w"), Value::Decimal("2.50".parse().unwrap())] };
    let values = [
        ("title", text("t")),
        ("amount", Value::Integer(7)),
        ("place", Value::Id(Uuid::from_u128(1))),
        ("lines", Value::Rows(vec![line])),
    ];
    let cards = vec![new_record(&pack, "card", 2, &values), new_record(&pack, "card", 3, &[])];
    let committed = world.create("card", cards).await;
    world.seen(committed.seq).await;
}

async fn card(world: &World) -> Record {
    world.get("card", Uuid::from_u128(2)).await.unwrap()
}

async fn field(world: &World, key: &str) -> Value {
    value(&world.pack(), "card", &card(world).await, key).clone()
}

async fn renaming_keeps_data_and_undoing_it_too(world: Arc<World>) {
    fill(&world).await;
    let renamed = with_card(|fields| {
        fields.remove("title");
        fields.insert("headline".to_owned(), json!({"type": "text", "was": ["title"]}));
    });
    world.deploy(renamed.clone()).await;
    assert_eq!(field(&world, "headline").await, text("t"));
    world.deploy(first()).await;
    assert_eq!(field(&world, "title").await, text("t"), "rolled back");
    world.deploy(renamed.clone()).await;
    assert_eq!(field(&world, "headline").await, text("t"), "and forth");

    // A new field under the old name is another field.
    let mut both = renamed;
    both["card"]["fields"]["title"] = json!({"type": "text"});
    both["card"]["fields"]["headline"] = json!({"type": "text"});
    world.deploy(both).await;
    assert_eq!((field(&world, "headline").await, field(&world, "title").await), (text("t"), Value::Null));
}

async fn what_leaves_is_hidden_and_comes_back(world: Arc<World>) {
    fill(&world).await;
    let fewer = with_card(|fields| {
        fields.remove("amount");
        fields.remove("lines");
    });
    world.deploy(fewer).await;
    assert_eq!(card(&world).await.values.len(), 2);
    world.update("card", Uuid::from_u128(2), |record| record.values[0] = text("u")).await.unwrap();
    world.deploy(first()).await;
    assert_eq!((field(&world, "title").await, field(&world, "amount").await), (text("u"), Value::Integer(7)));
    assert_eq!(field(&world, "lines").await.rows().len(), 1);

    world.deploy(json!({"place": first()["place"]})).await;
    world.deploy(first()).await;
    assert_eq!(field(&world, "amount").await, Value::Integer(7), "a whole form came back");
}

async fn added_fields_get_defaults_and_computed_values(world: Arc<World>) {
    fill(&world).await;
    let more = with_card(|fields| {
        fields.insert("level".to_owned(), json!({"type": "text", "required": true, "default": "it's $1 \"?\""}));
        fields.insert("maybe".to_owned(), json!({"type": "text", "default": "not for old ones"}));
        fields.insert("price".to_owned(), json!({"type": "money", "required": true, "default": "1.25"}));
        let cost = json!({"type": "money", "compute": "sum(lines, cost)", "stored": true});
        fields.insert("total".to_owned(), cost);
        fields["lines"]["fields"]["ok"] = json!({"type": "boolean", "required": true, "default": true});
    });
    world.deploy(more.clone()).await;
    assert_eq!(field(&world, "level").await, text("it's $1 \"?\""));
    assert_eq!(field(&world, "maybe").await, Value::Null);
    assert_eq!(field(&world, "price").await, Value::Decimal("1.25".parse().unwrap()));
    assert_eq!(field(&world, "total").await, Value::Decimal("2.50".parse().unwrap()));
    assert_eq!(field(&world, "lines").await.rows()[0].values[2], Value::Boolean(true));
    let empty = world.get("card", Uuid::from_u128(3)).await.unwrap();
    assert_eq!(value(&world.pack(), "card", &empty, "total"), &Value::Decimal("0".parse().unwrap()));

    let mut other = more;
    other["card"]["fields"]["total"]["compute"] = json!("sum(lines, cost) + price");
    world.deploy(other).await;
    assert_eq!(field(&world, "total").await, Value::Decimal("3.75".parse().unwrap()), "another formula");
}

async fn numbers_widen_and_other_changes_of_type_start_empty(world: Arc<World>) {
    fill(&world).await;
    let ty = |ty: Json| with_card(|fields| fields["amount"] = ty.clone());
    world.deploy(ty(json!({"type": "decimal", "scale": 1}))).await;
    assert_eq!(field(&world, "amount").await, Value::Decimal("7.0".parse().unwrap()));
    world.deploy(ty(json!({"type": "decimal", "scale": 3}))).await;
    assert_eq!(field(&world, "amount").await, Value::Decimal("7.000".parse().unwrap()));
    world.deploy(ty(json!({"type": "text"}))).await;
    assert_eq!(field(&world, "amount").await, Value::Null);
    world.update("card", Uuid::from_u128(2), |record| record.values[1] = text("now text")).await.unwrap();
    assert_eq!(field(&world, "amount").await, text("now text"));
}

async fn forms_and_child_tables_are_renamed(world: Arc<World>) {
    fill(&world).await;
    let mut forms = with_card(|fields| {
        let mut lines = fields.remove("lines").unwrap();
        lines["was"] = json!(["lines"]);
        fields.insert("entries".to_owned(), lines);
    });
    let mut card = forms.as_object_mut().unwrap().remove("card").unwrap();
    card["was"] = json!(["card"]);
    forms["ticket"] = card;
    world.deploy(forms).await;
    let pack = world.pack();
    let ticket = world.get("ticket", Uuid::from_u128(2)).await.unwrap();
    assert_eq!(value(&pack, "ticket", &ticket, "title"), &text("t"));
    assert_eq!(value(&pack, "ticket", &ticket, "entries").rows()[0].values[0], text("w"));
    let changes = world.store.changes(0, 100).await.unwrap();
    assert_eq!(changes.iter().filter(|change| &*change.form == "ticket").count(), 2, "the change log follows");
}

async fn a_hidden_link_holds_nothing_back(world: Arc<World>) {
    fill(&world).await;
    let place = Uuid::from_u128(1);
    assert!(world.delete("place", place).await.is_err(), "a card links here");
    let without = with_card(|fields| {
        fields.remove("place");
    });
    world.deploy(without.clone()).await;
    world.delete("place", place).await.unwrap();
    world.deploy(first()).await;
    assert_eq!(field(&world, "place").await, Value::Null, "the record it led to is gone");

    let pack = world.pack();
    world.create("place", vec![new_record(&pack, "place", 4, &[])]).await;
    let at = pack.form("card").field("place").unwrap().0;
    let linked = move |record: &mut Record| record.values[at] = Value::Id(Uuid::from_u128(4));
    world.update("card", Uuid::from_u128(2), linked).await.unwrap();
    world.deploy(without).await;
    world.deploy(first()).await;
    assert_eq!(field(&world, "place").await, Value::Id(Uuid::from_u128(4)), "this one is still there");
}

async fn a_migration_is_told_before_it_runs(world: Arc<World>) {
    fill(&world).await;
    let wanted = pack(with_card(|fields| {
        fields.insert("level".to_owned(), json!({"type": "text", "required": true, "default": "low"}));
        fields.remove("amount");
    }));
    let steps = world.store.migration(Some(&world.pack()), &wanted).await.unwrap();
    let told: Vec<(&str, Option<u64>)> = steps.iter().map(|step| (step.at.as_str(), step.rows)).collect();
    let level = "forms/card/fields/level";
    assert_eq!(told, [(level, None), ("forms/card/fields/amount", None), (level, Some(2)), ("catalogue", None)]);
    assert!(steps[0].sql[0].starts_with("ALTER TABLE \"lab_card\" ADD COLUMN \"level\""), "{:?}", steps[0]);
    assert!(world.store.migration(Some(&world.pack()), &world.pack()).await.unwrap().is_empty(), "nothing to do");
}

async fn deployments_are_kept_with_their_files(world: Arc<World>) {
    let found = world.store.deployments().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].number, &*found[0].pack, found[0].version.as_str()), (1, "lab", "1.0.0"));
    assert_eq!((found[0].hash.as_str(), found[0].at), (world.pack().hash().as_str(), at(0)));
    assert_eq!(found[0].files, [("pack.json".to_owned(), "{}".to_owned())]);
    world.deploy(with_card(|fields| fields["amount"] = json!({"type": "decimal", "scale": 2}))).await;
    let found = world.store.deployments().await.unwrap();
    assert_eq!(found.iter().map(|deployment| deployment.number).collect::<Vec<_>>(), [2], "only the newest");
}

async fn indexes_follow_the_definitions(world: Arc<World>) {
    let unique = |filter: Option<&str>| {
        let mut forms = first();
        forms["card"]["unique"] = json!({"title": {"fields": ["title"]}});
        if let Some(filter) = filter {
            forms["card"]["unique"]["title"]["where"] = json!(filter);
        }
        forms
    };
    let pack = world.pack();
    let twin = |id: u128| new_record(&pack, "card", id, &[("title", text("same")), ("amount", Value::Integer(1))]);
    let (one, two, three) = (twin(10), twin(11), twin(12));
    world.deploy(unique(None)).await;
    world.create("card", vec![one]).await;
    assert!(
        world
            .run({
                let two = two.clone();
                move |_| Ok(created("card", std::slice::from_ref(&two)))
            })
            .await
            .is_err()
    );
    world.deploy(unique(Some("amount > 1"))).await;
    world.create("card", vec![two]).await;
    world.deploy(first()).await;
    world.create("card", vec![three]).await;
}
