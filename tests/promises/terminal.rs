//! With real pseudo-terminals, and with records that are counted.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Publisher, stamped};
use logbus_tests::{Logsub, Terminal, endpoint_in, publishers, wait_for_file};

const SENDERS: usize = 20;
const LINGER: Duration = Duration::from_secs(120);

fn say(sender: &Publisher, level: i64, text: &str) {
    sender.publish(&stamped("shop.orders", level, text));
}

fn end(senders: Vec<Publisher>) {
    for sender in senders {
        assert!(sender.shutdown(LINGER).is_complete());
    }
}

/// A file that grows.
struct Lines {
    file: BufReader<File>,
    count: u64,
}

impl Lines {
    fn of(path: &str) -> Self {
        wait_for_file(path.as_ref(), "");
        let file = BufReader::new(File::open(path).unwrap());
        Self { file, count: 0 }
    }

    /// How many it has by now.
    fn count(&mut self) -> u64 {
        let mut line = Vec::new();
        while self.file.read_until(b'\n', &mut line).unwrap() > 0 {
            self.count += u64::from(line.ends_with(b"\n"));
            line.clear();
        }
        self.count
    }
}

/// A view in a terminal that listens at an endpoint of its own.
fn view(args: &[&str], rows: u16, cols: u16, environment: &[(&str, &str)]) -> (Terminal, String) {
    let bind = ["--bind", "tcp://127.0.0.1:0"];
    let terminal = Terminal::start_with("logsub", &[&bind, args].concat(), rows, cols, environment);
    terminal.wait_for("receiving at tcp://");
    let screen = terminal.screen().replace('\n', "");
    let endpoint = endpoint_in(&screen.replace("logsub:", " logsub:"), "tcp");
    (terminal, endpoint)
}

#[test]
fn twenty_senders_interleave_in_time_order_while_live_and_each_record_is_there_once() {
    const RECORDS: usize = 4_000;
    // A window that no machine is too slow for: nothing is late.
    let logsub = Logsub::bound(&["--reorder", "5s", "--hide", "time,level,logger,*"]);
    let senders = publishers(SENDERS, &logsub.zmq);
    for n in 0..RECORDS {
        // Senders say unlike amounts, so that their batches come in another order.
        say(&senders[n * n % SENDERS], 20, &format!("number {n}"));
    }
    end(senders);
    let lines = logsub.program.stop();
    let shown: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split("number ").nth(1))
        .collect();
    let expected: Vec<String> = (0..RECORDS).map(|n| n.to_string()).collect();
    assert_eq!(shown, expected);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with(" web-16 │ number 4")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with(" web-1  │ number 1")),
        "names are padded"
    );
}

#[test]
fn a_clock_that_is_behind_shows_as_late_and_can_be_corrected() {
    let logsub = Logsub::bound(&["--reorder", "50ms", "--hide", "time,logger,*"]);
    let senders = publishers(2, &logsub.zmq);
    say(&senders[0], 20, "first");
    logsub.program.wait_for("first");
    let mut behind = stamped("shop", 20, "an hour behind");
    behind.set("created", behind.created().unwrap() - 3600.0);
    senders[1].publish(&behind);
    let line = logsub.program.wait_for("an hour behind");
    assert!(line.starts_with("!INF web-1"), "{line}");
    end(senders);
    logsub.program.stop();
}

#[test]
fn a_terminal_that_stands_still_skips_lines_and_says_how_many_while_files_get_every_record() {
    const RECORDS: u64 = 150_000;
    /// So many fit into every queue on their way, but for the terminal's.
    const PORTION: u64 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.log");
    let file = file.to_str().unwrap();
    let args = [
        "--file",
        file,
        "--format",
        "%(lineno)s %(message)s",
        "--stats",
        "-x",
        "never",
    ];
    let (mut terminal, endpoint) = view(&args, 30, 100, &[]);
    terminal.keep_raw(64 << 20);
    terminal.stop_reading();
    let senders = publishers(1, &endpoint);
    let padding = "x".repeat(400);
    let mut written = None;
    for last in (PORTION..=RECORDS).step_by(PORTION as usize) {
        for at in last - PORTION..last {
            say(&senders[0], 20, &format!("{at} {padding}"));
        }
        // The file has all of them while the terminal still stands.
        let lines = written.get_or_insert_with(|| Lines::of(file));
        let deadline = Instant::now() + LINGER;
        while lines.count() < last {
            assert!(Instant::now() < deadline, "{} of {last}", lines.count());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    end(senders);
    terminal.go_on_reading();
    terminal.wait_for("web-0 ended");
    terminal.signal("-INT");
    assert!(terminal.wait().success());
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let shown = raw.lines().filter(|line| line.contains("xxxx")).count() as u64;
    let skipped: u64 = raw
        .lines()
        .filter_map(|line| {
            line.split("too slow: ")
                .nth(1)?
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert!(skipped > 0, "it stood still long enough");
    assert_eq!(shown + skipped, RECORDS, "what is not shown is counted");
    assert!(raw.contains(&format!(
        "terminal: {shown} records written, {skipped} skipped"
    )));
}

#[test]
fn a_loss_is_a_line_among_the_records_in_text_and_in_json() {
    for (output, expected) in [
        ("text", "── web-0 discarded "),
        ("json", "\"notice\":\"discarded\""),
    ] {
        let logsub = Logsub::bound(&["-o", output]);
        let mut config = Config::connect([logsub.zmq.parse().unwrap()]);
        config.program = "web-0".to_owned();
        config.queue_records = 10;
        config.hold = LINGER;
        let sender = Publisher::new(config).unwrap();
        say(&sender, 20, "begun");
        logsub.program.wait_for("begun");
        while sender.stats().discarded.is_empty() {
            for n in 0..1000 {
                say(&sender, 20, &format!("flood {n}"));
            }
        }
        drop(sender.shutdown(LINGER));
        let line = logsub.program.wait_for(expected);
        assert!(line.contains("queue full"), "{line}");
        logsub.program.stop();
    }
}

#[test]
fn scripts_get_an_exact_end_and_an_exit_code() {
    let counted = Logsub::bound(&["--count", "3", "-i", "yes", "-o", "raw", "--quiet"]);
    let senders = publishers(1, &counted.zmq);
    for n in 0..100 {
        say(&senders[0], 20, if n % 2 == 0 { "no" } else { "yes" });
    }
    let (status, lines) = counted.program.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        lines.iter().filter(|line| *line == "yes").count(),
        3,
        "{lines:?}"
    );
    assert!(!lines.contains(&"no".to_owned()));
    drop(senders);

    let until = Logsub::bound(&["--until", "ready to .erve", "-o", "raw", "--quiet"]);
    let senders = publishers(1, &until.zmq);
    for text in ["starting", "ready to serve", "more"] {
        say(&senders[0], 20, text);
    }
    let (status, lines) = until.program.wait();
    assert_eq!(status.code(), Some(0));
    assert!(!lines.contains(&"more".to_owned()), "{lines:?}");
    drop(senders);

    let interrupted = Logsub::bound(&["--until", "never"]);
    interrupted.program.signal("-INT");
    assert_eq!(interrupted.program.wait().0.code(), Some(4));
    let late = Logsub::bound(&["--timeout", "100ms", "--until", "never"]);
    assert_eq!(late.program.wait().0.code(), Some(4));
    let enough = Logsub::bound(&["--timeout", "100ms"]);
    assert_eq!(enough.program.wait().0.code(), Some(0));
}

#[test]
fn with_fail_on_loss_a_run_that_lost_something_ends_with_three() {
    let logsub = Logsub::bound(&["--fail-on-loss"]);
    let mut config = Config::connect([logsub.zmq.parse().unwrap()]);
    config.max_record = 1000;
    config.hold = LINGER;
    let sender = Publisher::new(config).unwrap();
    say(&sender, 20, &"x".repeat(5000));
    say(&sender, 20, "small");
    logsub.program.wait_for("small");
    drop(sender.shutdown(LINGER));
    logsub.program.wait_for(" discarded 1 record");
    logsub.program.signal("-INT");
    assert_eq!(logsub.program.wait().0.code(), Some(3));
}

#[test]
fn a_terminal_has_colours_and_senders_cannot_steer_it() {
    let (mut terminal, endpoint) = view(&["--utc"], 24, 80, &[]);
    let senders = publishers(2, &endpoint);
    say(&senders[0], 40, "red \x1b[2J\x1b]0;title\x07 end");
    say(&senders[1], 20, "plain");
    terminal.wait_for("plain");
    let screen = terminal.wait_for(r"red \x1b[2J\x1b]0;title\x07 end");
    let line = screen
        .lines()
        .position(|line| line.contains("red "))
        .unwrap();
    let snapshot = terminal.snapshot();
    let at = |text: &str| {
        let before = screen
            .lines()
            .nth(line)
            .unwrap()
            .split(text)
            .next()
            .unwrap();
        snapshot
            .cell(line as u16, before.chars().count() as u16)
            .unwrap()
            .fgcolor()
    };
    let (level, badge, message) = (at("ERR"), at("web-0"), at("red "));
    assert_ne!(level, message);
    assert!(
        badge != level && badge != message,
        "senders have colours of their own"
    );
    end(senders);
    terminal.press("<C-c>");
    assert!(terminal.wait().success());
    assert!(
        terminal
            .screen()
            .contains("2 records from 2 senders, none lost")
    );
}

#[test]
fn without_colours_the_same_lines_have_not_one_control_sequence() {
    let (mut terminal, endpoint) = view(&[], 24, 80, &[("NO_COLOR", "1")]);
    let senders = publishers(1, &endpoint);
    say(&senders[0], 40, "hello");
    terminal.wait_for("ERR web-0 │ shop.orders: hello");
    end(senders);
    terminal.press("<C-c>");
    terminal.wait();
    assert!(!terminal.raw().contains(&0x1b));
}

#[test]
fn top_is_a_table_that_stays_where_it_is() {
    let (mut terminal, endpoint) = view(&["--top"], 12, 90, &[]);
    let senders = publishers(SENDERS, &endpoint);
    for (n, sender) in senders.iter().enumerate() {
        for _ in 0..=n {
            say(sender, 40, "failed");
        }
    }
    // As many senders as the window has room for, those that say most first.
    let screen = terminal.wait_for("all, 11 not shown");
    assert!(screen.contains("SENDER"), "{screen}");
    let first = terminal.wait_until("the busiest first", |screen| {
        let text = screen.contents();
        text.lines()
            .skip_while(|line| !line.starts_with("SENDER"))
            .nth(1)
            .is_some_and(|line| line.starts_with("web-19"))
    });
    assert_eq!(
        first.contents().matches("SENDER").count(),
        1,
        "it is drawn in its place"
    );
    terminal.wait_for("210");
    end(senders);
    terminal.press("<C-c>");
    assert!(terminal.wait().success());
}
