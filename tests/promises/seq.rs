use std::net::{SocketAddr, TcpListener};

use logbus_tests::seq_server::SeqServer;
use logbus_tests::{Logsub, Program, free_port};

/// The number at the end of each event's message, in the order in which the server took them.
fn numbers(server: &SeqServer) -> Vec<usize> {
    let messages = server.ids("@mt");
    messages
        .iter()
        .filter_map(|message| message.parse().ok())
        .collect()
}

#[test]
fn what_logsub_held_for_seq_when_it_was_killed_arrives_after_its_restart() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let url = format!("http://{address}");
    let log = dir.path().join("all.log");
    let args = [
        "--no-console",
        "--seq",
        &url,
        "--file",
        &log.display().to_string(),
    ];
    let environment = [("XDG_STATE_HOME", state.as_str())];
    let mut sent = 0;
    for _ in 0..2 {
        let logsub = Logsub::bound_with(&args, &environment);
        let mut logpub = Program::start("logpub", &["--connect", &logsub.zmq, "--linger", "30"]);
        for _ in 0..300 {
            logpub.say(&format!("{sent}\n"));
            sent += 1;
        }
        logpub.close_input();
        logpub.succeed();
        logbus_tests::wait_for_file(&log, &format!(" {}", sent - 1));
        // Both handlers were flushed by then or are within a second; the spool says so itself.
        logsub.program.wait_for("events wait on disk");
        logsub.program.signal("-KILL");
        drop(logsub);
    }
    let server = SeqServer::on(TcpListener::bind(address).unwrap());
    let logsub = Logsub::bound_with(&args, &environment);
    logsub.program.wait_for("events of an earlier run wait");
    server.until("events", |state| state.events.len() >= sent);
    logsub.program.stop();
    assert_eq!(numbers(&server), (0..sent).collect::<Vec<_>>());
}

#[test]
fn the_seq_handler_that_the_workers_had_does_in_logsub() {
    let server = SeqServer::start();
    server.state().api_key = Some("hush".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("logging.json");
    let text = format!(
        r#"{{"version": 1, "disable_existing_loggers": true,
            "handlers": {{"seq": {{"class": "seqlog.structured_logging.SeqLogHandler",
                "server_url": "{}", "api_key": "hush", "batch_size": 10,
                "auto_flush_timeout": 0.1, "json_encoder_class": "myapp.Encoder"}}}},
            "root": {{"level": "INFO", "handlers": ["seq"]}}}}"#,
        server.url
    );
    std::fs::write(&config, text).unwrap();
    let state = dir.path().display().to_string();
    let config = config.display().to_string();
    let environment = [("XDG_STATE_HOME", state.as_str())];
    let logsub = Logsub::bound_with(&["--config", &config], &environment);
    let said = logsub.program.wait_for("json_encoder_class");
    assert!(said.contains("is not needed"), "{said}");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/shop.json");
    let folder = dir.path().display().to_string();
    Program::python("same_both_ways.py", &[source, &folder, &logsub.zmq]).succeed();
    server.until("the last event", |state| {
        let last = state.events.last();
        last.is_some_and(|event| event["LoggerName"] == "last")
    });
    logsub.program.stop();
    let state = server.state();
    let order = state
        .events
        .iter()
        .find(|event| event["@mt"] == "order {0} of {1}")
        .unwrap();
    assert_eq!(order["1"], "ann");
    assert_eq!(order["0"], order["number"]);
    assert!(state.events.iter().any(|event| {
        let text = event["@x"].as_str().unwrap_or_default();
        text.starts_with("Traceback") && event["ProcessId"].is_number()
    }));
}
