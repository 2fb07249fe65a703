//! Migrations: everything expands, nothing is lost.

use std::sync::Arc;

use formwork_core::change::ChangeSet;
use formwork_core::instance::{Instance, InstanceStatus, State};
use formwork_core::{Facts, Record, Stop};
use formwork_model::plan::ChangeClass;
use formwork_model::value::Row;
use formwork_model::{Pack, Value};
use formwork_store::{Deploy, DeployFailure, Failure};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::world::{World, at as at_second, created, deploy, new_record, pack as pack_with, text, value};

crate::on_both!(super::first();
    renaming_keeps_data_and_undoing_it_too,
    what_leaves_is_hidden_and_comes_back,
    added_fields_get_defaults_and_computed_values,
    numbers_widen_and_everything_becomes_text,
    what_does_not_fit_is_counted,
    values_follow_a_renamed_option,
    a_stored_look_up_is_filled_and_what_no_statement_can_say_is_told,
    twins_are_counted_before_a_unique_is_made,
    of_two_deployments_at_once_one_is_stale,
    a_stimulus_of_an_older_pack_is_turned_away,
    running_instances_are_counted,
    a_series_number_is_given_once,
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

fn with_label(label: &str) -> Arc<Pack> {
    let mut forms = first();
    forms["card"]["label"] = json!(label);
    Arc::new(pack_with(forms))
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

/// Values worked out on paper: what a person would write.
async fn numbers_widen_and_everything_becomes_text(world: Arc<World>) {
    let table = |values: [(&str, Json); 6]| {
        let fields: serde_json::Map<_, _> = values.into_iter().map(|(key, ty)| (key.to_owned(), ty)).collect();
        json!({"t": {"label": "T", "fields": fields}})
    };
    let before = table([
        ("widens", json!({"type": "integer"})),
        ("number", json!({"type": "integer"})),
        ("amount", json!({"type": "money"})),
        ("truth", json!({"type": "boolean"})),
        ("day", json!({"type": "date"})),
        ("choice", json!({"type": "choice", "options": {"x": {}, "y": {}}})),
    ]);
    let text = || json!({"type": "text"});
    let after = table([
        ("widens", json!({"type": "decimal", "scale": 1})),
        ("number", text()),
        ("amount", text()),
        ("truth", text()),
        ("day", text()),
        ("choice", text()),
    ]);
    world.deploy(before).await;
    let pack = world.pack();
    let money = |text: &str| Value::Decimal(text.parse().unwrap());
    let day = |text: &str| Value::Date(text.parse().unwrap());
    let rows = [
        (7, -7, "-0.05", true, "0987-12-31", ["7.0", "-7", "-0.05", "true", "0987-12-31"]),
        (0, 0, "0.00", false, "2024-02-29", ["0.0", "0", "0.00", "false", "2024-02-29"]),
        (-3, i64::MAX, "1234.50", true, "1970-01-01", ["-3.0", "9223372036854775807", "1234.50", "true", "1970-01-01"]),
    ];
    for (id, (widens, number, amount, truth, date, _)) in (1..).zip(&rows) {
        let values = [
            ("widens", Value::Integer(*widens)),
            ("number", Value::Integer(*number)),
            ("amount", money(amount)),
            ("truth", Value::Boolean(*truth)),
            ("day", day(date)),
            ("choice", Value::Text("y".to_owned())),
        ];
        world.create("t", vec![new_record(&pack, "t", id, &values)]).await;
    }
    world.create("t", vec![new_record(&pack, "t", 9, &[])]).await;
    world.deploy(after).await;
    for (id, (.., [widens, number, amount, truth, date])) in (1..).zip(&rows) {
        let found = world.get("t", Uuid::from_u128(id)).await.unwrap().values;
        let texts = [number, amount, truth, date, &"y"].map(|text| Value::Text((*text).to_owned()));
        assert_eq!(found[0], money(widens));
        assert_eq!(found[1..], texts);
    }
    assert_eq!(world.get("t", Uuid::from_u128(9)).await.unwrap().values, vec![Value::Null; 6], "nothing stays nothing");
    let again = |ty: Json| json!({"t": {"label": "T", "fields": {"widens": ty}}});
    world.deploy(again(json!({"type": "decimal", "scale": 3}))).await;
    assert_eq!(world.get("t", Uuid::from_u128(1)).await.unwrap().values, [money("7.000")]);
    // What the plan blocks is not half done here, either.
    let date = Arc::new(pack_with(again(json!({"type": "date"}))));
    assert!(world.store.migration(Some(&world.pack()), &date).await.is_err());
}

async fn what_does_not_fit_is_counted(world: Arc<World>) {
    fill(&world).await;
    let big = 1_000_000_000_000_000;
    let amounts = [(10, big), (11, big + 1), (12, -big - 1), (13, i64::MIN)];
    let records = amounts.map(|(id, amount)| {
        new_record(&world.pack(), "card", id, &[("title", text("open")), ("amount", Value::Integer(amount))])
    });
    world.create("card", records.to_vec()).await;
    let blocked = async |forms: Json| {
        let wanted = pack_with(forms);
        let told = world.store.migration(Some(&world.pack()), &wanted).await.unwrap();
        told.blocked.into_iter().map(|blocked| format!("{}: {}", blocked.at, blocked.message)).collect::<Vec<_>>()
    };
    let decimal = with_card(|fields| fields["amount"] = json!({"type": "decimal", "scale": 3}));
    let expected = "forms/card/fields/amount: records hold a number too great for so many places (3)";
    assert_eq!(blocked(decimal).await, [expected], "10^18 units are the most");
    let choice = with_card(|fields| fields["title"] = json!({"type": "choice", "options": {"open": {}, "shut": {}}}));
    assert_eq!(
        blocked(choice).await,
        ["forms/card/fields/title: records hold text that is no option (1)"],
        "that is `t`"
    );
    let choice = with_card(|fields| fields["title"] = json!({"type": "choice", "options": {"open": {}, "t": {}}}));
    assert_eq!(blocked(choice.clone()).await, [""; 0]);
    world.deploy(choice).await;
    assert_eq!(field(&world, "title").await, text("t"));
}

async fn values_follow_a_renamed_option(world: Arc<World>) {
    let forms = |options: Json| {
        let choice = json!({"type": "choice", "options": options});
        json!({
            "kind": {"label": "Kind", "fields": {"state": choice}},
            "card": {"label": "Card", "fields": {
                "state": choice,
                "kind": {"type": "link", "to": "kind"},
                "seen": {"type": "lookup", "via": "kind", "field": "state", "snapshot": "on_create"},
                "lines": {"type": "table", "fields": {"state": choice}}
            }}
        })
    };
    let old = forms(json!({"open": {}, "shut": {}}));
    world.deploy(old.clone()).await;
    let pack = world.pack();
    let line = |id: u128, state: &str| Row { id: Uuid::from_u128(id), values: vec![text(state)] };
    world.create("kind", vec![new_record(&pack, "kind", 1, &[("state", text("shut"))])]).await;
    let values = [
        ("state", text("shut")),
        ("kind", Value::Id(Uuid::from_u128(1))),
        ("seen", text("shut")),
        ("lines", Value::Rows(vec![line(20, "open"), line(21, "shut")])),
    ];
    world.create("card", vec![new_record(&pack, "card", 2, &values)]).await;
    let held = async || {
        let values = card(&world).await.values;
        let rows = values[3].rows().iter().map(|row| row.values[0].clone());
        [values[0].clone(), values[2].clone()].into_iter().chain(rows).collect::<Vec<_>>()
    };
    let wanted = forms(json!({"open": {}, "closed": {"was": ["shut"]}}));
    let told = world.store.migration(Some(&pack), &pack_with(wanted.clone())).await.unwrap();
    let renamed: Vec<_> = told.steps.iter().filter(|step| step.class == ChangeClass::Rename).collect();
    let at: Vec<_> = renamed.iter().map(|step| (step.at.as_str(), step.rows)).collect();
    let expected = ["kind/fields/state", "card/fields/state", "card/fields/seen", "card/fields/lines/fields/state"];
    let expected = expected.map(|at| format!("forms/{at}/options/closed"));
    let mut sorted = (at.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected.each_ref().map(|at| at.as_str()));
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
    assert!(at.iter().all(|(_, rows)| *rows == 1), "{at:?}");
    world.deploy(wanted).await;
    assert_eq!(held().await, ["closed", "closed", "open", "closed"].map(text));
    world.deploy(old).await;
    assert_eq!(held().await, ["shut", "shut", "open", "shut"].map(text), "taken back");
}

async fn a_stored_look_up_is_filled_and_what_no_statement_can_say_is_told(world: Arc<World>) {
    fill(&world).await;
    let more = with_card(|fields| {
        let seen = json!({"type": "lookup", "via": "place", "field": "name", "snapshot": "on_create"});
        fields.insert("seen".to_owned(), seen);
        let clock = json!({"type": "date", "compute": "today", "stored": true});
        fields.insert("clock".to_owned(), clock);
    });
    let told = world.store.migration(Some(&world.pack()), &pack_with(more.clone())).await.unwrap();
    assert_eq!(told.later, ["forms/card/fields/clock"]);
    let filled: Vec<_> = told.steps.iter().filter(|step| step.class == ChangeClass::Backfill).collect();
    assert_eq!(
        filled.iter().map(|step| (step.at.as_str(), step.rows)).collect::<Vec<_>>(),
        [("forms/card/fields/seen", 2)]
    );
    world.deploy(more).await;
    assert_eq!((field(&world, "seen").await, field(&world, "clock").await), (text("p"), Value::Null));
    let unlinked = world.get("card", Uuid::from_u128(3)).await.unwrap();
    assert_eq!(value(&world.pack(), "card", &unlinked, "seen"), &Value::Null);
}

async fn twins_are_counted_before_a_unique_is_made(world: Arc<World>) {
    let pack = world.pack();
    let card = |id: u128, title: Value, amount: i64| {
        new_record(&pack, "card", id, &[("title", title), ("amount", Value::Integer(amount))])
    };
    let cards = [
        card(1, text("a"), 1),
        card(2, text("a"), 2),
        card(3, text("a"), 1),
        card(4, text("b"), 1),
        card(5, Value::Null, 1),
        card(6, Value::Null, 1),
    ];
    world.create("card", cards.to_vec()).await;
    let unique = |filter: Option<&str>| {
        let mut forms = first();
        forms["card"]["unique"] = json!({"title": {"fields": ["title"]}});
        if let Some(filter) = filter {
            forms["card"]["unique"]["title"]["where"] = json!(filter);
        }
        Arc::new(pack_with(forms))
    };
    let told = async |wanted: &Pack| {
        let told = world.store.migration(Some(&world.pack()), wanted).await.unwrap();
        told.blocked.into_iter().map(|blocked| (blocked.at, blocked.message)).collect::<Vec<_>>()
    };
    let at = "forms/card/unique/title".to_owned();
    let message = |count: u32| format!("records hold what another one holds, too ({count})");
    assert_eq!(told(&unique(None)).await, [(at.clone(), message(3))], "nulls are distinct");
    assert_eq!(told(&unique(Some("amount == 1"))).await, [(at, message(2))]);
    assert_eq!(told(&unique(Some("amount > 1"))).await, []);

    // Whoever does not look is stopped, and nothing is left half done.
    let forced = deploy(&*world.store, Some(&world.pack()), &unique(None), &[], at_second(1)).await;
    assert!(matches!(forced, Err(DeployFailure::Blocked(_))), "{forced:?}");
    world.deploy(first()).await;
}

async fn of_two_deployments_at_once_one_is_stale(world: Arc<World>) {
    // Rules alone: no statement shows that the other was there.
    let (one, other) = (with_label("One"), with_label("Other"));
    let deployed = world.pack();
    let digest = async |wanted: &Pack| world.store.migration(Some(&deployed), wanted).await.unwrap().digest;
    let (digest_of_one, digest_of_other) = (digest(&one).await, digest(&other).await);
    let deploy = |wanted, digest| Deploy {
        deployed: Some(&deployed),
        wanted,
        digest,
        files: &[],
        seeds: Vec::new(),
        at: at_second(1),
        audit: None,
    };
    let (first, second) = tokio::join!(
        world.store.deploy(deploy(&one, &digest_of_one)),
        world.store.deploy(deploy(&other, &digest_of_other))
    );
    let stale = |result: &Result<i64, DeployFailure>| matches!(result, Err(DeployFailure::Stale));
    assert!(first.is_ok() != second.is_ok() && (stale(&first) || stale(&second)), "{first:?} {second:?}");
    let newest = &world.store.deployments().await.unwrap()[0];
    assert_eq!(newest.hash == *one.hash(), first.is_ok());
    assert_eq!(world.store.newest_deployment().await.unwrap(), newest.number);

    // The statements, too, must be those that were looked at.
    let now = if first.is_ok() { one.clone() } else { other.clone() };
    let wanted = Arc::new(pack_with(with_card(|fields| {
        fields.insert("more".to_owned(), json!({"type": "text"}));
    })));
    let unseen = Deploy { deployed: Some(&now), wanted: &wanted, ..deploy(&wanted, "another digest") };
    assert!(stale(&world.store.deploy(unseen).await));
}

/// A link that is hidden moves to another column on SQLite: what is decided by the old pack must not be written.
async fn a_stimulus_of_an_older_pack_is_turned_away(world: Arc<World>) {
    fill(&world).await;
    let old = world.pack();
    world.deploy(with_card(|fields| drop(fields.remove("place")))).await;
    let new = world.pack();
    *world.pack.lock().unwrap() = old.clone();
    let late = world.run(move |_| Ok(created("card", &[new_record(&old, "card", 77, &[])]))).await;
    assert!(matches!(late, Err(Failure::Outdated)), "{late:?}");
    let puzzled = world.run(|_| Err(Stop::Fault("an instance of a pack nobody here knows".to_owned()))).await;
    assert!(matches!(puzzled, Err(Failure::Outdated)), "{puzzled:?}");
    *world.pack.lock().unwrap() = new;
    assert_eq!(world.get("card", Uuid::from_u128(77)).await, None);
}

async fn running_instances_are_counted(world: Arc<World>) {
    let instance = |id: u128, workflow: &str, status| Instance {
        id: Uuid::from_u128(id),
        workflow: workflow.into(),
        pack_hash: "some".to_owned(),
        record: None,
        key: id.to_string(),
        status,
        started_at: at_second(1),
        started_by: None,
        revision: 1,
        state: State::default(),
    };
    let (running, completed) = (InstanceStatus::Running, InstanceStatus::Completed);
    let instances = vec![
        instance(1, "a", running),
        instance(2, "a", running),
        instance(3, "a", completed),
        instance(4, "b", running),
    ];
    let write = move |_: &Facts| Ok(ChangeSet { instances: instances.clone(), ..Default::default() });
    world.run(write).await.unwrap();
    assert_eq!(world.store.running("lab").await.unwrap(), [("a".into(), 2), ("b".into(), 1)]);
    assert_eq!(world.store.running("other").await.unwrap(), []);
}

async fn a_series_number_is_given_once(world: Arc<World>) {
    let forms = with_card(|fields| {
        fields.insert("no".to_owned(), json!({"type": "series", "pattern": "C{seq:3}"}));
    });
    world.deploy(forms).await;
    let pack = world.pack();
    let numbered = |id: u128| new_record(&pack, "card", id, &[("no", text("C001"))]);
    world.create("card", vec![numbered(1)]).await;
    let twin = numbered(2);
    let again = world.run(move |_| Ok(created("card", std::slice::from_ref(&twin)))).await;
    let Err(Failure::Rejected(rejection)) = again else { panic!("{again:?}") };
    assert_eq!((rejection.errors[0].code.as_str(), rejection.errors[0].pointer.as_str()), ("unique", "/no"));
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
    let wanted = pack_with(with_card(|fields| {
        fields.insert("level".to_owned(), json!({"type": "text", "required": true, "default": "low"}));
        fields.remove("amount");
    }));
    let told = world.store.migration(Some(&world.pack()), &wanted).await.unwrap();
    let steps: Vec<_> = told.steps.iter().map(|step| (step.class, step.at.as_str(), step.rows)).collect();
    let level = "forms/card/fields/level";
    assert_eq!(
        steps,
        [
            (ChangeClass::Add, level, 2),
            (ChangeClass::Hide, "forms/card/fields/amount", 2),
            (ChangeClass::Backfill, level, 2),
            (ChangeClass::Add, "catalogue", 0),
        ]
    );
    let sql = &told.steps[0].sql[0];
    assert!(sql.starts_with("ALTER TABLE \"lab_card\" ADD COLUMN \"level\""), "{sql}");
    let again = world.store.migration(Some(&world.pack()), &world.pack()).await.unwrap();
    assert_eq!(again.steps, [], "nothing to do");
}

async fn deployments_are_kept_with_their_files(world: Arc<World>) {
    let found = world.store.deployments().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].number, &*found[0].pack, found[0].version.as_str()), (1, "lab", "1.0.0"));
    assert_eq!((found[0].hash.as_str(), found[0].at), (world.pack().hash().as_str(), at_second(0)));
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
