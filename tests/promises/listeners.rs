#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{Read, Write};
use std::net::TcpStream;

use logbus_tests::{Broker, Program, Sums, endpoint_in, free_port_base};

const FORMAT: &str = "%(levelname)s|%(name)s|%(message)s|%(user)s";

/// A `logsub` with one more place to listen at, and the place's host and port.
fn logsub(scheme: &str, args: &[&str]) -> (Program, String) {
    let entrance = format!("{scheme}://127.0.0.1:0");
    let own = ["--bind", "tcp://127.0.0.1:0", "--listen", &entrance];
    let program = Program::start("logsub", &[&own, args].concat());
    let line = program.wait_for("receiving at");
    let address = endpoint_in(&line, scheme).replace(&format!("{scheme}://"), "");
    (program, address)
}

fn port_of(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

#[test]
fn pythons_socket_handler_reaches_a_subscriber_as_it_is() {
    let format = "%(levelname)s|%(name)s|%(message)s|%(user)s|%(price)s|%(by)s";
    let (logsub, address) = logsub("pickle+tcp", &["--stats", "--format", format]);
    let kinds = ["stock", "protocol", "object", "json", "line"];
    let senders = kinds.map(|kind| {
        let name = format!("app.{kind}");
        Program::python("socket_handler.py", &[kind, port_of(&address), &name])
    });
    for sender in senders {
        sender.succeed();
    }
    for kind in kinds {
        for line in [
            format!("DEBUG|app.{kind}|debug message|-"),
            format!("INFO|app.{kind}|GET /orders took 12.345 ms|-"),
            format!("WARNING|app.{kind}|disk at 91%|sheila"),
            format!("ERROR|app.{kind}|computing failed|-"),
            format!("Level 25|app.{kind}|custom level|-"),
            format!("INFO|app.{kind}.lib|child logger|-"),
            format!("INFO|app.{kind}|żółw 🐢"),
            format!("INFO|app.{kind}|xxxxxxx"),
            format!("INFO|app.{kind}|the end|-"),
        ] {
            logsub.wait_for(&line);
        }
    }
    for protocol in 0..6 {
        logsub.wait_for(&format!("INFO|app.protocol|protocol {protocol}|-"));
    }
    logsub.wait_for("INFO|app.stock|objects|<__main__.Oddity object>|1.50|{'a': [7]}");
    logsub.wait_for_count("ZeroDivisionError: division by zero", 4);
    logsub.wait_for_count("Stack (most recent call last):", 5);
    let lines = logsub.stop();
    let sums = Sums::of(&lines);
    assert_eq!(
        (sums.received, sums.malformed),
        (5 * 9 + 6 + 1, 0),
        "{lines:?}"
    );
}

#[test]
fn seqlog_reaches_a_subscriber_by_changing_its_url() {
    for form in ["classic", "clef"] {
        let args = ["--format", FORMAT, "--listen-api-key", "s3cret"];
        let (logsub, address) = logsub("seq+http", &args);
        let url = format!("http://{address}");
        let mut sender = Program::python("seqlog_sender.py", &[form, &url, "s3cret"]);
        for line in [
            "INFO|shop.orders|order 17 took 12.345 ms|-",
            "WARNING|shop.orders|disk at 91%|sheila",
            "ERROR|shop.orders|computing ratio failed|-",
            "ZeroDivisionError: division by zero",
            "CRITICAL|shop.orders|żółw 🐢 {\"a\":[1,2]}|-",
            "INFO|shop.orders|not a number: NaN|-",
            "INFO|shop.orders|the end|-",
        ] {
            logsub.wait_for(line);
        }
        logsub.wait_for(&format!("DEBUG|shop.orders|starting {form}|-"));
        sender.close_input();
        sender.succeed();
        let lines = logsub.stop();
        assert!(!lines.iter().any(|line| line.contains("s3cret")));
    }
}

/// Posts a body; the status of the answer and its text.
fn post(address: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// Bodies and statuses that Datalust holds its own forwarder to (`seqcli`'s end-to-end tests), at
/// Seq's default sizes.
#[test]
fn seqs_endpoint_answers_as_datalusts_own_tests_demand() {
    let broker = Broker::start(&["--listen", "seq+http://127.0.0.1:0"]);
    let line = broker.program.wait_for("seq+http://");
    let address = endpoint_in(&line, "seq+http").replace("seq+http://", "");
    let now = "2026-11-20T20:44:18.0420990Z";
    let padded = |length| format!("{{\"@t\":\"{now}\",\"X\":\"{}\"}}", "X".repeat(length));
    for (body, status) in [
        (format!("{{\"@t\":\"{now}\"}}"), 201),
        (format!("{{\"@t\":\"{now}\",\"\":42}}"), 201),
        (
            format!("{{\"@t\":\"{now}\",\"@mt\":\"{{a.b}}{{a.c}}{{b.d}}\",\"a\":{{\"b\":1}}}}"),
            201,
        ),
        (
            format!(
                "{{\"@t\":\"{now}\",\"@mt\":\"test {{a}} {{b}}\",\"@i\":\"ba6bd213\",\"a\":\"A\",\"b\":42}}"
            ),
            201,
        ),
        (
            format!("{{\"@t\":\"{now}\",\"N\":635476923356034756,\"@mt\":\"N{{N}}\"}}"),
            201,
        ),
        ("{}".to_owned(), 400),
        ("{hello!}".to_owned(), 400),
        ("{\"@t\":\"ceci n'est pas un timestamp\"}".to_owned(), 400),
        ("X".repeat(100), 400),
        ("X".repeat((10 << 20) + 100), 413),
        (padded((256 << 10) + 1000), 400),
        (padded((256 << 10) - 1000), 201),
        (
            format!(
                "{{\"@t\":\"{now}\",\"@tr\":\"abc\",\"@sp\":\"def\",\"@ra\":{{\"ghi\":\"jkl\"}},\"@sa\":{{\"mno\":\"pqr\"}}}}"
            ),
            201,
        ),
        (
            format!(
                "{{\"@t\":\"{now}\",\"@m\":\"Not a template {{foo: 'bar'}}\",\"@i\":\"01234567\"}}"
            ),
            201,
        ),
        (String::new(), 201),
    ] {
        let (answered, text) = post(&address, "/ingest/clef", "", &body);
        let shown: String = body.chars().take(200).collect();
        assert_eq!(answered, status, "{shown}: {text}");
    }
    let summary = broker.program.stop().pop().unwrap();
    assert!(
        summary.contains("received 8 records") && summary.ends_with("refused requests 6"),
        "{summary}"
    );
}

#[test]
fn one_bad_event_refuses_its_request_and_is_named() {
    let (logsub, address) = logsub(
        "seq+http",
        &["--format", FORMAT, "--listen-api-key", "s3cret"],
    );
    let event = |text| format!("{{\"@t\":\"2026-11-20T20:44:18Z\",\"@mt\":\"{text}\"}}\n");
    let key = "X-Seq-ApiKey: s3cret\r\n";
    let two = event("good one") + "{\"@t\":5}\n";
    let (status, text) = post(&address, "/ingest/clef", key, &two);
    assert!(
        status == 400 && text.contains("line 2: unparseable `@t`"),
        "{text}"
    );
    assert_eq!(
        post(
            &address,
            "/ingest/clef",
            "X-Seq-ApiKey: other\r\n",
            &event("no")
        )
        .0,
        403
    );
    assert_eq!(post(&address, "/ingest/clef", "", &event("no")).0, 401);
    assert_eq!(
        post(&address, "/ingest/clef", key, &event("good two")).0,
        201
    );
    logsub.wait_for("INFO|seq|good two|-");
    logsub.wait_for("line 2: unparseable `@t`");
    let lines = logsub.stop();
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("good one") || line.contains("s3cret"))
    );
}

#[test]
fn broken_senders_are_told_and_kept_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.jsonl");
    let reject_file = [
        "--format",
        FORMAT,
        "--reject-file",
        rejects.to_str().unwrap(),
    ];
    let (logsub, address) = logsub("pickle+tcp", &reject_file);
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"\x00\x00\x01\x00half").unwrap();
    for bad in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x05only",
        b"\x00\x00\x00\x04\x80\x05]x",
    ] {
        TcpStream::connect(&address)
            .unwrap()
            .write_all(bad)
            .unwrap();
    }
    Program::python("socket_handler.py", &["stock", port_of(&address), "app"]).succeed();
    logsub.wait_for("INFO|app|the end|-");
    logsub.wait_for("this is for Python's SocketHandler");
    // Slower than its patience: the connection is closed from the other side.
    slow.set_read_timeout(Some(std::time::Duration::from_secs(40)))
        .unwrap();
    let end = loop {
        match slow.read(&mut [0]) {
            // A signal to this process, as other tests beside this one may cause.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            end => break end,
        }
    };
    assert_eq!(end.unwrap(), 0);
    let lines = logsub.stop();
    let sums = |line: &String| line.contains("at the listeners: broken frames 4");
    assert!(lines.iter().any(sums), "{lines:?}");
    let kept = std::fs::read_to_string(rejects).unwrap();
    assert_eq!(kept.lines().count(), 3, "{kept}");
}

#[test]
fn whoever_listens_must_be_the_bus() {
    let base = free_port_base().to_string();
    let environment = [("LOGBUS_PORT_BASE", base.as_str())];
    let bus = Program::start_with("logsub", &[], &environment);
    bus.wait_for("this is the bus");
    let args = ["--listen", "pickle+tcp://127.0.0.1:0"];
    let (status, lines) = Program::start_with("logsub", &args, &environment).wait();
    assert_eq!((status.code(), lines.len()), (Some(1), 1), "{lines:?}");
    assert!(
        lines[0].contains("logsub is the bus; give it --listen pickle+tcp://"),
        "{lines:?}"
    );
    bus.stop();

    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let entrance = format!("pickle+tcp://{}", held.local_addr().unwrap());
    let alone = Program::start_with("logsub", &["--listen", &entrance], &environment);
    let (status, lines) = alone.wait();
    assert_eq!((status.code(), lines.len()), (Some(1), 1), "{lines:?}");
    assert!(lines[0].contains("already listens there"), "{lines:?}");
}
