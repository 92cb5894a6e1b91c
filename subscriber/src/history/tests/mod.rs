//! A read against a scripted broker: what comes, what is said, and what a broken connection costs.

pub(crate) mod board;

use std::time::{Duration, Instant};

use logbus_schemas::wire::durable::{Command, From, Read, Until};

use self::board::{Board, message, message_of, pause};
use super::client::Running;
use super::connect::History;
use super::intake::{Intake, Taken};
use super::wanted::Wanted;
use crate::handler::Say;

fn quiet() -> Say {
    std::sync::Arc::new(|_| {})
}

fn wanted(board: &Board, request: Read) -> Wanted {
    Wanted {
        endpoint: board.endpoint(),
        request,
        is_optional: false,
        is_live_next: false,
    }
}

/// A read, and the stage that takes what comes.
struct Reader {
    intake: Intake,
    running: Running,
    progress: std::sync::Arc<super::progress::Progress>,
    refused: crossbeam_channel::Receiver<()>,
}

impl Reader {
    fn new(board: &Board, request: Read) -> Self {
        let history = History::connect(wanted(board, request), None)
            .unwrap()
            .unwrap();
        let progress = history.progress();
        let (tell, refused) = crossbeam_channel::unbounded();
        let refuse = Box::new(move || tell.send(()).unwrap());
        let (_, taker) = logbus_broker::tap(&[]);
        let (intake, running) =
            Intake::journal(taker, history, Instant::now(), &quiet(), refuse).unwrap();
        Self {
            intake,
            running,
            progress,
            refused,
        }
    }

    fn take(&mut self) -> Taken {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.intake.take(Duration::from_millis(100)) {
                Ok(taken) => return taken,
                Err(_) => assert!(Instant::now() < deadline, "nothing came"),
            }
        }
    }

    /// The offsets of so many entries, each done at once.
    fn offsets(&mut self, count: usize) -> Vec<u64> {
        let mut offsets = Vec::new();
        while offsets.len() < count {
            if let Taken::Entry(entry) = self.take() {
                offsets.push(entry.offset);
                self.progress.pass(entry.number);
            }
        }
        offsets
    }
}

fn follow() -> Read {
    Read {
        from: From::Begin,
        follow: true,
        ..Read::default()
    }
}

#[test]
fn the_journal_is_read_in_order_to_its_end() {
    let board = Board::new((0..3000).map(|at| message("a", at, &["x"])));
    let request = Read {
        follow: false,
        ..follow()
    };
    let mut reader = Reader::new(&board, request);
    assert_eq!(reader.offsets(3000), (0..3000).collect::<Vec<u64>>());
    assert!(matches!(reader.take(), Taken::End));
    reader.running.finish();
}

#[test]
fn what_follows_the_end_is_live() {
    let board = Board::new([message("a", 0, &["x"])]);
    let mut reader = Reader::new(&board, follow());
    assert_eq!(reader.offsets(1), [0]);
    assert!(matches!(reader.take(), Taken::CaughtUp(1)));
    board.add(message("a", 1, &["y"]));
    assert_eq!(reader.offsets(1), [1]);
}

#[test]
fn a_read_ends_where_it_should() {
    let board = Board::new((0..10).map(|at| message("a", at, &["x"])));
    let request = Read {
        until: Some(Until::Offset(4)),
        ..follow()
    };
    let mut reader = Reader::new(&board, request);
    assert_eq!(reader.offsets(4), [0, 1, 2, 3]);
    assert!(matches!(reader.take(), Taken::End));
}

#[test]
fn nothing_more_comes_than_may_be_in_hand() {
    let board = Board::new((0..5000).map(|at| message("a", at, &["x"])));
    let mut reader = Reader::new(&board, follow());
    board.wait_for(|state| state.sent == 500);
    let mut last = 0;
    for _ in 0..300 {
        if let Taken::Entry(entry) = reader.take() {
            last = entry.number;
        }
    }
    // Taking alone gives no credit: they are not done.
    pause(50);
    assert_eq!(board.look(|state| state.sent), 500);
    reader.progress.pass(last);
    board.wait_for(|state| state.sent == 800);
}

#[test]
fn large_entries_are_in_hand_by_their_bytes() {
    let large = "x".repeat(1 << 20);
    let board = Board::new((0..64).map(|at| message("a", at, &[&large])));
    let mut reader = Reader::new(&board, follow());
    // The first ones come before their size is known.
    let first = board.wait_for(|state| state.sent);
    assert!(first <= 64);
    assert_eq!(reader.offsets(64).len(), 64);
    let credit = board.look(|state| state.credit_of_last_more);
    assert!(credit <= 8, "{credit} entries of 1 MiB");
}

#[test]
fn after_a_broken_connection_it_goes_on_at_the_next_entry() {
    let board = Board::new((0..3000).map(|at| message("a", at, &["x"])));
    let mut reader = Reader::new(&board, follow());
    let mut offsets = reader.offsets(500);
    board.restart();
    offsets.extend(reader.offsets(2500));
    assert_eq!(offsets, (0..3000).collect::<Vec<u64>>());
    let reads = board.look(|state| state.reads());
    assert!(
        matches!(reads[1].from, From::Offset(at) if at >= 500),
        "{reads:?}"
    );
}

#[test]
fn what_was_said_too_late_for_a_connection_is_not_said_over_the_next_one() {
    // Every entry is done at once, so that there is nearly always something on its way to the broker.
    let board = Board::new((0..30_000).map(|at| message("a", at, &["x"])));
    let mut reader = Reader::new(&board, named(false));
    let mut offsets = Vec::new();
    for _ in 0..60 {
        offsets.extend(reader.offsets(500));
        board.restart();
    }
    assert_eq!(board.look(|state| state.unasked.len()), 0);
    assert!(reader.refused.try_recv().is_err());
    assert_eq!(offsets, (0..30_000).collect::<Vec<u64>>());
}

#[test]
fn entries_that_are_gone_are_told_with_their_count() {
    let board = Board::new((0..10).map(|at| message("a", at, &["x", "y"])));
    board.change(|state| state.first = 6);
    let mut reader = Reader::new(&board, follow());
    let Taken::Gone(gone) = reader.take() else {
        panic!("no word of what is gone");
    };
    assert_eq!((gone.from, gone.to, gone.records), (0, 6, 12));
    assert_eq!(reader.offsets(4), [6, 7, 8, 9]);
}

#[test]
fn a_refusal_is_for_good() {
    let board = Board::new([]);
    board.change(|state| state.refuses = Some("right"));
    for request in [follow(), named(false)] {
        let reader = Reader::new(&board, request);
        let refused = reader.refused.recv_timeout(Duration::from_secs(20));
        assert!(refused.is_ok());
    }
}

#[test]
fn a_name_that_another_reader_has_still_is_waited_for() {
    let board = Board::new((0..10).map(|at| message("a", at, &["x"])));
    board.change(|state| state.refuses = Some("name"));
    let mut reader = Reader::new(&board, named(false));
    // It asks again of its own, also over a new connection.
    board.wait_for(|state| state.reads().len() >= 2);
    board.restart();
    board.wait_for(|state| state.reads().len() >= 4);
    board.change(|state| state.refuses = None);
    assert_eq!(reader.offsets(10), (0..10).collect::<Vec<u64>>());
    assert!(reader.refused.is_empty(), "it never gave up");
    reader.running.finish();
}

#[test]
fn where_nobody_greets_it_is_an_error_or_nothing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", closed.local_addr().unwrap());
    drop(closed);
    let wanted = Wanted {
        endpoint: endpoint.parse().unwrap(),
        request: follow(),
        is_optional: true,
        is_live_next: true,
    };
    assert!(History::connect(wanted, None).unwrap().is_none());
}

fn named(share: bool) -> Read {
    Read {
        name: Some("audit".to_owned()),
        share,
        ..follow()
    }
}

#[test]
fn a_subscription_goes_on_where_it_was_noted() {
    let board = Board::new((0..100).map(|at| message("a", at, &["x"])));
    let mut reader = Reader::new(&board, named(false));
    assert_eq!(reader.offsets(40).last(), Some(&39));
    board.wait_for(|state| state.noted == 40);
    // Killed: what it had in hand and had not done comes again.
    drop(reader);
    let mut reader = Reader::new(&board, named(false));
    assert_eq!(reader.offsets(60), (40..100).collect::<Vec<u64>>());
    reader.running.finish();
    assert_eq!(board.look(|state| state.noted), 100);
}

#[test]
fn an_entry_that_comes_again_over_a_new_connection_is_taken_once() {
    let board = Board::new((0..100).map(|at| message("a", at, &["x"])));
    let mut reader = Reader::new(&board, named(false));
    let mut numbers = Vec::new();
    let mut offsets = Vec::new();
    for round in 0..100 {
        if round == 50 {
            // Nothing is done yet, so all of it is handed out again.
            board.restart();
        }
        let Taken::Entry(entry) = reader.take() else {
            continue;
        };
        numbers.push(entry.number);
        offsets.push(entry.offset);
    }
    reader.progress.pass(*numbers.last().unwrap());
    let expected: Vec<u64> = (0..offsets.len() as u64).collect();
    assert_eq!(offsets, expected);
    board.wait_for(|state| state.noted == offsets.len() as u64);
}

#[test]
fn several_share_the_work_and_each_says_what_it_did() {
    let board = Board::new((0..400).map(|at| message("a", at, &["x"])));
    board.change(|state| state.most_for_one = 10);
    let mut readers = [
        Reader::new(&board, named(true)),
        Reader::new(&board, named(true)),
    ];
    let (mut offsets, mut shares) = (Vec::new(), [0; 2]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while offsets.len() < 400 {
        assert!(Instant::now() < deadline, "{} came", offsets.len());
        for (at, reader) in readers.iter_mut().enumerate() {
            if let Ok(Taken::Entry(entry)) = reader.intake.take(Duration::from_millis(5)) {
                offsets.push(entry.offset);
                shares[at] += 1;
                reader.progress.pass(entry.number);
            }
        }
    }
    offsets.sort_unstable();
    assert_eq!(offsets, (0..400).collect::<Vec<u64>>());
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    board.wait_for(|state| state.done.len() == 400);
    let heard = board.look(|state| state.heard.clone());
    let is_claim = |command: &Command| matches!(command, Command::Done(done) if done.below > 0);
    assert!(!heard.iter().any(is_claim), "nobody speaks for the others");
}

#[test]
fn topics_and_levels_apply_at_the_broker() {
    let entries = [
        message_of(1, "a", 0, 20, &["low"]),
        message_of(1, "b", 0, 40, &["elsewhere"]),
        message_of(1, "a.b", 0, 40, &["high"]),
    ];
    let board = Board::new(entries);
    let request = Read {
        topics: vec!["a".into()],
        level: Some(30),
        ..follow()
    };
    let mut reader = Reader::new(&board, request);
    let mut payloads = Vec::new();
    while payloads.len() < 2 {
        if let Taken::Entry(entry) = reader.take() {
            let frames = entry.inbound.message.frames();
            payloads.push((entry.offset, frames.len(), frames[2].is_empty()));
        }
    }
    assert_eq!(payloads, [(0, 3, true), (2, 3, false)]);
}
