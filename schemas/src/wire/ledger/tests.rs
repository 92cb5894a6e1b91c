//! The promises of the loss account, told with one sender's messages and then proved for any.

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::wire::sequence::{Moment, Numbering};
use crate::wire::{Flags, SenderId};

const LISTENING_SINCE: u64 = 1_000;

fn topic() -> Topic {
    Topic::new("myapp.db").unwrap()
}

fn message(sequence: u64, count: u32) -> Header {
    Header {
        sequence,
        count,
        sent: 2_000,
        ..Header::new(codec::JSON, SenderId(1))
    }
}

fn identity(program: &str, pid: u32) -> Option<Identity> {
    Some(Identity {
        program: program.into(),
        pid,
        host: "alpha".into(),
        ..Identity::default()
    })
}

/// A ledger with what it said.
struct Reader {
    ledger: Ledger,
    notices: Vec<Notice>,
}

impl Reader {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(LISTENING_SINCE),
            notices: Vec::new(),
        }
    }

    fn records(&mut self, header: Header) -> Verdict {
        self.ledger
            .records(&topic(), &header, 2_000, &mut self.notices)
    }

    fn heartbeat(&mut self, header: Header, identity: Option<Identity>) {
        self.ledger
            .heartbeat(&topic(), &header, identity, 2_000, &mut self.notices);
    }

    fn said(&mut self) -> Vec<String> {
        self.notices
            .drain(..)
            .map(|notice| notice.to_string())
            .collect()
    }
}

#[test]
fn a_gap_is_told_with_its_sender_topic_and_numbers() {
    let mut reader = Reader::new();
    reader.heartbeat(
        Header {
            flags: Flags::HEARTBEAT,
            ..message(0, 0)
        },
        identity("web-3", 613),
    );
    reader.records(message(0, 1041));
    reader.records(message(1058, 1));
    assert_eq!(
        reader.said(),
        [
            "web-3 (pid 613) joined",
            "web-3 (pid 613) lost 17 records of myapp.db, 1041..1057"
        ]
    );
    assert_eq!(reader.ledger.totals().lost, 17);
}

#[test]
fn a_lost_tail_is_seen_at_the_next_heartbeat() {
    let mut reader = Reader::new();
    reader.records(message(0, 10));
    reader.heartbeat(
        Header {
            flags: Flags::HEARTBEAT,
            ..message(12, 0)
        },
        None,
    );
    assert_eq!(
        reader.said(),
        ["sender 0000000000000001 lost 2 records of myapp.db, 10..11"]
    );
}

#[test]
fn what_comes_late_is_shown_and_no_longer_lost() {
    let mut reader = Reader::new();
    reader.records(message(0, 10));
    reader.records(message(15, 5));
    assert_eq!(reader.records(message(8, 4)), Verdict::Only(vec![2..4]));
    let totals = reader.ledger.totals();
    assert_eq!(
        (totals.lost, totals.late, totals.duplicate, totals.received),
        (3, 2, 2, 17)
    );
    assert!(
        reader
            .said()
            .last()
            .unwrap()
            .ends_with("2 records of myapp.db came late, 10..11")
    );
}

#[test]
fn records_and_heartbeats_tell_of_a_senders_clock_unless_they_give_no_time() {
    let mut reader = Reader::new();
    let offset = |reader: &Reader| reader.ledger.offset(SenderId(1));
    assert_eq!(offset(&reader), None);
    let silent = |header: Header| Header { sent: 0, ..header };
    reader.records(silent(message(0, 1)));
    assert_eq!(offset(&reader), None);
    reader.records(Header {
        sent: 1_400,
        ..message(1, 1)
    });
    assert_eq!(offset(&reader), Some(600));
    let heartbeat = Header {
        flags: Flags::HEARTBEAT,
        sent: 2_500,
        ..message(2, 0)
    };
    reader.heartbeat(heartbeat, None);
    reader.heartbeat(silent(heartbeat), None);
    assert_eq!(offset(&reader), Some(-500));
    assert_eq!(reader.ledger.offset(SenderId(2)), None);
}

#[test]
fn what_comes_twice_is_shown_once() {
    let mut reader = Reader::new();
    reader.records(message(0, 3));
    assert_eq!(reader.records(message(0, 3)), Verdict::Only(vec![]));
    assert_eq!(reader.records(message(2, 2)), Verdict::Only(vec![1..2]));
    assert_eq!(reader.ledger.totals().duplicate, 4);
}

#[test]
fn a_late_joiner_lost_nothing_that_was_sent_before_it_listened() {
    let mut reader = Reader::new();
    reader.records(Header {
        discarded: 5,
        age: 1_000_000,
        ..message(100, 1)
    });
    assert!(reader.said().is_empty());
    let totals = reader.ledger.totals();
    assert_eq!(
        (
            totals.earlier,
            totals.lost,
            totals.discarded,
            totals.received
        ),
        (105, 0, 0, 1)
    );
}

#[test]
fn a_listener_that_never_saw_the_beginning_lost_it() {
    let mut reader = Reader::new();
    reader.records(Header {
        age: 1,
        ..message(100, 1)
    });
    assert_eq!(reader.ledger.totals().lost, 100);
}

#[test]
fn discards_at_the_source_are_told_once_a_tick_with_their_reasons() {
    let mut reader = Reader::new();
    reader.records(Header {
        discarded: 3,
        ..message(0, 1)
    });
    reader.records(Header {
        discarded: 5,
        ..message(1, 1)
    });
    let mut who = identity("web", 7);
    who.as_mut()
        .unwrap()
        .discarded
        .insert("queue full".into(), 5);
    reader.heartbeat(
        Header {
            discarded: 5,
            flags: Flags::HEARTBEAT,
            ..message(2, 0)
        },
        who,
    );
    reader.said();
    reader.ledger.tick(3_000, &mut reader.notices);
    reader.ledger.tick(4_000, &mut reader.notices);
    assert_eq!(
        reader.said(),
        ["web (pid 7) discarded 5 records of myapp.db before sending (in all queue full: 5)"]
    );
}

#[test]
fn a_killed_sender_is_missed_and_its_successor_named() {
    let mut reader = Reader::new();
    reader.heartbeat(
        Header {
            flags: Flags::HEARTBEAT,
            ..message(0, 0)
        },
        identity("web", 1),
    );
    reader.ledger.tick(2_000 + SILENCE, &mut reader.notices);
    let successor = Header {
        sender: SenderId(2),
        flags: Flags::HEARTBEAT,
        ..message(0, 0)
    };
    reader.heartbeat(successor, identity("web", 2));
    assert_eq!(
        reader.said(),
        [
            "web (pid 1) joined",
            "web (pid 1) went silent without goodbye: its last records may be lost",
            "web (pid 2) takes the place of web (pid 1)",
        ]
    );
}

#[test]
fn a_goodbye_ends_a_sender_once() {
    let mut reader = Reader::new();
    reader.heartbeat(
        Header {
            flags: Flags::GOODBYE,
            ..message(0, 0)
        },
        identity("web", 1),
    );
    reader.heartbeat(
        Header {
            flags: Flags::GOODBYE,
            ..message(0, 0)
        },
        identity("web", 1),
    );
    reader.ledger.tick(u64::MAX, &mut reader.notices);
    assert_eq!(reader.said(), ["web (pid 1) joined", "web (pid 1) ended"]);
}

#[test]
fn of_senders_that_were_killed_only_so_many_are_remembered() {
    let mut reader = Reader::new();
    let record = |sender: u64, sequence: u64| Header {
        sender: SenderId(sender),
        sent: LISTENING_SINCE + sender,
        age: 1,
        ..message(sequence, 1)
    };
    let senders = MAX_GONE as u64 + 5;
    for sender in 0..senders {
        let (header, now) = (record(sender, 0), LISTENING_SINCE + sender);
        let notices = &mut reader.notices;
        reader.ledger.records(&topic(), &header, now, notices);
    }
    let later = LISTENING_SINCE + senders + SILENCE;
    reader.ledger.tick(later, &mut reader.notices);
    assert_eq!(reader.ledger.senders().count(), MAX_GONE);
    assert_eq!(reader.ledger.totals().received, senders);

    // One that was only stopped goes on. Those who are remembered are counted as before.
    for sender in [0, senders - 1] {
        let header = Header {
            age: 1 + (SILENCE / 1_000_000) as u32,
            sent: LISTENING_SINCE + sender + SILENCE,
            ..record(sender, 1)
        };
        let notices = &mut reader.notices;
        reader.ledger.records(&topic(), &header, later, notices);
    }
    let totals = reader.ledger.totals();
    assert_eq!((totals.received, totals.lost), (senders + 2, 0));
    assert_eq!(reader.ledger.gone, MAX_GONE - 1);
}

/// What happens to one message on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    IsLost,
    ArrivesTwice,
    IsDelayed,
}

/// What a publisher does next: send some records, or discard some.
fn steps() -> impl Strategy<Value = Vec<(u32, u64, Fate)>> {
    let fate = prop_oneof![
        5 => Just(Fate::Arrives),
        3 => Just(Fate::IsLost),
        1 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::IsDelayed),
    ];
    proptest::collection::vec((0..5u32, 0..3u64, fate), 0..60)
}

proptest! {
    /// Both halves together: whatever the network does, the account is right to the record once
    /// the sender has said goodbye.
    #[test]
    fn received_and_lost_and_discarded_are_all_that_was_published(steps in steps()) {
        let mut sender = Numbering::new(SenderId(1), codec::JSON);
        let mut reader = Reader::new();
        let mut published = 0u64;
        let mut arrived = std::collections::HashSet::new();
        let mut shown = 0u64;
        let mut delayed = Vec::new();
        let mut arrive = |header: Header, reader: &mut Reader| {
            shown += match reader.records(header) {
                Verdict::All => u64::from(header.count),
                Verdict::Only(parts) => parts.iter().map(|p| u64::from(p.end - p.start)).sum(),
            };
            arrived.extend(header.sequence..header.sequence + u64::from(header.count));
        };
        for (at, (count, discards, fate)) in steps.into_iter().enumerate() {
            let clock = LISTENING_SINCE + at as u64;
            let now = Moment { clock, steady: clock };
            sender.discard(&topic(), "queue full", discards);
            published += u64::from(count) + discards;
            if count == 0 {
                continue;
            }
            let header = sender.number(&topic(), count, now);
            match fate {
                Fate::Arrives => arrive(header, &mut reader),
                Fate::IsLost => {}
                Fate::ArrivesTwice => {
                    arrive(header, &mut reader);
                    arrive(header, &mut reader);
                }
                Fate::IsDelayed => delayed.push(header),
            }
        }
        for header in delayed {
            arrive(header, &mut reader);
        }
        let end = Moment { clock: 9_999, steady: 9_999 };
        let goodbye = sender.heartbeat(&topic(), Flags::GOODBYE, end);
        reader.heartbeat(goodbye, None);

        let totals = reader.ledger.totals();
        prop_assert_eq!(totals.received + totals.lost + totals.discarded + totals.earlier, published);
        prop_assert_eq!(totals.received, arrived.len() as u64);
        prop_assert_eq!(totals.received, shown);
        let told: i64 = reader.notices.iter().map(|notice| match notice {
            Notice::Lost { records, .. } => (records.end - records.start) as i64,
            Notice::Late { records, .. } => -((records.end - records.start) as i64),
            _ => 0,
        }).sum();
        prop_assert_eq!(told as u64, totals.lost);
    }
}
