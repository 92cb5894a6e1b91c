//! What a read promises, without a socket: credit, numbers, and where it goes on.

use logbus_schemas::wire::durable::{At, Refused};
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    entries: 10,
    bytes: 10_000,
};

fn reading(name: Option<&str>, share: bool) -> Reading {
    let request = Read {
        from: From::Begin,
        follow: true,
        name: name.map(str::to_owned),
        share,
        ..Read::default()
    };
    Reading::new(request, LIMITS)
}

fn welcome(journal: u64) -> Welcome {
    Welcome {
        journal,
        ..Welcome::default()
    }
}

fn asked(commands: &[Command]) -> Read {
    match &commands[0] {
        Command::Read(read) => read.clone(),
        other => panic!("{other:?} is no read"),
    }
}

fn entry(reading: &mut Reading, read: u32, offset: u64, bytes: usize) -> Step {
    let entry = Entry {
        read,
        offset,
        ..Entry::default()
    };
    reading.hear(Command::Entry(entry), bytes)
}

#[test]
fn it_goes_on_behind_what_came() {
    let mut reading = reading(None, false);
    let first = asked(&reading.begin(&welcome(1)));
    assert_eq!((first.from, first.credit), (From::Begin, 10));
    entry(&mut reading, first.read, 4, 1);
    reading.interrupt();
    let second = asked(&reading.begin(&welcome(1)));
    assert_eq!((second.from, second.credit), (From::Offset(5), 9));
    assert_eq!(
        entry(&mut reading, first.read, 5, 1),
        Step::Nothing,
        "of the read before"
    );
}

#[test]
fn in_another_journal_it_begins_anew() {
    let mut reading = reading(None, false);
    let first = asked(&reading.begin(&welcome(1)));
    entry(&mut reading, first.read, 4, 1);
    assert_eq!(asked(&reading.begin(&welcome(2))).from, From::Begin);
}

#[test]
fn what_is_done_is_said_again_where_it_was_not_noted() {
    let mut reading = reading(Some("audit"), false);
    let read = asked(&reading.begin(&welcome(1))).read;
    entry(&mut reading, read, 4, 1);
    let said = reading.release(1);
    assert!(
        matches!(&said[..], [Command::Done(done)] if done.below == 5),
        "{said:?}"
    );
    assert!(!reading.is_noted());
    let said = reading.begin(&welcome(1));
    assert!(
        matches!(&said[1..], [Command::Done(done)] if done.below == 5),
        "{said:?}"
    );
    let (read, offset) = (asked(&said).read, 5);
    reading.hear(Command::Noted(At { read, offset }), 0);
    assert!(reading.is_noted());
    assert_eq!(reading.begin(&welcome(1)).len(), 1);
}

#[test]
fn an_entry_of_a_share_that_comes_again_is_taken_once_and_said_to_be_done_again() {
    let mut reading = reading(Some("audit"), true);
    let read = asked(&reading.begin(&welcome(1))).read;
    assert!(matches!(entry(&mut reading, read, 9, 1), Step::Entry(1, _)));
    assert!(
        matches!(entry(&mut reading, read, 3, 1), Step::Entry(2, _)),
        "any order"
    );
    assert_eq!(entry(&mut reading, read, 9, 1), Step::Nothing, "in hand");
    assert!(reading.is_noted(), "nothing was said yet");
    assert_eq!(also(&reading.release(1)), [9]);
    assert!(!reading.is_noted());
    assert_eq!(entry(&mut reading, read, 9, 1), Step::Nothing, "done");
    assert_eq!(also(&reading.release(2)), [9, 3]);
}

/// What the first of these says is done.
fn also(said: &[Command]) -> &[u64] {
    match said.first() {
        Some(Command::Done(done)) if done.below == 0 => &done.also,
        other => panic!("{other:?} says nothing of what is done"),
    }
}

#[test]
fn an_entry_of_a_share_that_is_done_while_the_connection_is_broken_is_not_taken_again() {
    let mut reading = reading(Some("audit"), true);
    let read = asked(&reading.begin(&welcome(1))).read;
    entry(&mut reading, read, 9, 1);
    reading.interrupt();
    assert_eq!(reading.release(1), [], "nobody hears it");
    let read = asked(&reading.begin(&welcome(1))).read;
    assert_eq!(entry(&mut reading, read, 9, 1), Step::Nothing, "done");
    assert!(also(&reading.release(1)).contains(&9));
}

#[test]
fn an_entry_of_a_share_whose_last_word_was_lost_is_said_to_be_done_though_nothing_else_is() {
    let mut reading = reading(Some("audit"), true);
    let read = asked(&reading.begin(&welcome(1))).read;
    entry(&mut reading, read, 9, 1);
    assert_eq!(also(&reading.release(1)), [9]);
    reading.interrupt();
    let read = asked(&reading.begin(&welcome(1))).read;
    assert_eq!(entry(&mut reading, read, 9, 1), Step::Nothing, "done");
    assert_eq!(also(&reading.release(1)), [9]);
    assert!(!reading.is_noted(), "it is waited for at the end");
    assert_eq!(reading.release(1), [], "once");
}

#[test]
fn a_refusal_says_why() {
    let mut reading = reading(None, false);
    let read = asked(&reading.begin(&welcome(1))).read;
    let refused = Refused {
        code: "right".into(),
        reason: "not for you".into(),
        read,
        ..Refused::default()
    };
    let step = reading.hear(Command::Refused(refused), 0);
    let refused = Step::Refused {
        reason: "not for you (right)".into(),
        is_name: false,
    };
    assert_eq!(step, refused);
}

proptest! {
    #[test]
    fn credit_is_never_more_than_there_is_room_for_and_never_runs_dry(
        sizes in prop::collection::vec(0_usize..20_000, 1..200),
        releases in prop::collection::vec(1_u64..12, 1..200),
    ) {
        let mut reading = reading(None, false);
        let first = asked(&reading.begin(&welcome(1)));
        let mut credit = first.credit;
        let (mut came, mut done) = (0_u64, 0_u64);
        let mut releases = releases.into_iter().cycle();
        for (offset, size) in sizes.into_iter().enumerate() {
            while credit == 0 {
                prop_assert!(done < came, "no credit, and nothing in hand");
                done = came.min(done + releases.next().unwrap_or(1));
                for command in reading.release(done) {
                    if let Command::More(more) = command {
                        credit += more.credit;
                    }
                }
            }
            prop_assert!(came - done + u64::from(credit) <= u64::from(LIMITS.entries));
            let is_new = matches!(entry(&mut reading, first.read, offset as u64, size), Step::Entry(..));
            prop_assert!(is_new);
            (came, credit) = (came + 1, credit - 1);
        }
    }
}
