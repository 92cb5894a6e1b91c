//! Real brokers, publishers and subscribers, killed on the way; records are numbered at birth and
//! reconciled at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Delivery, DurableConfig, Publisher, stamped};
use logbus_tests::{Program, free_port, free_port_base, path_of};

const LINGER: Duration = Duration::from_secs(120);

/// The places of one bus with a journal.
struct Bus {
    publishers: String,
    subscribers: String,
    durable: String,
    journal: tempfile::TempDir,
}

impl Bus {
    fn new() -> Self {
        let base = free_port_base();
        let at = |port: u16| format!("tcp://127.0.0.1:{port}");
        Self {
            publishers: at(base),
            subscribers: at(base + 1),
            durable: at(free_port()),
            journal: tempfile::tempdir().unwrap(),
        }
    }

    fn start(&self, more: &[&str]) -> Program {
        let journal = self.journal.path().to_str().unwrap();
        let places = [
            "--publishers",
            &self.publishers,
            "--subscribers",
            &self.subscribers,
            "--durable-endpoint",
            &self.durable,
            "--journal",
            journal,
        ];
        let broker = Program::start("bus-broker", &[&places, more].concat());
        broker.wait_for("durable ones to");
        broker
    }

    /// How many messages a durable subscription has before it, as the broker tells it.
    fn is_behind(&self, name: &str) -> Option<u64> {
        let told = Command::new(path_of("bus-broker"))
            .args(["consumers", "--durable-endpoint", &self.durable])
            .output()
            .unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let row = told.lines().find(|row| row.starts_with(name))?;
        row.split_whitespace().nth(2)?.parse().ok()
    }

    fn reader(&self, args: &[&str]) -> Program {
        let places = ["--durable-endpoint", &self.durable, "--quiet", "-o", "raw"];
        Program::start("logsub", &[&places, args].concat())
    }

    fn publisher(&self, program: &str, spool: Option<&Path>) -> Publisher {
        let mut config = Config::connect([self.publishers.parse().unwrap()]);
        config.program = program.to_owned();
        config.delivery = Delivery::Durable(DurableConfig {
            endpoint: Some(self.durable.parse().unwrap()),
            spool: spool.map(Path::to_owned),
            ..DurableConfig::default()
        });
        Publisher::new(config).unwrap()
    }
}

fn kill(program: Program) {
    program.signal("-KILL");
    drop(program.wait());
}

/// How often each number came, of lines `number N`.
fn numbers(lines: &[String]) -> BTreeMap<u64, u64> {
    let mut numbers = BTreeMap::new();
    for line in lines {
        if let Some(number) = line.strip_prefix("number ") {
            *numbers.entry(number.parse().unwrap()).or_default() += 1;
        }
    }
    numbers
}

fn all_once(records: u64) -> BTreeMap<u64, u64> {
    (0..records).map(|number| (number, 1)).collect()
}

#[test]
fn what_was_acknowledged_is_there_once_although_the_broker_is_killed_again_and_again() {
    const ROUNDS: u64 = 6;
    const EACH: u64 = 400;
    let bus = Bus::new();
    let mut broker = bus.start(&["--fsync", "always"]);
    let publisher = bus.publisher("audit", None);
    for round in 0..ROUNDS {
        for n in 0..EACH {
            let number = round * EACH + n;
            publisher.publish(&stamped("audit", 20, &format!("number {number}")));
        }
        // In the middle of it, with messages on their way and on the disk.
        kill(broker);
        broker = bus.start(&["--fsync", "always"]);
    }
    assert!(
        publisher.shutdown(LINGER).is_complete(),
        "all of it is acknowledged"
    );
    let (status, lines) = bus.reader(&["--since", "begin", "--no-follow"]).wait();
    assert!(status.success(), "{lines:?}");
    assert_eq!(numbers(&lines), all_once(ROUNDS * EACH));
    broker.stop();
}

#[test]
fn what_killed_publishers_had_spooled_is_sent_later() {
    let bus = Bus::new();
    let spool = tempfile::tempdir().unwrap();
    let folder = spool.path().to_str().unwrap();
    // No broker is there: what is said is on disk, and its process is killed.
    let durable = [
        "--durable",
        "--durable-endpoint",
        &bus.durable,
        "--spool",
        folder,
    ];
    for number in 0..3 {
        let text = format!("number {number}");
        let args = [&durable[..], &["-t", "audit", "--linger", "60", &text]].concat();
        let sender = Program::start("logpub", &args);
        wait_until("its record is in the spool", || holds(spool.path(), &text));
        kill(sender);
    }
    let broker = bus.start(&[]);
    let drain = ["--drain", folder, "--durable-endpoint", &bus.durable];
    let (status, lines) = Program::start("logpub", &drain).wait();
    assert!(status.success(), "{lines:?}");
    let (_, lines) = bus.reader(&["--since", "begin", "--no-follow"]).wait();
    assert_eq!(numbers(&lines), all_once(3), "{lines:?}");
    broker.stop();
}

#[test]
fn history_goes_over_into_the_live_stream_without_a_gap_or_a_duplicate() {
    const BEFORE: u64 = 3_000;
    const AFTER: u64 = 3_000;
    let bus = Bus::new();
    let broker = bus.start(&["--journal-topics", "*"]);
    let mut config = Config::connect([bus.publishers.parse().unwrap()]);
    config.hold = LINGER;
    let publisher = Publisher::new(config).unwrap();
    let say = |number: u64| publisher.publish(&stamped("app", 20, &format!("number {number}")));
    (0..BEFORE).for_each(say);
    let last = BEFORE + AFTER - 1;
    let until = format!("number {last}$");
    // It comes in the middle: part of the records is history then, part of them live.
    let args = [
        "--connect",
        &bus.subscribers,
        "--since",
        "1h",
        "--until",
        &until,
    ];
    let reader = bus.reader(&args);
    reader.wait_for("number 100");
    (BEFORE..=last).for_each(say);
    let (status, lines) = reader.wait();
    assert_eq!(status.code(), Some(0), "{:?}", lines.last());
    assert_eq!(numbers(&lines), all_once(BEFORE + AFTER));
    assert!(publisher.shutdown(LINGER).is_complete());
    broker.stop();
}

#[test]
fn a_durable_subscription_goes_on_where_it_was_when_it_is_killed() {
    const RECORDS: u64 = 2_000;
    let bus = Bus::new();
    let broker = bus.start(&[]);
    let publisher = bus.publisher("audit", None);
    for number in 0..RECORDS {
        publisher.publish(&stamped("audit", 20, &format!("number {number}")));
        if number % 100 == 99 {
            // Messages of a hundred records: killed between them, the reader has something to lose.
            publisher.flush(LINGER);
        }
    }
    assert!(publisher.shutdown(LINGER).is_complete());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let path = file.to_str().unwrap();
    let args = [
        "--durable",
        "ledger",
        "--no-console",
        "--file",
        path,
        "--format",
        "%(message)s",
    ];
    let read = || {
        let endpoint = ["--durable-endpoint", bus.durable.as_str()];
        Program::start("logsub", &[&endpoint[..], &args].concat())
    };
    for enough in [300, 900, 1_500] {
        let reader = read();
        wait_until("some of it is written", || lines_of(&file).len() >= enough);
        kill(reader);
    }
    let reader = read();
    reader.wait_for("reading the journal");
    wait_until("all of it is noted", || bus.is_behind("ledger") == Some(0));
    assert_eq!(numbers(&lines_of(&file)).len() as u64, RECORDS);
    reader.signal("-INT");
    let (status, lines) = reader.wait();
    assert!(status.success(), "{status}: {lines:?}");
    // Noted is noted: another run has nothing to do.
    let before = lines_of(&file).len();
    let reader = read();
    reader.wait_for("reading the journal");
    reader.signal("-INT");
    let (status, lines) = reader.wait();
    assert!(status.success(), "{status}: {lines:?}");
    assert_eq!(lines_of(&file).len(), before);
    broker.stop();
}

#[test]
fn the_name_of_a_reader_that_is_dead_is_waited_for() {
    let bus = Bus::new();
    let broker = bus.start(&[]);
    let publisher = bus.publisher("audit", None);
    let say = |number: u64| publisher.publish(&stamped("audit", 20, &format!("number {number}")));
    say(0);
    assert!(publisher.flush(LINGER));
    let first = bus.reader(&["--durable", "ledger"]);
    first.wait_for("number 0");
    // Its connection stands until the broker finds that nobody answers there any more.
    first.signal("-STOP");
    let second = bus.reader(&["--durable", "ledger"]);
    second.wait_for("another reader has this name");
    say(1);
    second.wait_for("number 1");
    second.stop();
    kill(first);
    assert!(publisher.shutdown(LINGER).is_complete());
    broker.stop();
}

fn lines_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whether a file below this folder holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, text),
        path => std::fs::read(path).is_ok_and(|bytes| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        }),
    })
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LINGER;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
