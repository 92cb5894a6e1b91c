//! Real processes: killed while they publish, and drained by another one.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::broker::{Broker, Rules, until};

fn logpub(broker: &Broker, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logpub"));
    let endpoint = broker.endpoint.to_string();
    command.args(args).args(["--durable-endpoint", &endpoint]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn publishing(broker: &Broker, dir: &Path, topic: &str) -> Child {
    let dir = dir.to_str().unwrap();
    logpub(broker, &["--durable", "--spool", dir, "-t", topic])
        .spawn()
        .unwrap()
}

fn drained(broker: &Broker, dir: &Path, args: &[&str]) -> Output {
    let dir = dir.to_str().unwrap();
    logpub(broker, &[&["--drain", dir], args].concat())
        .output()
        .unwrap()
}

fn feed(child: &mut Child, lines: std::ops::Range<usize>) {
    let text: String = lines.map(|at| format!("line {at}\n")).collect();
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// Bytes in all spools.
fn spooled(dir: &Path) -> u64 {
    let mut bytes = 0;
    for spool in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let files = std::fs::read_dir(spool.path())
            .into_iter()
            .flatten()
            .flatten();
        bytes += files
            .filter_map(|file| file.metadata().ok())
            .map(|data| data.len())
            .sum::<u64>();
    }
    bytes
}

/// Kills the process once it has written all that it was fed.
fn kill_when_written(mut child: Child, dir: &Path) {
    let mut before = 0;
    until("a spool that has grown", || {
        (spooled(dir) > 0).then_some(())
    });
    let mut still = 0;
    until("a spool that grows no more", || {
        let now = spooled(dir);
        still = if now == before { still + 1 } else { 0 };
        before = now;
        (still > 100).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_a_killed_process_had_spooled_is_drained_by_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    for round in 0..3 {
        let mut child = publishing(&broker, dir.path(), &format!("job{round}"));
        feed(&mut child, 0..500);
        kill_when_written(child, dir.path());
    }
    let failed = drained(&broker, dir.path(), &["--linger", "0.3"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1));
    assert!(said.contains("1500 records in 3 spools are left"), "{said}");

    broker.come_back();
    let done = drained(&broker, dir.path(), &[]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}");
    let journal = broker.journal();
    assert_eq!((journal.records(), journal.messages.len()), (1500, 3));
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn killed_in_the_middle_of_everything_nothing_comes_twice_or_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Rules {
        credit: 5,
        ..Rules::default()
    });
    for round in 0..5 {
        let mut child = publishing(&broker, dir.path(), "job");
        feed(&mut child, 0..3000);
        let so_far = broker.journal().records();
        broker.until("some records", |journal| journal.records() > so_far);
        child.kill().unwrap();
        child.wait().unwrap();
        // What the broker had acknowledged when the process died may come again, but not twice.
        let faults = broker.journal().faults.clone();
        assert!(faults.is_empty(), "round {round}: {faults:?}");
    }
    let done = drained(&broker, dir.path(), &[]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(matches!(done.status.code(), Some(0 | 1)), "{said}");
    assert!(!said.contains("are left"), "{said}");
    let journal = broker.journal();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_next_process_of_the_program_sends_what_a_killed_one_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let mut child = publishing(&broker, dir.path(), "job");
    feed(&mut child, 0..500);
    kill_when_written(child, dir.path());
    broker.come_back();
    let mut child = publishing(&broker, dir.path(), "job");
    feed(&mut child, 500..600);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let journal = broker.journal();
    assert_eq!((journal.records(), journal.messages.len()), (600, 2));
}

#[test]
fn a_spool_whose_owner_lives_is_not_drained() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let mut child = publishing(&broker, dir.path(), "job");
    feed(&mut child, 0..10);
    until("a spool", || (spooled(dir.path()) > 0).then_some(()));
    broker.rules().acknowledges = false;
    broker.come_back();
    broker.until("the records", |journal| journal.records() == 10);
    let drained = drained(&broker, dir.path(), &[]);
    let said = String::from_utf8_lossy(&drained.stderr);
    assert_eq!(drained.status.code(), Some(0), "{said}");
    assert!(said.contains("in use"), "{said}");
    broker.rules().acknowledges = true;
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(broker.journal().again, 0);
}

#[test]
fn without_a_broker_logpub_says_what_is_kept_and_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::absent(Rules::default());
    let folder = dir.path().to_str().unwrap();
    let kept = ["--spool", folder, "--linger", "0.2", "hello"];
    let ended = logpub(&broker, &kept).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("1 records are kept in"), "{said}");
    let ended = logpub(&broker, &["--durable", "--linger", "0.2", "hello"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("not acknowledged: 1"), "{said}");
}
