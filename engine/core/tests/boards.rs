//! What a board tells of its record, and by what its tiles may be narrowed: nothing that its reader does not read. Each
//! of the two guards is tried without the other.

mod support;

use formwork_core::access::{Around, narrowed};
use formwork_core::{Viewer, questions};
use formwork_model::pack::analytics::TileKind;
use serde_json::{Value as Json, json};
use support::World;
use support::desk::files;
use uuid::Uuid;

/// A person's board: a list narrowed by the name, which analysts read masked, and by the tier, which they read.
fn world() -> World {
    let mut files = files();
    let list = |filter: &str| json!({"type": "list", "form": "ticket", "view": "open", "where": filter});
    files.push((
        "boards/page.json",
        json!({"label": "Page", "for": "person", "tiles": {
            "named": list("subject == record.name"), "tiered": list("subject == record.tier")}}),
    ));
    World::new(&files)
}

fn told(world: &mut World, viewer: &Viewer, person: Uuid) -> Json {
    let (pack, at) = (world.pack.clone(), world.at);
    world.ask(|facts| questions::board(&pack, viewer, &pack.boards()["page"], person, at, facts)).unwrap()
}

#[test]
fn values_that_narrow_tiles_are_those_the_reader_reads() {
    let mut world = world();
    let (agent, analyst) = (world.person("ann", &["agent"], &["a"]), world.person("nell", &["analyst"], &[]));
    let person = world.create(&agent, "person", json!({"name": "Wang", "tier": "gold"})).unwrap();
    let tier = json!({"t": "text", "v": "gold"});
    assert_eq!(told(&mut world, &agent, person)["values"], json!({"name": {"t": "text", "v": "Wang"}, "tier": tier}));
    assert_eq!(told(&mut world, &analyst, person)["values"], json!({"tier": tier}));
}

#[test]
fn a_tile_is_not_narrowed_by_what_its_reader_does_not_read() {
    let mut world = world();
    let (agent, analyst) = (world.person("ann", &["agent"], &["a"]), world.person("nell", &["analyst"], &[]));
    let person = world.create(&agent, "person", json!({"name": "Wang", "tier": "gold"})).unwrap();
    // What an agent was told: even with it at hand, nothing is asked on behalf of an analyst.
    let around = Around::of(&"person".into(), person, &told(&mut world, &agent, person));
    let asked = |viewer: &Viewer, tile: &str| match &world.pack.boards()["page"].tiles[tile].kind {
        TileKind::List { filter: Some(filter), .. } => {
            let narrowed = narrowed(&world.pack, viewer, filter, Some(&around));
            narrowed.map(|narrowed| narrowed.source().unwrap().to_owned())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&agent, "named").as_deref(), Some("subject == 'Wang'"));
    assert_eq!(asked(&analyst, "named"), None);
    assert_eq!(asked(&analyst, "tiered").as_deref(), Some("subject == 'gold'"));
}
