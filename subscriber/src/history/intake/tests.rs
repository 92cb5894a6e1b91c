//! The seam between a journal and the live bus: every record once, in each sender's order.

use std::collections::BTreeMap;

use crossbeam_channel::{Sender, unbounded};
use logbus_broker::{Tap, tap};
use logbus_schemas::wire::{Flags, Header};
use logbus_transport::Message;
use proptest::prelude::*;

use super::*;
use crate::decode::{Config, Decoder};
use crate::history::tests::board::{Kept, message, message_of};
use crate::item::Item;
use crate::levels::Levels;

/// A stage with the other ends of what it takes from.
struct Bench {
    intake: Intake,
    decoder: Decoder,
    told: Sender<Told>,
    orders: Receiver<Order>,
    tap: Tap,
    number: u64,
}

impl Bench {
    fn new() -> Self {
        let ((told_in, told), (voice, orders)) = (unbounded(), Voice::heard_by());
        let (tap, taker) = tap(&[]);
        let journal = Journal {
            told,
            voice,
            is_live_next: true,
            settled: Instant::now(),
            until: None,
            is_caught_up: false,
            received: None,
        };
        let config = Config {
            topics: Vec::new(),
            levels: Levels::default(),
            max_message: 1 << 20,
            rejects: None,
        };
        Self {
            intake: Intake {
                taker,
                journal: Some(journal),
                is_behind: true,
            },
            decoder: Decoder::new(config, process::now()),
            told: told_in,
            orders,
            tap,
            number: 0,
        }
    }

    fn tell(&mut self, kept: &Kept) {
        self.number += 1;
        let entry = Entry {
            number: self.number,
            offset: self.number - 1,
            received: self.number,
            again: false,
            inbound: Inbound {
                message: kept.message(),
                from: "the journal".into(),
                dialect: None,
            },
        };
        self.told.send(Told::Entry(entry)).unwrap();
    }

    fn hear(&self, kept: &Kept) {
        self.tap.offer(vec![live(kept.message())]);
    }

    /// Everything that comes until nothing does: texts of records, and notices.
    fn shown(&mut self) -> Vec<String> {
        let mut items = Vec::new();
        while let Ok(taken) = self.intake.take(Duration::ZERO) {
            match taken {
                Taken::Live(inbound) => {
                    self.decoder.message(&inbound, process::now(), &mut items);
                }
                Taken::Entry(entry) => {
                    self.decoder
                        .entry(&entry.inbound, entry.received, &mut items);
                }
                Taken::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let text = |item: &Item| match item {
            Item::Record(delivered) => delivered.record.get_message().into_owned(),
            Item::Notice(notice) => format!("-- {notice} --"),
        };
        items.iter().map(text).collect()
    }
}

#[test]
fn what_waits_is_handed_on_behind_the_journal() {
    let mut bench = Bench::new();
    bench.hear(&message("a", 1, &["one"]));
    bench.hear(&message("a", 2, &["two"]));
    bench.tell(&message("a", 0, &["zero"]));
    bench.tell(&message("a", 1, &["one"]));
    assert_eq!(bench.shown(), ["zero", "one"]);
    bench.told.send(Told::Live(2)).unwrap();
    assert_eq!(bench.shown(), ["two"]);
    assert!(matches!(bench.orders.try_recv(), Ok(Order::Stop)));
    assert!(!bench.intake.is_behind());
    bench.hear(&message("a", 3, &["three"]));
    assert_eq!(bench.shown(), ["three"]);
}

#[test]
fn the_journal_is_read_once_more_when_what_was_live_first_may_be_in_it() {
    let mut bench = Bench::new();
    let journal = bench.intake.journal.as_mut().unwrap();
    journal.settled = Instant::now() + Duration::from_secs(3600);
    let settled = journal.settled;
    bench.told.send(Told::Live(0)).unwrap();
    assert_eq!(bench.shown(), [""; 0]);
    let order = bench.orders.try_recv();
    assert!(matches!(order, Ok(Order::Again(when)) if when == settled));
    bench.intake.journal.as_mut().unwrap().settled = Instant::now();
    // Before anybody listened it went out, and came into the journal behind the first reading.
    bench.tell(&message("a", 0, &["zero"]));
    bench.hear(&message("a", 1, &["one"]));
    bench.told.send(Told::Live(1)).unwrap();
    assert_eq!(bench.shown(), ["zero", "one"]);
}

#[test]
fn of_a_message_that_came_by_halves_each_half_is_shown_once() {
    let mut bench = Bench::new();
    bench.hear(&message("a", 2, &["two", "three", "four"]));
    bench.tell(&message("a", 0, &["zero", "one", "two", "three"]));
    bench.told.send(Told::Live(1)).unwrap();
    assert_eq!(bench.shown(), ["zero", "one", "two", "three", "four"]);
}

#[test]
fn what_is_missing_on_both_sides_is_told() {
    let mut bench = Bench::new();
    bench.hear(&message("a", 2, &["two"]));
    bench.tell(&message("a", 0, &["zero"]));
    bench.told.send(Told::Live(1)).unwrap();
    let shown = bench.shown();
    assert_eq!(shown[0], "zero");
    assert!(shown[1].contains("lost 1 record"), "{shown:?}");
}

/// A message of a sender that says when it began: this many ms before it sent this.
fn of_a_new_sender(sender: u64, sequence: u64, age: u32, text: &str) -> Kept {
    let mut kept = message_of(sender, "a", sequence, 20, &[text]);
    let header = Header {
        age: age + 1,
        sent: process::now() + 1_000_000_000,
        ..Header::parse(&kept.frames[1]).unwrap()
    };
    kept.frames[1] = header.to_bytes().to_vec();
    kept
}

#[test]
fn a_sender_that_is_new_at_the_seam_lacks_nothing_but_what_is_missing() {
    let mut bench = Bench::new();
    // Of 2 the journal has the begin, of 3 the bus has all, of 4 nobody has record 0.
    bench.tell(&of_a_new_sender(2, 0, 0, "2 zero"));
    bench.hear(&of_a_new_sender(2, 1, 5, "2 one"));
    bench.hear(&of_a_new_sender(3, 0, 0, "3 zero"));
    bench.hear(&of_a_new_sender(4, 1, 5, "4 one"));
    bench.told.send(Told::Live(1)).unwrap();
    let shown = bench.shown();
    assert_eq!(shown[..3], ["2 zero", "2 one", "3 zero"]);
    assert!(shown[3].contains("lost 1 record"), "{shown:?}");
    assert_eq!(shown[4..], ["4 one"]);
}

#[test]
fn what_the_bus_numbered_for_a_foreign_sender_is_shown_once() {
    // The bus's own sender begins anew with each of its runs; its heartbeats come on both sides.
    let heartbeat = |next: u64| {
        let mut kept = message_of(9, "a", next, 20, &[]);
        let header = Header {
            flags: Flags::HEARTBEAT,
            ..Header::parse(&kept.frames[1]).unwrap()
        };
        kept.frames[1] = header.to_bytes().to_vec();
        kept
    };
    let mut bench = Bench::new();
    let foreign = |at: u64, text: &str| message_of(9, "a", at, 20, &[text]);
    for kept in [
        heartbeat(0),
        foreign(0, "zero"),
        foreign(1, "one"),
        heartbeat(2),
    ] {
        bench.tell(&kept);
    }
    for kept in [
        foreign(1, "one"),
        heartbeat(2),
        foreign(2, "two"),
        heartbeat(3),
    ] {
        bench.hear(&kept);
    }
    bench.told.send(Told::Live(4)).unwrap();
    assert_eq!(bench.shown(), ["zero", "one", "two"]);
    assert_eq!(bench.decoder.summary().totals.lost, 0);
}

#[test]
fn where_too_much_waits_the_journal_is_read_on_and_nothing_is_missing() {
    let mut bench = Bench::new();
    bench.tell(&message("a", 0, &["zero"]));
    let large = "x".repeat(30 << 20);
    for at in 1..4 {
        bench.hear(&message("a", at, &[&large]));
    }
    bench.told.send(Told::Live(1)).unwrap();
    assert_eq!(bench.shown(), ["zero"]);
    assert!(matches!(bench.orders.try_recv(), Ok(Order::Again(_))));
    assert!(
        bench.intake.taker.take(Duration::ZERO).is_err(),
        "it is thrown away"
    );
    for at in 1..4 {
        bench.tell(&message("a", at, &["large"]));
    }
    bench.hear(&message("a", 3, &["large"]));
    bench.hear(&message("a", 4, &["four"]));
    bench.told.send(Told::Live(4)).unwrap();
    assert_eq!(bench.shown(), ["large", "large", "large", "four"]);
    assert_eq!(bench.intake.overflow(), 0, "nothing was lost");
}

#[test]
fn an_entry_without_the_level_that_was_asked_for_is_no_loss() {
    let mut bench = Bench::new();
    bench.tell(&message("a", 0, &["zero"]));
    let mut bare = message("a", 1, &["low", "low"]);
    bare.frames[2].clear();
    bench.tell(&bare);
    bench.tell(&message("a", 3, &["three"]));
    bench.told.send(Told::Live(3)).unwrap();
    assert_eq!(bench.shown(), ["zero", "three"]);
    let totals = bench.decoder.summary().totals;
    assert_eq!((totals.received, totals.lost, totals.malformed), (4, 0, 0));
}

/// A journal's messages: which sender and topic each is of, and how many records it has.
fn scripts() -> impl Strategy<Value = Vec<(u64, &'static str, u64)>> {
    let topic = prop::sample::select(vec!["a", "b.c"]);
    prop::collection::vec((1_u64..4, topic, 1_u64..5), 1..60)
}

/// Numbers the messages by sender and topic, and gives each record a text of its own.
fn numbered(script: &[(u64, &'static str, u64)]) -> Vec<(u64, &'static str, u64, Vec<String>)> {
    let mut next: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    let message = |(sender, topic, count): &(u64, &'static str, u64)| {
        let sequence = next.entry((*sender, *topic)).or_default();
        let first = *sequence;
        *sequence += count;
        let texts = (first..*sequence).map(|at| format!("{sender} {topic} {at}"));
        (*sender, *topic, first, texts.collect())
    };
    script.iter().map(message).collect()
}

fn kept((sender, topic, sequence, texts): &(u64, &'static str, u64, Vec<String>)) -> Kept {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    message_of(*sender, topic, *sequence, 20, &texts)
}

proptest! {
    /// The bus is listened to from some message on, the journal read up to a later one; what was
    /// heard on both sides comes twice, some of it once more, late, or in other messages.
    #[test]
    fn every_record_is_shown_once_and_in_order(
        script in scripts(),
        from in 0.0..1.0,
        to in 0.0..1.0,
        again in prop::collection::vec((0.0..1.0, 0.0..1.0), 0..8),
        cuts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let messages = numbered(&script);
        let place = |part: f64| (part * (messages.len() + 1) as f64) as usize;
        let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
        let mut live = Vec::new();
        for (at, message) in messages.iter().enumerate().skip(from) {
            let (sender, topic, sequence, texts) = message;
            if cuts[at] && texts.len() > 1 {
                // The bus has batched it otherwise than the journal.
                let (head, tail) = texts.split_at(1);
                live.push(kept(&(*sender, *topic, *sequence, head.to_vec())));
                live.push(kept(&(*sender, *topic, sequence + 1, tail.to_vec())));
            } else {
                live.push(kept(message));
            }
        }
        for (which, place) in again {
            // Only what is in the journal, too, may come late: else it would be a loss for a while.
            let Some(message) = messages.get((which * to as f64) as usize).filter(|_| to > 0) else {
                continue;
            };
            live.insert((place * (live.len() + 1) as f64) as usize, kept(message));
        }
        let mut bench = Bench::new();
        for message in &live {
            bench.hear(message);
        }
        for message in &messages[..to] {
            bench.tell(&kept(message));
        }
        bench.told.send(Told::Live(to as u64)).unwrap();
        let shown = bench.shown();
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut found = expected.clone();
        let sort = |texts: Vec<String>, by: &mut BTreeMap<String, Vec<String>>| {
            for text in texts {
                let stream = text.rsplit_once(' ').map_or("", |(stream, _)| stream);
                by.entry(stream.to_owned()).or_default().push(text.clone());
            }
        };
        sort(messages.iter().flat_map(|(.., texts)| texts.clone()).collect(), &mut expected);
        sort(shown, &mut found);
        prop_assert_eq!(found, expected);
    }
}

fn live(message: Message) -> Inbound {
    Inbound {
        message,
        from: "the bus".into(),
        dialect: None,
    }
}

/// Only messages wait; the taker hands on what the tap was offered.
#[test]
fn without_a_journal_there_is_nothing_but_the_bus() {
    let (tap, taker) = tap(&[]);
    let mut intake = Intake::live(taker);
    tap.offer(vec![live(Message::single(vec![1]))]);
    assert!(matches!(intake.take(Duration::ZERO), Ok(Taken::Live(_))));
    drop(tap);
    assert_eq!(
        intake.take(Duration::ZERO).err(),
        Some(RecvTimeoutError::Disconnected)
    );
}
