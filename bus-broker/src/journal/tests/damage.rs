//! Damaged files: what they cost.

use std::time::{Duration, Instant};

use super::super::doubt::Doubt;
use super::super::intake::Outcome;
use super::super::writer::{Say, Writer};
use super::super::{JournalConfig, JournalError, Offline};
use super::*;

/// The folders of keyspaces: their numbers are in the order in which they are made.
const ENTRIES: &str = "1";
const CATALOG: &str = "2";
const POSITIONS: &str = "5";

fn filled(entries: u64) -> World {
    let mut world = World::new();
    for number in 0..entries {
        let mut arrivals = [Arrival {
            draft: draft("web", 9, number * 2, 2),
            is_durable: true,
            refusal: None,
            owner: None,
            first: None,
        }];
        world.book().append(&mut arrivals, 1_000 + number).unwrap();
    }
    world.book().store.sync().unwrap();
    world
}

fn reopen_damaged(world: &mut World, damage: impl FnOnce(&Path)) {
    world.book = None;
    damage(&world.dir);
    world.open();
}

fn sequences(world: &mut World) -> Vec<u64> {
    let known = [Topic::new("web").unwrap()];
    let book = world.book();
    let all = items(book, &[], &known, book.next + 1);
    all.iter()
        .filter(|(_, to, _)| *to == 0)
        .map(|(_, _, sequence)| *sequence)
        .collect()
}

/// Turns a bit in the payload of the entry that holds this text.
fn damage(file: &Path, text: &str) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes
        .windows(text.len())
        .position(|w| w == text.as_bytes())
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// Makes nonsense of files without which the database does not open.
fn spoil(dir: &Path) {
    for item in std::fs::read_dir(dir.join("store/keyspaces/1")).unwrap() {
        let path = item.unwrap().path();
        if path.is_file() {
            std::fs::write(path, b"nonsense").unwrap();
        }
    }
}

#[test]
fn a_damaged_place_in_the_newest_file_costs_that_entry_alone() {
    let mut world = filled(20);
    reopen_damaged(&mut world, |dir| {
        damage(&dir.join("store/0.jnl"), "{\"msg\":\"12\"}")
    });
    let expected: Vec<u64> = (0..20).map(|n| n * 2).filter(|n| *n != 12).collect();
    assert_eq!(sequences(&mut world), expected);
    for topics in [vec![], vec![TopicFilter::parse("web").unwrap()]] {
        let wanted = Wanted {
            topics,
            until: 20,
            since: 0,
            most: 100,
        };
        let known = [Topic::new("web").unwrap()];
        let chunk = world.book().store.read(0, &wanted, &known).unwrap();
        let gap = super::super::read::Gap {
            from: 6,
            to: 7,
            records: 0,
            cause: Cause::Damage,
        };
        assert_eq!(chunk.items[6], Item::Gone(gap));
    }
    let mut arrivals = [Arrival {
        draft: draft("web", 9, 38, 2),
        is_durable: true,
        refusal: None,
        owner: None,
        first: None,
    }];
    let placed = world.book().append(&mut arrivals, 5_000).unwrap();
    assert_eq!(
        placed[0].offset, None,
        "the sender's last message is still known"
    );
}

#[test]
fn a_half_written_end_costs_nothing_that_was_whole() {
    let mut world = filled(5);
    reopen_damaged(&mut world, |dir| {
        let path = dir.join("store/0.jnl");
        let bytes = std::fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        std::fs::write(&path, &bytes[..used - 3]).unwrap();
    });
    assert_eq!(sequences(&mut world), [0, 2, 4, 6, 8]);
}

#[test]
fn files_that_do_not_open_are_set_aside_and_what_is_whole_is_saved() {
    let mut world = filled(30);
    note(world.book(), 7);
    world.book().store.compact().unwrap();
    reopen_damaged(&mut world, spoil);
    let expected: Vec<u64> = (0..30).map(|n| n * 2).collect();
    assert_eq!(sequences(&mut world), expected);
    let consumer = world.book().store.consumer("reader").unwrap().unwrap();
    assert_eq!(consumer.below, 7);
}

#[test]
fn offsets_that_readers_may_have_seen_before_a_power_cut_are_not_given_again_whoever_looks_first() {
    for (fsync, is_left_out) in [("always", false), ("interval", true), ("", true)] {
        let mut world = filled(3);
        world.book = None;
        std::fs::write(world.dir.join("open"), format!("another-start {fsync}")).unwrap();
        let looked = Offline::open(&world.dir).unwrap();
        assert_eq!(looked.notices().len(), usize::from(is_left_out), "{fsync}");
        drop(looked);
        let (book, _) = rescue::open(&world.dir, Fsync::Never, None).unwrap();
        assert_eq!(book.next > 1000, is_left_out, "{fsync}");
    }
}

#[test]
fn no_damage_in_the_newest_file_costs_anything_after_a_proper_end() {
    let mut world = filled(20);
    note(world.book(), 7);
    world.book = None;
    drop(Offline::open(&world.dir).unwrap());
    let ended = world.dir.clone();
    let length = rescue::used(&std::fs::read(ended.join("store/0.jnl")).unwrap());
    for (number, at) in (0..length).step_by(length / 12).enumerate() {
        world.dir = world.root.path().join(format!("damaged-{number}"));
        copy(&ended, &world.dir);
        let file = world.dir.join("store/0.jnl");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[at] ^= 0x80;
        std::fs::write(file, bytes).unwrap();
        world.open();
        let expected: Vec<u64> = (0..20).map(|number| number * 2).collect();
        assert_eq!(sequences(&mut world), expected, "byte {at}");
        assert_eq!(world.book().next, 20, "byte {at}");
        let consumer = world.book().store.consumer("reader").unwrap().unwrap();
        assert_eq!(consumer.below, 7, "byte {at}");
        world.book = None;
        std::fs::remove_dir_all(&world.dir).unwrap();
    }
}

#[test]
fn a_rescue_that_is_interrupted_at_any_step_loses_nothing() {
    let mut world = filled(2);
    note(world.book(), 1);
    world.book().store.compact().unwrap();
    world.book = None;
    let spoiled = world.dir.clone();
    spoil(&spoiled);
    for step in 0.. {
        let names = ["whole", "interrupted"].map(|name| format!("{name}-{step}"));
        let [whole, interrupted] = names.map(|name| world.root.path().join(name));
        copy(&spoiled, &whole);
        world.dir = whole;
        *world.plan.lock().unwrap() = Some((step, interrupted.clone()));
        world.open();
        world.book = None;
        if world.plan.lock().unwrap().take().is_some() {
            assert!(step > 8, "a rescue has steps");
            break;
        }
        world.dir = interrupted;
        world.open();
        assert_eq!(sequences(&mut world), [0, 2], "after step {step}");
        let consumer = world.book().store.consumer("reader").unwrap().unwrap();
        assert_eq!(consumer.below, 1, "after step {step}");
        let names = std::fs::read_dir(&world.dir).unwrap();
        let names = names.map(|item| item.unwrap().file_name().into_string().unwrap());
        let aside = names.filter(|name| name.starts_with("damaged-"));
        assert_eq!(aside.count(), 1, "after step {step}");
        world.book = None;
        for dir in [&spoiled.with_file_name(format!("whole-{step}")), &world.dir] {
            std::fs::remove_dir_all(dir).unwrap();
        }
    }
}

/// Turns a bit in the first block of each table of a keyspace.
fn damage_table(dir: &Path, keyspace: &str) {
    let tables = dir.join("store/keyspaces").join(keyspace).join("tables");
    for item in std::fs::read_dir(tables).unwrap() {
        let path = item.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[200] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_damaged_table_does_not_stop_what_is_to_be_written() {
    // After a crash it is met when the journal is opened, else by whoever comes by it.
    for (keyspace, has_crashed) in [(CATALOG, false), (POSITIONS, false), (CATALOG, true)] {
        let mut world = filled(500);
        world.book().store.compact().unwrap();
        world.book = None;
        if !has_crashed {
            rescue::closed(&world.dir);
        }
        damage_table(&world.dir, keyspace);
        let (told, tells) = crossbeam_channel::unbounded();
        let say: Say = Arc::new(move |line| told.send(line.to_owned()).unwrap());
        let mut config = JournalConfig::new(&world.dir);
        config.limits.max_bytes = Some(100 * OVERHEAD);
        let writer = Writer::start(&config, say, Box::new(|| {}), None).unwrap();
        writer.intake.append(draft("web", 9, 998, 3));
        let patience = Duration::from_secs(60);
        if !has_crashed {
            let line = tells.recv_timeout(patience).unwrap();
            let stops = "the journal cannot be written: damaged: ";
            assert!(line.starts_with(stops), "{line}");
        }
        let line = tells.recv_timeout(patience).unwrap();
        let saved = "the journal was damaged: 50";
        assert!(
            line.starts_with(saved) && line.contains("saved, 0 are lost"),
            "{line}"
        );
        let outcome = writer.outcomes.recv_timeout(patience);
        let Ok(Outcome::Placed(placed)) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((placed.offset, placed.next), (Some(500), 1001));
        writer.close();
    }
}

#[test]
fn damage_that_nobody_told_of_is_found_when_the_database_ends_without_a_reason() {
    let mut world = filled(500);
    world.book().store.compact().unwrap();
    world.book = None;
    damage_table(&world.dir, ENTRIES);
    world.open();
    let (mut doubt, now) = (Doubt::default(), Instant::now());
    let store = world.book().store.clone();
    doubt.meet(&JournalError::Disk(std::io::ErrorKind::StorageFull.into()));
    assert!(!doubt.finds_damage(&store, now), "a full disk is none");
    doubt.meet(&JournalError::Closed);
    assert!(doubt.finds_damage(&store, now) && !doubt.is_certain());
    drop((store, world.book.take()));
    let (book, rescued) = rescue::open_anew(&world.dir, Fsync::Always, None).unwrap();
    // What the table had is in a write-ahead file still.
    assert!(rescued.set_aside.is_some(), "{rescued:?}");
    assert_eq!((rescued.restored, rescued.lost), (500, 0));
    book.store.read_through().unwrap();
}

#[test]
fn damage_is_told_after_the_start_though_nobody_reads() {
    let mut world = filled(20);
    world.book().store.compact().unwrap();
    world.book = None;
    let tables = world.dir.join("store/keyspaces/1/tables");
    let table = std::fs::read_dir(tables).unwrap().next().unwrap().unwrap();
    damage(&table.path(), "{\"msg\":\"12\"}");
    let said = Arc::<Mutex<Vec<String>>>::default();
    let lines = said.clone();
    let say: Say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    let config = JournalConfig::new(&world.dir);
    let writer = Writer::start(&config, say, Box::new(|| {}), None).unwrap();
    let is_told = |line: &String| {
        line.starts_with("damaged places in the journal: 1; they cost ")
            && line.ends_with("names them")
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !said.lock().unwrap().iter().any(is_told) {
        assert!(Instant::now() < deadline, "{:?}", said.lock().unwrap());
        std::thread::yield_now();
    }
    // Small messages lie in blocks, which are whole or are not.
    let found = writer.close().found_damaged;
    assert!((1..=20).contains(&found), "{found}");
}
