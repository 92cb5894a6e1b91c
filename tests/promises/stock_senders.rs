use logbus_tests::{Broker, Logsub, Program};

const FORMAT: &str = "%(levelname)s|%(name)s|%(message)s|%(user)s";

fn expect_all(program: &Program) {
    for line in [
        "DEBUG|myapp|debug message|-",
        "INFO|myapp|GET /orders took 12.345 ms|-",
        "WARNING|myapp|disk at 91%|sheila",
        "Level 25|myapp|custom level|-",
        "INFO|myapp.lib|child logger|-",
        "    ZeroDivisionError: division by zero|-",
    ] {
        program.wait_for(line);
    }
}

#[test]
fn the_cookbooks_handlers_reach_a_subscriber_that_listens() {
    let logsub = Logsub::bound(&["-t", "myapp", "--format", FORMAT]);
    Program::python("cookbook_zmq.py", &["connect", &logsub.zmq]).succeed();
    expect_all(&logsub.program);
    logsub.program.stop();

    let logsub = Logsub::bound(&["-t", "myapp", "--format", FORMAT]);
    let nng = logsub.nng.trim_start_matches("nng+").to_owned();
    let sender = Program::python("cookbook_nng.py", &["connect", &nng]);
    expect_all(&logsub.program);
    sender.succeed();
    logsub.program.stop();
}

#[test]
fn the_cookbooks_handlers_reach_a_subscriber_through_the_broker() {
    let broker = Broker::start(&[]);
    let logsub = Program::start(
        "logsub",
        &[
            "--connect",
            &broker.subscribers[0],
            "-t",
            "myapp",
            "--format",
            FORMAT,
            "--stats",
        ],
    );
    logsub.wait_for("connected to");
    Program::python("cookbook_zmq.py", &["connect", &broker.publishers[0]]).succeed();
    expect_all(&logsub);
    let lines = logsub.stop();
    assert!(
        lines.iter().any(|line| line.starts_with("bus-broker (pid")),
        "{lines:?}"
    );
    broker.program.stop();
}

#[test]
fn a_subscriber_connects_to_a_publisher_that_listens() {
    let publisher = Program::python("cookbook_zmq.py", &["bind", "tcp://127.0.0.1:0"]);
    let endpoint = publisher.wait_for("tcp://");
    let logsub = Program::start(
        "logsub",
        &["--connect", &endpoint, "-t", "myapp", "--format", FORMAT],
    );
    expect_all(&logsub);
    publisher.succeed();
    logsub.stop();
}
