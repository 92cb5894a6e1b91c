use std::fs;

use logbus_tests::{Logsub, Program, wait_for_file};

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
