//! What durable subscriptions have lost to retention when not even the marks of it are kept.

use super::super::Journal;
use super::super::retain::purge;
use super::*;

/// Ten messages of two records, deleted but for those on `audit`.
fn deleted(world: &mut World, topics: [&str; 10]) {
    for (number, topic) in (0..).zip(topics) {
        let mut arrivals = [two_records(topic, number)];
        world.book().append(&mut arrivals, 100 + number).unwrap();
    }
    let keep = "audit=1GiB".parse().unwrap();
    let limits = Limits {
        max_bytes: Some(0),
        ..Limits::default()
    };
    let mut retention = Retention::new(Classes::new(vec![keep], limits));
    while retention.trim(world.book(), 1_000).unwrap().is_more {}
}

fn charged(world: &mut World) -> (u64, u64) {
    purge(world.book(), 10).unwrap();
    let reader = world.book().store.consumer("reader").unwrap().unwrap();
    (reader.charged, reader.missed_to)
}

#[test]
fn what_a_subscription_has_in_hand_is_not_lost_to_it() {
    let mut world = World::new();
    deleted(&mut world, ["web"; 10]);
    note(world.book(), 2);
    let journal = Journal::new(1, world.book());
    journal.reached("reader", 6);
    assert_eq!(charged(&mut world), (8, 10), "what comes from 6 on");
}

#[test]
fn what_a_subscription_was_told_of_is_not_counted_again() {
    let mut world = World::new();
    deleted(&mut world, ["web"; 10]);
    let told = Consumer {
        below: 2,
        lost: 10,
        lost_to: 7,
        ..Consumer::default()
    };
    let notes = BTreeMap::from([("reader".to_owned(), told)]);
    world.book().note(&notes).unwrap();
    assert_eq!(charged(&mut world), (6, 10), "what comes from 7 on");
}

#[test]
fn readers_see_how_far_marks_were_deleted_though_an_older_message_is_kept() {
    let mut world = World::new();
    let mut topics = ["web"; 10];
    topics[0] = "audit";
    deleted(&mut world, topics);
    let journal = Journal::new(1, world.book());
    assert_eq!(journal.purged_to(), 0);
    purge(world.book(), 5).unwrap();
    journal.advance(world.book());
    assert_eq!((world.book().floor, journal.purged_to()), (0, 6));
}
