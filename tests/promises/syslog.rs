use logbus_tests::{Logsub, Program, Rsyslog, wait_for_file};

/// What a real rsyslog understands of a record that `logsub` sends it.
fn understood(scheme: &str) -> String {
    let (rsyslog, udp, tcp) = Rsyslog::receiving();
    let port = if scheme == "udp" { udp } else { tcp };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("syslog.yaml");
    let text = format!(
        "handlers:\n  out: {{type: syslog, address: '{scheme}://127.0.0.1:{port}', facility: local3, hostname: web-1, \
         app_name: shop}}\nroot: {{level: INFO, handlers: [out]}}\n"
    );
    std::fs::write(&config, text).unwrap();
    let logsub = Logsub::bound(&["--config", &config.display().to_string()]);
    let mut logpub = Program::start(
        "logpub",
        &["--connect", &logsub.zmq, "--linger", "30", "--json"],
    );
    logpub.say(
        "{\"name\":\"shop.db\",\"levelno\":40,\"msg\":\"größe %d\",\"args\":[7],\
         \"process\":613,\"user\":\"a]b\"}\n",
    );
    logpub.close_input();
    logpub.succeed();
    let line = wait_for_file(&rsyslog.path("received"), "größe 7");
    logsub.program.stop();
    rsyslog.stop();
    line
}

#[test]
fn rsyslog_understands_messages_over_udp_and_tcp() {
    let expected = "local3.err web-1 shop 613 shop.db [logbus@32473 user=\"a\\]b\"";
    for scheme in ["udp", "tcp"] {
        let line = understood(scheme);
        assert!(line.starts_with(expected), "{line}");
    }
}
