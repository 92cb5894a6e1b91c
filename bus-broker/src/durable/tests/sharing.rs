//! Durable subscriptions: where they go on, and how several share one.

use std::collections::BTreeSet;

use super::*;
use crate::{Limits, ask_consumers};

fn filled(dir: &Path, count: u64) -> World {
    let world = start(dir);
    let mut client = world.client();
    for number in 0..count {
        client.publish("web", 7, number, 1);
    }
    client.acked(count);
    world
}

/// Ten messages, of which a durable subscription has done four.
fn half_done(dir: &Path, name: &str, share: bool) -> (World, Client) {
    let world = filled(dir, 10);
    let mut reader = world.client();
    reader.read(named(name, share, 4));
    for _ in 0..4 {
        reader.entry();
    }
    done(&mut reader, 4);
    (world, reader)
}

fn done(client: &mut Client, below: u64) {
    client.say(Command::Done(Done {
        read: 1,
        below,
        also: Vec::new(),
    }));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "nothing is noted");
        match client.hear() {
            Command::Noted(at) if at.offset >= below => return,
            Command::Noted(_) | Command::Live(_) => {}
            other => panic!("not noted but {other:?}"),
        }
    }
}

#[test]
fn a_subscription_goes_on_where_it_stopped_though_the_broker_ended_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let world = filled(dir.path(), 20);
    let mut reader = world.client();
    reader.read(named("audit", false, 8));
    for number in 0..8 {
        let (entry, sequence) = reader.entry();
        assert_eq!((sequence, entry.again), (number, false));
    }
    done(&mut reader, 5);
    drop(reader);
    let mut reader = world.client();
    reader.read(named("audit", false, 4));
    for number in 5..9 {
        let (entry, sequence) = reader.entry();
        assert_eq!((sequence, entry.again), (number, number < 8));
    }
    done(&mut reader, 7);
    world.close();
    let world = start(dir.path());
    let mut reader = world.client();
    reader.read(named("audit", false, 100));
    let (entry, sequence) = reader.entry();
    assert_eq!((sequence, entry.again), (7, true));
    for number in 8..20 {
        assert_eq!(reader.entry().1, number);
    }
    world.close();
}

#[test]
fn several_share_the_work_and_one_that_goes_leaves_its_part_to_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let world = filled(dir.path(), 60);
    let mut readers: Vec<Client> = (0..3).map(|_| world.client()).collect();
    for reader in &mut readers {
        reader.read(named("work", true, 10));
    }
    let mut had: Vec<Vec<u64>> = Vec::new();
    for reader in &mut readers {
        had.push((0..10).map(|_| reader.entry().1).collect());
    }
    let different: BTreeSet<u64> = had.iter().flatten().copied().collect();
    assert_eq!(different, (0..30).collect());
    // One has done nothing and is killed; the others have done all.
    drop(readers.remove(0));
    let left = had.remove(0);
    for (reader, had) in readers.iter_mut().zip(&had) {
        reader.say(Command::Done(Done {
            read: 1,
            below: 0,
            also: had.clone(),
        }));
        reader.say(Command::More(More {
            read: 1,
            credit: 50,
        }));
    }
    let mut again = BTreeSet::new();
    let mut new = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while again.len() + new.len() < 40 {
        assert!(Instant::now() < deadline, "again {again:?}, new {new:?}");
        for reader in &mut readers {
            while let Some(message) = reader.caller.receive().unwrap() {
                let command = Command::decode(&message.frames()[0]).unwrap();
                if let Command::Entry(entry) = command {
                    let set = if entry.again { &mut again } else { &mut new };
                    assert!(set.insert(entry.offset));
                }
            }
        }
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
    }
    assert_eq!(again, left.into_iter().collect());
    assert_eq!(new, (30..60).collect());
    world.close();
}

#[test]
fn a_name_that_is_not_shared_has_one_reader() {
    let dir = tempfile::tempdir().unwrap();
    let world = filled(dir.path(), 3);
    let mut first = world.client();
    first.read(named("audit", false, 10));
    assert_eq!(first.entry().1, 0);
    let mut second = world.client();
    second.read(named("audit", false, 10));
    let refused = second.hear();
    assert!(
        matches!(&refused, Command::Refused(r) if r.code == "name" && r.read == 1),
        "{refused:?}"
    );
    drop(first);
    second.read(named("audit", false, 10));
    let (entry, sequence) = second.entry();
    assert_eq!((sequence, entry.again), (0, true));
    world.close();
}

#[test]
fn a_subscription_that_comes_too_late_is_told_exactly_what_it_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (world, reader) = half_done(dir.path(), "audit", false);
    drop(reader);
    world.close();
    let world = forgetful(dir.path());
    let mut reader = world.client();
    reader.read(named("audit", false, 100));
    let told = loop {
        match reader.hear() {
            Command::Noted(_) => {}
            other => break other,
        }
    };
    assert_eq!(told, Command::Gone(gone(4, 10, 6)));
    assert_eq!(lost_by(&world, "audit"), 6);
    assert_eq!(world.close().journal.unwrap().deleted["*"], 10);
}

#[test]
fn what_those_who_share_have_lost_is_told_to_one_of_them_and_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let (world, reader) = half_done(dir.path(), "work", true);
    drop(reader);
    world.close();
    // It is told again after each start, because nobody has gone by it, and still counted once.
    for _ in 0..2 {
        let world = forgetful(dir.path());
        let mut readers: Vec<Client> = (0..2).map(|_| world.client()).collect();
        for reader in &mut readers {
            reader.read(named("work", true, 100));
        }
        let mut told = Vec::new();
        let mut hear = |told: &mut Vec<Command>| {
            for reader in &mut readers {
                while let Some(message) = reader.caller.receive().unwrap() {
                    let command = Command::decode(&message.frames()[0]).unwrap();
                    if matches!(command, Command::Gone(_)) {
                        told.push(command);
                    }
                }
            }
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while told.is_empty() {
            assert!(Instant::now() < deadline, "nobody is told");
            hear(&mut told);
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
        }
        assert_eq!(lost_by(&world, "work"), 6);
        hear(&mut told);
        assert_eq!(told, [Command::Gone(gone(4, 10, 6))]);
        world.close();
    }
}

/// A broker that deletes everything, and has done so.
fn forgetful(dir: &Path) -> World {
    let mut config = config(dir);
    if let Some(durable) = &mut config.durable {
        durable.journal.limits = Limits {
            max_age: Some(Duration::from_millis(1)),
            ..Limits::default()
        };
    }
    let world = start_as(config);
    let mut reader = world.client();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        reader.read(all(From::Offset(0)));
        if reader.hear() == Command::Gone(gone(0, 10, 10)) {
            break;
        }
        assert!(Instant::now() < deadline, "limits are kept");
        while !matches!(reader.hear(), Command::End(_)) {}
    }
    world
}

/// What the broker tells of a subscription, as soon as it knows that something was lost.
fn lost_by(world: &World, name: &str) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask_consumers(&world.endpoint(), None, None, Duration::from_secs(20));
        let (all, _) = answer.unwrap().unwrap();
        let lost = all.iter().find(|one| one.name == name).unwrap().lost;
        if lost > 0 {
            return lost;
        }
        assert!(Instant::now() < deadline, "nothing is counted");
    }
}

#[test]
fn a_running_broker_tells_of_subscriptions_and_forgets_what_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut reader) = half_done(dir.path(), "audit", false);
    let ask = |forget| {
        let answer = ask_consumers(&world.endpoint(), None, forget, Duration::from_secs(20));
        answer.unwrap().unwrap()
    };
    let (all, _) = ask(None);
    assert_eq!(
        (&*all[0].name, all[0].offset, all[0].lag),
        ("audit", 4, (6, 6))
    );
    assert!(!ask(Some("audit")).1, "somebody reads it");
    assert!(!ask(Some("nobody")).1);
    reader.say(Command::Stop(Stop { read: 1 }));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ask(Some("audit")).1 {
        assert!(Instant::now() < deadline, "nobody reads it");
    }
    reader.read(named("audit", false, 4));
    assert_eq!(reader.entry().1, 0, "it begins anew");
    world.close();
}

#[test]
fn what_was_done_in_an_earlier_connection_is_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let world = filled(dir.path(), 10);
    let mut reader = world.client();
    reader.read(named("audit", false, 6));
    for _ in 0..6 {
        reader.entry();
    }
    drop(reader);
    let mut reader = world.client();
    reader.read(named("audit", false, 0));
    done(&mut reader, 5);
    reader.say(Command::More(More { read: 1, credit: 2 }));
    let (entry, sequence) = reader.entry();
    assert_eq!((sequence, entry.again), (5, true));
    let (entry, sequence) = reader.entry();
    assert_eq!((sequence, entry.again), (6, false));
    world.close();
}

fn gone(from: u64, to: u64, records: u64) -> Gone {
    Gone {
        read: 1,
        from,
        to,
        records,
        reason: "retention".into(),
    }
}

#[test]
fn that_something_is_noted_is_said_when_it_is_written_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 4).close();
    let (durable, _live, gate) = gated(&config(dir.path()).durable.unwrap());
    let mut reader = Client::at(&durable.endpoints()[0], &Options::default());
    reader.read(named("audit", false, 10));
    for _ in 0..4 {
        reader.entry();
    }
    gate.shut(true);
    reader.say(Command::Done(Done {
        read: 1,
        below: 4,
        also: Vec::new(),
    }));
    let is_noted = |at: &At| at.read == 1 && at.offset == 4;
    let mut until = |is_it: &dyn Fn(&Command) -> bool, may_be_noted: bool| loop {
        match reader.hear() {
            command if is_it(&command) => break,
            Command::Noted(at) => assert!(may_be_noted || !is_noted(&at)),
            Command::Live(_) => {}
            other => panic!("{other:?}"),
        }
    };
    // Whether the one who has the name is there is tried when another one asks for it.
    let mut other = Client::at(&durable.endpoints()[0], &Options::default());
    other.read(named("audit", false, 10));
    until(
        &|it| matches!(it, Command::Noted(at) if at.read != 1),
        false,
    );
    gate.shut(false);
    until(&|it| matches!(it, Command::Noted(at) if is_noted(at)), true);
    durable.close();
}

#[test]
fn nothing_is_handed_out_before_it_is_noted_that_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 4).close();
    let (durable, _live, gate) = gated(&config(dir.path()).durable.unwrap());
    gate.shut(true);
    let mut reader = Client::at(&durable.endpoints()[0], &Options::default());
    reader.read(named("audit", false, 10));
    reader.settle();
    gate.shut(false);
    for number in 0..4 {
        let (entry, sequence) = reader.entry();
        assert_eq!((sequence, entry.again), (number, false));
    }
    durable.close();
}

#[test]
fn a_subscription_that_was_forgotten_is_not_shown_any_more_however_slow_the_disk_is() {
    let dir = tempfile::tempdir().unwrap();
    let (durable, _live, gate) = gated(&config(dir.path()).durable.unwrap());
    let mut reader = Client::at(&durable.endpoints()[0], &Options::default());
    reader.read(named("audit", false, 10));
    while !matches!(reader.hear(), Command::Noted(At { read: 1, .. })) {}
    reader.say(Command::Stop(Stop { read: 1 }));
    reader.settle();
    gate.shut(true);
    let ask = |forget| {
        let patience = Duration::from_secs(20);
        let answer = ask_consumers(&durable.endpoints()[0], None, forget, patience);
        let (consumers, was_forgotten) = answer.unwrap().unwrap();
        (consumers.len(), was_forgotten)
    };
    assert_eq!(ask(None), (1, false));
    assert!(ask(Some("audit")).1);
    assert_eq!(ask(None), (0, false));
    assert_eq!(ask(Some("audit")), (0, false), "it is gone");
    gate.shut(false);
    durable.close();
}
