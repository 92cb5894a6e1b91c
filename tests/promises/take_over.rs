use std::time::{Duration, Instant};

use logbus_tests::{Program, free_port_base};

#[test]
fn when_the_bus_exits_another_subscriber_takes_over_and_publishers_find_it() {
    let base = free_port_base().to_string();
    let environment = [("LOGBUS_PORT_BASE", base.as_str())];
    let args = ["-t", "app", "--format", "%(message)s"];
    let first = Program::start_with("logsub", &args, &environment);
    first.wait_for("this is the bus");
    let second = Program::start_with("logsub", &args, &environment);
    second.wait_for("joined the bus of logsub");

    let endpoint = format!("tcp://127.0.0.1:{base}");
    let publish = |text: &str| {
        Program::start(
            "logpub",
            &["--connect", &endpoint, "-t", "app", "--linger", "30", text],
        )
        .succeed();
    };
    publish("to both");
    first.wait_for("to both");
    second.wait_for("to both");

    let begun = Instant::now();
    first.signal("-KILL");
    second.wait_for("this is the bus");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "another takes over"
    );
    publish("to the heir");
    second.wait_for("to the heir");
    second.stop();
}

#[test]
fn a_publisher_outlives_the_bus_and_nothing_it_says_meanwhile_goes_uncounted() {
    let base = free_port_base().to_string();
    let environment = [("LOGBUS_PORT_BASE", base.as_str())];
    let args = ["-t", "app", "--format", "%(message)s", "--stats", "-v"];
    let first = Program::start_with("logsub", &args, &environment);
    first.wait_for("this is the bus");
    let endpoint = format!("tcp://127.0.0.1:{base}");
    let mut publisher = Program::start(
        "logpub",
        &["--connect", &endpoint, "-t", "app", "--linger", "30"],
    );
    publisher.say("one\n");
    first.wait_for("one");
    first.stop();
    publisher.say("two\n");
    let second = Program::start_with("logsub", &args, &environment);
    publisher.say("three\n");
    second.wait_for("three");
    publisher.succeed();
    second.wait_for(" ended");
    let sums = logbus_tests::Sums::of(&second.stop());
    assert_eq!(sums.all(), 3, "{sums:?}");
}

#[test]
fn a_publisher_that_holds_the_first_port_is_connected_to() {
    let base = free_port_base();
    let publisher = Program::python(
        "cookbook_zmq.py",
        &["bind", &format!("tcp://127.0.0.1:{base}")],
    );
    publisher.wait_for("tcp://");
    let base = base.to_string();
    let environment = [("LOGBUS_PORT_BASE", base.as_str())];
    let args = ["-t", "myapp", "--format", "%(message)s"];
    let logsub = Program::start_with("logsub", &args, &environment);
    logsub.wait_for("is held by another program; connecting to it");
    logsub.wait_for("this is the bus");
    logsub.wait_for("GET /orders took 12.345 ms");
    publisher.succeed();
    logsub.stop();
}
