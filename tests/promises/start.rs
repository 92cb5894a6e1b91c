use std::io::{BufRead, BufReader};
use std::process::Command;

use logbus_tests::{Broker, Logsub, Program, Sums, endpoint_in};

#[test]
fn fifty_processes_that_log_twenty_records_and_exit_at_once_lose_none() {
    for pick in [
        |logsub: &Logsub| logsub.zmq.clone(),
        |logsub: &Logsub| logsub.nng.clone(),
    ] {
        let logsub = Logsub::bound(&["--no-console"]);
        let endpoint = pick(&logsub);
        let records: String = (0..20).map(|at| format!("record {at}\n")).collect();
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("records");
        std::fs::write(&input, records).unwrap();
        let senders: Vec<Program> = (0..50)
            .map(|_| {
                let command = format!(
                    "exec {} --connect {endpoint} -t burst --linger 30 < {}",
                    beside("logpub"),
                    input.display()
                );
                Program::start_path("/bin/sh", &["-c", &command])
            })
            .collect();
        for sender in senders {
            sender.succeed();
        }
        let sums = Sums::of(&logsub.program.stop());
        assert_eq!((sums.received, sums.all()), (1000, 1000), "{endpoint}");
    }
}

#[test]
fn a_publisher_that_comes_while_a_handler_is_blocked_loses_nothing() {
    // The console writes into a pipe that nobody reads, so its handler stands still.
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let said = dir.path().join("said");
    let command = format!(
        "exec {} --bind tcp://127.0.0.1:0 --stats > {} 2> {}",
        beside("logsub"),
        fifo.display(),
        said.display()
    );
    let logsub = Program::start_path("/bin/sh", &["-c", &command]);
    // Opening the other end lets the shell go on; it is not read before the end.
    let unread = std::fs::File::open(&fifo).unwrap();
    let endpoint = endpoint_in(&logbus_tests::wait_for_file(&said, "receiving at"), "tcp");
    let flood = "y".repeat(2000);
    let fill: String = (0..500).map(|_| format!("{flood}\n")).collect();
    for round in 0..2 {
        // The first round fills the pipe; the second comes when the handler stands still.
        let input = dir.path().join(format!("records{round}"));
        std::fs::write(&input, &fill).unwrap();
        let command = format!(
            "exec {} --connect {endpoint} -t m1 --linger 30 < {}",
            beside("logpub"),
            input.display()
        );
        Program::start_path("/bin/sh", &["-c", &command]).succeed();
    }
    // What the second publisher left in the kernel's hands when it ended is still on its way.
    let mut shown = BufReader::new(unread).lines();
    assert_eq!(
        shown.by_ref().take(1000).filter(Result::is_ok).count(),
        1000
    );
    let reader = std::thread::spawn(move || shown.count());
    logsub.stop();
    reader.join().unwrap();
    let lines: Vec<String> = std::fs::read_to_string(&said)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(Sums::of(&lines).received, 1000, "{lines:?}");
}

#[test]
fn records_go_from_either_transport_to_either() {
    let broker = Broker::start(&[]);
    let subscribers: Vec<Program> = broker
        .subscribers
        .iter()
        .map(|endpoint| {
            let logsub = Program::start(
                "logsub",
                &["--connect", endpoint, "-t", "x", "--format", "%(message)s"],
            );
            logsub.wait_for("connected to");
            logsub
        })
        .collect();
    for (endpoint, text) in broker.publishers.iter().zip(["by zmq", "by nng"]) {
        Program::start(
            "logpub",
            &["--connect", endpoint, "-t", "x.y", "--linger", "30", text],
        )
        .succeed();
    }
    for subscriber in &subscribers {
        subscriber.wait_for("by zmq");
        subscriber.wait_for("by nng");
    }
    let summary = broker.program.stop();
    assert!(
        summary
            .iter()
            .any(|line| line.contains("received 2 records")),
        "{summary:?}"
    );
}

fn beside(program: &str) -> String {
    logbus_tests::path_of(program).display().to_string()
}
