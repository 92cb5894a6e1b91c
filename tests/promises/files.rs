use std::fs;
use std::path::Path;

use logbus_tests::{Logsub, Program, endpoint_in, wait_for_file};

#[test]
fn a_file_that_logrotate_moves_is_left_alone_and_a_new_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("app.log"), dir.path().join("app.log.1"));
    let file = path.display().to_string();
    let logsub = Logsub::bound(&[
        "--no-console",
        "--file",
        &file,
        "--format",
        "%(levelname)s %(message)s",
    ]);
    let publish = |text: &str| {
        Program::start(
            "logpub",
            &["--connect", &logsub.zmq, "--linger", "30", text],
        )
        .succeed();
    };
    publish("before");
    wait_for_file(&path, "INFO before");
    fs::rename(&path, &moved).unwrap();
    logsub.program.signal("-HUP");
    // Whether the signal or the check at a flush comes first, a new file appears.
    wait_for_file(&path, "");
    publish("after");
    wait_for_file(&path, "INFO after");
    logsub.program.stop();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "INFO before\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "INFO after\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_said_at_once() {
    let args = [
        "--bind",
        "tcp://127.0.0.1:0",
        "--file",
        "/dev/null/folder/app.log",
    ];
    let (status, lines) = Program::start("logsub", &args).wait();
    assert_eq!((status.code(), lines.len()), (Some(1), 1), "{lines:?}");
    assert!(lines[0].contains("/dev/null/folder/app.log"), "{lines:?}");
}

#[test]
fn a_full_disk_costs_no_line_and_tears_none() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, logsub) = (dir.path().display(), logbus_tests::path_of("logsub"));
    // A small disk that nobody but this logsub sees, with something else on it.
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk}; head -c 1M /dev/zero > {disk}/filler 2> /dev/null; exec {} \
         --bind tcp://127.0.0.1:0 --no-console --file {disk}/app.log --format '%(message)s'",
        logsub.display()
    );
    let program = Program::start_path(
        "unshare",
        &["--map-root-user", "--mount", "sh", "-c", &script],
    );
    let zmq = endpoint_in(&program.wait_for("receiving at tcp://"), "tcp");
    let mut logpub = Program::start("logpub", &["--connect", &zmq, "--linger", "30"]);
    for line in 0..200 {
        logpub.say(&format!("line {line}\n"));
    }
    program.wait_for("No space left on device");
    let seen = format!("/proc/{}/root{disk}", program.id());
    fs::remove_file(format!("{seen}/filler")).unwrap();
    let log = Path::new(&seen).join("app.log");
    wait_for_file(&log, "line 199");
    logpub.say("and on\n");
    logpub.close_input();
    logpub.succeed();
    wait_for_file(&log, "and on");
    let text = fs::read_to_string(&log).unwrap();
    let expected: String = (0..200).map(|line| format!("line {line}\n")).collect();
    assert_eq!(text, expected + "and on\n");
    program.stop();
}
