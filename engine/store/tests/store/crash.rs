//! A reply was preceded by its durable commit: what was answered before the power failed is there afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use formwork_core::change::ChangeSet;
use formwork_core::{Facts, Record};
use formwork_store::sqlite::{Durability, Options};
use formwork_store::testing::crash::{self, Trouble};
use formwork_store::{Failure, SqliteStore, Store};
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, created, new_record, record, text};

/// One disk has trouble at a time.
static DISK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Creates records as fast as it can, pulls the plug five times, and tells how many answered records were lost.
async fn lost_after_power_failures(durability: Durability) -> usize {
    let options = Options { durability, vfs: Some(crash::vfs()), ..Default::default() };
    let world = World::sqlite_in(tempfile::tempdir().unwrap(), options, everything()).await;
    let (answered, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let mut under_way = tokio::task::JoinSet::new();
    for caller in 0..16_u128 {
        let (world, answered, stop) = (world.clone(), answered.clone(), stop.clone());
        under_way.spawn(async move {
            let pack = world.pack();
            for number in 0.. {
                let site = new_record(&pack, "site", caller * 1_000_000 + number + 1, &[("name", text("s"))]);
                let id = site.id;
                world.create("site", vec![site]).await;
                answered.lock().unwrap().push(id);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
    }
    let mut lost = 0;
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        let sure: Vec<Uuid> = answered.lock().unwrap().clone();
        assert!(!sure.is_empty());
        let image = tempfile::tempdir().unwrap();
        crash::image(world.folder.as_ref().unwrap().path(), image.path()).unwrap();
        let found = survivors(&world, image.path()).await;
        lost += sure.iter().filter(|id| !found.contains(id)).count();
    }
    stop.store(true, Ordering::Relaxed);
    under_way.join_all().await;
    lost
}

/// What a server finds that starts after the failure. The change log and the records are of the same commits.
async fn survivors(world: &World, folder: &std::path::Path) -> Vec<Uuid> {
    let store = SqliteStore::open(folder, Options::default()).unwrap();
    let sorted = |mut ids: Vec<Uuid>| {
        ids.sort_unstable();
        ids
    };
    let Ok((_, records)) = store.scan(&world.pack(), "site").await else { return Vec::new() };
    let found = sorted(records.iter().map(|record: &Record| record.id).collect());
    let changes = store.changes(0, 1_000_000).await.unwrap();
    assert_eq!(found, sorted(changes.iter().map(|change| change.id).collect()));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_power_failure() {
    let syncs = crash::syncs();
    assert_eq!(lost_after_power_failures(Durability::Full).await, 0);
    assert!(crash::syncs() > syncs);
}

/// The test above can fail: it sees what a store loses that does not sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_durability_answered_records_are_lost() {
    assert!(lost_after_power_failures(Durability::Off).await > 0);
}

/// A commit that fails fails everybody who waits for it; the next one succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_fails_everybody_in_it() {
    let _alone = DISK.lock().await;
    let options = Options { vfs: Some(crash::vfs()), ..Default::default() };
    let world = World::sqlite_in(tempfile::tempdir().unwrap(), options, everything()).await;
    let pack = world.pack();
    let folder = world.folder.as_ref().unwrap().path().to_owned();
    crash::trouble(Some((&folder, Trouble::Syncs)));
    let mut under_way = tokio::task::JoinSet::new();
    for number in 1..=10 {
        let (world, site) = (world.clone(), new_record(&pack, "site", number, &[]));
        under_way.spawn(async move { world.run(move |_| Ok(created("site", std::slice::from_ref(&site)))).await });
    }
    let answers = under_way.join_all().await;
    crash::trouble(None);
    assert!(answers.iter().all(|answer| matches!(answer, Err(Failure::Fault(_)))), "{answers:?}");
    assert_eq!(world.store.scan(&pack, "site").await.unwrap().1, []);
    world.create("site", vec![new_record(&pack, "site", 11, &[])]).await;
    assert_eq!(world.store.scan(&pack, "site").await.unwrap().1.len(), 1);
}

/// The disk fails inside one job of a batch: what the others of the batch wrote is not committed either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_in_the_middle_fails_the_whole_batch() {
    for trouble in [Trouble::Reads, Trouble::Full] {
        let _alone = DISK.lock().await;
        let options = || Options { vfs: Some(crash::vfs()), ..Default::default() };
        let world = World::sqlite_in(tempfile::tempdir().unwrap(), options(), everything()).await;
        let pack = world.pack();
        // Opened again, so that the page is not at hand.
        let world = world.reopened(options()).await;
        let folder = world.folder.as_ref().unwrap().path().to_owned();

        // The writer stands still with the first job until all others wait: they are one batch.
        let (go_on, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let (stands, stands_still) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let world = world.clone();
            async move {
                let wait = move |_: &Facts| {
                    stands.send(()).unwrap();
                    let _ = gate.lock().unwrap().recv();
                    Ok(ChangeSet::default())
                };
                world.run(wait).await
            }
        });
        tokio::task::spawn_blocking(move || stands_still.recv().unwrap()).await.unwrap();
        let mut under_way = tokio::task::JoinSet::new();
        for number in 1..=9_u128 {
            let (world, folder, site) = (world.clone(), folder.clone(), new_record(&pack, "site", number, &[]));
            under_way.spawn(async move {
                let plan = move |facts: &Facts| {
                    if number == 5 && facts.records.is_empty() {
                        crash::trouble(Some((&folder, trouble)));
                        record(facts, "thing", Uuid::from_u128(1))?;
                    }
                    if number == 6 && trouble == Trouble::Reads {
                        // It was a passing trouble: the commit would succeed. A full disk shows when it comes to that.
                        crash::trouble(None);
                    }
                    Ok(created("site", std::slice::from_ref(&site)))
                };
                world.run(plan).await
            });
            // In this order into the queue.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        drop(go_on);
        let answers = under_way.join_all().await;
        first.await.unwrap().unwrap();
        crash::trouble(None);
        assert!(answers.iter().all(|answer| matches!(answer, Err(Failure::Fault(_)))), "{trouble:?} {answers:?}");
        assert_eq!(world.store.scan(&pack, "site").await.unwrap().1, [], "{trouble:?}");
        world.create("site", vec![new_record(&pack, "site", 11, &[])]).await;
        assert_eq!(world.store.scan(&pack, "site").await.unwrap().1.len(), 1);
    }
}
