use logbus_tests::{Broker, Logsub, Program, Rsyslog, endpoint_in, free_port_base};

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

/// Where a program listens for what `words` say, as a sender's socket takes it.
fn place(program: &Program, words: &str) -> String {
    let line = program.wait_for("publishers connect to");
    let entrance = endpoint_in(&line, &format!("{words}tcp"));
    entrance[words.len()..].to_owned()
}

/// A `logsub` that connects to an entrance, once it has heard `sender`; which then logs.
fn connected(entrance: &str, format: &str, mut sender: Program) -> Program {
    let args = ["--connect", entrance, "-t", "myapp", "--format", format];
    let logsub = Program::start("logsub", &args);
    logsub.wait_for_answer("is anybody there?", || sender.say("probe\n"));
    sender.say("log\n");
    sender.succeed();
    logsub
}

#[test]
fn pyzmqs_handler_and_logger_reach_a_subscriber_that_connects() {
    let sender = Program::python("pyzmq_log.py", &["tcp://127.0.0.1:0", "myapp"]);
    let endpoint = sender.wait_for("tcp://");
    let logsub = connected(
        &endpoint,
        "%(levelname)s|%(name)s|%(message)s|%(filename)s",
        sender,
    );
    for line in [
        "INFO|myapp|GET /orders took 12.345 ms|-",
        "INFO|myapp.jobs.nightly|run begins|-",
        "    ZeroDivisionError: division by zero|pyzmq_log.py",
    ] {
        logsub.wait_for(line);
    }
    let at = |line: &str| logsub.wait_for(line).ends_with("|pyzmq_log.py");
    assert!(at("DEBUG|myapp|DEBUG pyzmq_log.py:"));
    assert!(at("WARNING|myapp.db.pool|WARNING pyzmq_log.py:"));
    assert!(at("CRITICAL|myapp|CRITICAL pyzmq_log.py:"));
    logsub.stop();
}

#[test]
fn pyzmqs_handler_without_a_root_topic_is_found_by_its_subtopics() {
    let mut sender = Program::python("pyzmq_log.py", &["tcp://127.0.0.1:0", ""]);
    let endpoint = sender.wait_for("tcp://");
    let broker = Broker::start(&["--connect", &endpoint]);
    let format = "%(levelname)s|%(name)s|%(message)s";
    let connect = ["--connect", &broker.subscribers[0], "-t", "root,db"];
    let logsub = Program::start("logsub", &[&connect[..], &["--format", format]].concat());
    logsub.wait_for_answer("INFO|root|is anybody there?", || sender.say("probe\n"));
    sender.say("log\n");
    sender.succeed();
    logsub.wait_for("WARNING|db.pool|WARNING pyzmq_log.py:");
    let lines = logsub.stop();
    assert!(!lines.iter().any(|line| line.contains("run begins")));
    broker.program.stop();
}

fn expect_all_of_logbook(program: &Program) {
    for line in [
        "TRACE|5|myapp.web|trace message|-",
        "DEBUG|10|myapp.web|debug message|-",
        "INFO|20|myapp.web|GET /orders took 12.345 ms|-",
        "NOTICE|25|myapp.web|user fred logged in|fred",
        "WARNING|30|myapp.web|disk at 91%|sheila",
        "ERROR|40|myapp.web|computing failed|-",
        "    ZeroDivisionError: division by zero",
        "CRITICAL|50|myapp.web|giving up|-",
    ] {
        program.wait_for(line);
    }
}

const LOGBOOK: &str = "%(levelname)s|%(levelno)s|%(name)s|%(message)s|%(user)s";

#[test]
fn logbooks_handler_reaches_a_subscriber_that_connects() {
    let sender = Program::python("logbook_zmq.py", &["pub", "tcp://127.0.0.1:0"]);
    let endpoint = sender.wait_for("tcp://");
    let logsub = connected(&endpoint, LOGBOOK, sender);
    expect_all_of_logbook(&logsub);
    logsub.stop();
}

#[test]
fn logbooks_handler_for_many_processes_pushes_to_the_bus() {
    let base = free_port_base().to_string();
    let args = ["--listen", "pull+tcp://127.0.0.1:0", "--format", LOGBOOK];
    let logsub = Program::start_with("logsub", &args, &[("LOGBUS_PORT_BASE", &base)]);
    let endpoint = place(&logsub, "pull+");
    for _ in 0..2 {
        let mut sender = Program::python("logbook_zmq.py", &["push", &endpoint]);
        sender.say("log\n");
        sender.succeed();
    }
    expect_all_of_logbook(&logsub);
    logsub.wait_for_count("CRITICAL|50|myapp.web|giving up|-", 2);
    logsub.stop();
}

#[test]
fn lines_of_text_are_records_where_an_endpoint_says_so() {
    let broker = Broker::start(&["--listen", "text+pull+tcp://127.0.0.1:0"]);
    let endpoint = place(&broker.program, "text+pull+");
    let format = "%(levelname)s|%(name)s|%(message)s";
    let args = ["--connect", &broker.subscribers[0], "--format", format];
    let logsub = Program::start("logsub", &args);
    logsub.wait_for("connected to");
    for args in [&[endpoint.as_str()][..], &[&endpoint, "web.access"]] {
        let mut sender = Program::python("text_lines.py", args);
        sender.say("{\"GET\": 100%}\n");
        sender.succeed();
    }
    logsub.wait_for("INFO|text|{\"GET\": 100%}");
    logsub.wait_for("INFO|web.access|{\"GET\": 100%}");
    logsub.stop();
    broker.program.stop();
}

#[test]
fn pyzmqs_command_reads_what_the_broker_passes_on() {
    let broker = Broker::start(&["--subscribers", "pyzmq+tcp://127.0.0.1:0"]);
    let endpoint = place(&broker.program, "pyzmq+");
    let reader = Program::python_module("zmq.log", &[&endpoint, "-t", "shop"]);
    let publish = |level: &str, topic: &str, text: &str| {
        let connect = ["--connect", &broker.publishers[0], "--linger", "40"];
        let what = ["-l", level, "-t", topic, text];
        Program::start("logpub", &[&connect[..], &what].concat()).succeed();
    };
    // A publisher holds its records until the reader's subscription has come through.
    publish("info", "shop", "order 17 accepted");
    publish("warning", "shop.stock.eu", "8 left");
    reader.wait_for("shop.INFO | order 17 accepted");
    reader.wait_for("shop.WARNING.stock.eu | 8 left");
    Program::python("cookbook_zmq.py", &["connect", &broker.publishers[0]]).succeed();
    publish("info", "shop", "last");
    reader.wait_for("shop.INFO | last");
    assert!(!reader.lines().iter().any(|line| line.contains("Traceback")));
    reader.signal("-INT");
    reader.wait();
    broker.program.stop();
}

const RSYSLOG: &str = "%(levelname)s|%(name)s|%(process)s|%(message)s|%(facility)s|%(severity)s";

/// Has `logsub` show what a program logs through rsyslog.
fn expect_all_of_rsyslog(rsyslog: Rsyslog, logsub: Program) {
    let log = || rsyslog.log("<187>Nov 20 21:43:21 app[77]: disk full");
    logsub.wait_for_answer("ERROR|app|77|disk full|local7|err", log);
    rsyslog.stop();
    logsub.stop();
}

fn check_published_by_rsyslog(options: &str, topic: &str) {
    let options = format!("endpoints=\"@ipc://{{dir}}out\" socktype=\"PUB\" {options}");
    let rsyslog = Rsyslog::start(&options);
    let entrance = format!("rsyslog+ipc://{}", rsyslog.path("out").display());
    let args = ["--connect", &entrance, "-t", topic, "--format", RSYSLOG];
    let logsub = Program::start("logsub", &args);
    expect_all_of_rsyslog(rsyslog, logsub);
}

#[test]
fn rsyslog_publishes_with_and_without_a_topic() {
    check_published_by_rsyslog("", "app");
    check_published_by_rsyslog("topics=\"web.eu\"", "web");
    check_published_by_rsyslog("topics=\"web.eu\" topicframe=\"on\"", "web");
}

#[test]
fn rsyslog_pushes_to_the_broker() {
    let broker = Broker::start(&["--listen", "rsyslog+pull+tcp://127.0.0.1:0"]);
    let endpoint = place(&broker.program, "rsyslog+pull+");
    let options = format!("endpoints=\">{endpoint}\" socktype=\"PUSH\"");
    let rsyslog = Rsyslog::start(&options);
    let connect = ["--connect", &broker.subscribers[0], "-t", "app"];
    let logsub = Program::start("logsub", &[&connect[..], &["--format", RSYSLOG]].concat());
    expect_all_of_rsyslog(rsyslog, logsub);
    broker.program.stop();
}
