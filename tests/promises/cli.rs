use logbus_tests::{Logsub, Program};

#[test]
fn a_port_in_use_is_one_line_that_names_it_and_what_may_hold_it() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", held.local_addr().unwrap());
    let broker = Program::start(
        "bus-broker",
        &[
            "--publishers",
            &endpoint,
            "--subscribers",
            "tcp://127.0.0.1:0",
        ],
    );
    let (status, lines) = broker.wait();
    assert_eq!(status.code(), Some(1));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(&endpoint) && lines[0].contains("publisher that binds"),
        "{lines:?}"
    );
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for (program, args) in [
        ("logsub", ["--bind", "5556"]),
        ("bus-broker", ["--publishers", "5556"]),
        ("logpub", ["--connect", "5556"]),
    ] {
        let (status, lines) = Program::start(program, &args).wait();
        assert_eq!(
            (status.code(), lines.len()),
            (Some(2), 1),
            "{program}: {lines:?}"
        );
        assert!(lines[0].contains("\"5556\""), "{lines:?}");
    }
}

#[test]
fn a_message_that_reaches_nobody_is_said_to() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", free.local_addr().unwrap());
    drop(free);
    let logpub = Program::start(
        "logpub",
        &["--connect", &endpoint, "--linger", "0.2", "hello"],
    );
    let (status, lines) = logpub.wait();
    assert_eq!(status.code(), Some(1));
    assert!(
        lines[0].contains("1 records were not handed over"),
        "{lines:?}"
    );
}

#[test]
fn a_program_run_on_the_bus_loses_no_line_and_keeps_its_status() {
    let logsub = Logsub::bound(&["--format", "%(levelname)s %(message)s"]);
    let script = "echo out; printf last; python3 -c 'print(1/0)'; exit 7";
    let program = Program::start(
        "logpub",
        &[
            "run",
            "--connect",
            &logsub.zmq,
            "-t",
            "job",
            "--linger",
            "30",
            "--",
            "/bin/sh",
            "-c",
            script,
        ],
    );
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(7), "{lines:?}");
    for line in [
        "INFO out",
        "INFO last",
        "ERROR ZeroDivisionError: division by zero",
    ] {
        logsub.program.wait_for(line);
    }
    logsub
        .program
        .wait_for("    Traceback (most recent call last):");
    logsub.program.stop();
}

#[test]
fn a_message_that_nobody_can_read_is_told_counted_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.jsonl");
    let logsub = Logsub::bound(&["--reject-file", &rejects.display().to_string()]);
    Program::python("garbage.py", &[&logsub.zmq]).succeed();
    logsub.program.wait_for("message discarded: unrecognised");
    logsub.program.stop();
    assert!(
        std::fs::read_to_string(&rejects)
            .unwrap()
            .contains("frames_b64")
    );
}
