//! What a syslog server gets.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use logbus_schemas::{Record, Value};

use super::*;
use crate::handler::conformance::{Look, item};
use crate::handler::socket::tests::made;

fn text(text: &str) -> Tree {
    Tree::Text(text.to_owned())
}

/// For the conformance suite: a server for streams that remembers the messages it got.
pub(in crate::handler) fn to_server(verbose: bool) -> (Box<dyn Handler>, Look) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let handler = made(&ROW.forms[0], &[("address", text(&address))], verbose);
    let got = Mutex::new((Vec::new(), None::<TcpStream>));
    let look = move || {
        let mut got = got.lock().unwrap();
        let (bytes, stream) = &mut *got;
        if stream.is_none() {
            listener.set_nonblocking(true).unwrap();
            *stream = listener.accept().ok().map(|(stream, _)| stream);
        }
        if let Some(stream) = stream {
            stream.set_nonblocking(true).unwrap();
            let _until_empty = stream.read_to_end(bytes);
        }
        shown(bytes)
    };
    (handler, Box::new(look))
}

/// The texts of messages with counted octets, a line each.
fn shown(mut bytes: &[u8]) -> String {
    let mut out = String::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..space])
            .unwrap()
            .parse()
            .unwrap();
        let message = std::str::from_utf8(&bytes[space + 1..space + 1 + length]).unwrap();
        // Seven words, the last of which is no structured data here; a message may be empty.
        let text = message.splitn(8, ' ').nth(7).unwrap_or_default();
        let visible = |c: char| if c.is_control() { '?' } else { c };
        out.extend(text.trim_start_matches('\u{feff}').chars().map(visible));
        out.push('\n');
        bytes = &bytes[space + 1 + length..];
    }
    out
}

fn record() -> Record {
    let mut record = Record::new("shop.db", 40, "größe %d");
    record.set("args", vec![Value::from(7)]);
    record.set("created", 1795207453.25);
    record.set("process", 613);
    record.set("processName", "Main Process");
    record.set("user", "a \"b\" \\ ]");
    record.set("odd=key", 1.5);
    record
}

#[test]
fn a_message_of_rfc_5424_has_everything_in_its_place() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("udp://{}", server.local_addr().unwrap());
    let options = [
        ("address", text(&address)),
        ("facility", text("local0")),
        ("hostname", text("web-1")),
    ];
    let mut handler = made(&ROW.forms[0], &options, false);
    handler.emit(&[item(record())]).unwrap();
    handler.flush().unwrap();
    let mut bytes = [0; 2000];
    let length = server.recv(&mut bytes).unwrap();
    assert_eq!(
        std::str::from_utf8(&bytes[..length]).unwrap(),
        "<131>1 2026-11-20T20:44:13.250000Z web-1 Main_Process 613 shop.db [logbus@32473 \
         user=\"a \\\"b\\\" \\\\ \\]\" odd_key=\"1.5\"] \u{feff}größe 7"
    );
}

#[test]
fn a_long_datagram_is_cut_between_characters() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("udp://{}", server.local_addr().unwrap());
    let options = [("address", text(&address)), ("max_bytes", Tree::Int(501))];
    let mut handler = made(&ROW.forms[0], &options, false);
    handler
        .emit(&[item(Record::new("a", 20, &"ü".repeat(1000)))])
        .unwrap();
    handler.flush().unwrap();
    let mut bytes = [0; 9000];
    let length = server.recv(&mut bytes).unwrap();
    assert!((500..=501).contains(&length));
    assert!(
        std::str::from_utf8(&bytes[..length])
            .unwrap()
            .ends_with("üü")
    );
}

#[test]
fn a_unix_socket_and_the_old_format_are_spoken_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let server = UnixDatagram::bind(&path).unwrap();
    let address = format!("unix://{}", path.display());
    let options = [
        ("address", text(&address)),
        ("format", text("rfc3164")),
        ("hostname", text("web-1")),
        ("app_name", text("shop!")),
    ];
    let mut handler = made(&ROW.forms[0], &options, false);
    let mut record = record();
    record.set("exc_text", "Traceback\nE");
    handler.emit(&[item(record)]).unwrap();
    handler.flush().unwrap();
    let mut bytes = [0; 2000];
    let length = server.recv(&mut bytes).unwrap();
    let message = std::str::from_utf8(&bytes[..length]).unwrap();
    let (time, rest) = message.split_at("<11>Nov 20 20:44:13".len());
    assert!(time.starts_with("<11>Nov 2"), "{message}");
    assert_eq!(rest, " web-1 shop[613]: größe 7 Traceback E");
}

#[test]
fn pythons_handler_sends_here_the_bytes_that_it_sends_there() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let script = format!(
        "import logging, logging.handlers as h\nhandler = h.SysLogHandler(('127.0.0.1', {port}), \
         h.SysLogHandler.LOG_LOCAL3)\nfor level in (5, 10, 20, 30, 40, 50):\n    \
         handler.emit(logging.LogRecord('a', level, 'f', 1, 'größe %d', (7,), None))\n"
    );
    let status = Command::new("python3")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let host = [text("127.0.0.1"), Tree::Int(i64::from(port))];
    let host = host.map(|tree| crate::config::node::Node::new(Default::default(), tree));
    let options = [
        ("address", Tree::List(host.to_vec())),
        ("facility", Tree::Int(19)),
    ];
    let mut handler = made(&ROW.forms[1], &options, false);
    let receive = || {
        let mut bytes = [0; 200];
        let length = server.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    };
    let theirs: Vec<Vec<u8>> = (0..6).map(|_| receive()).collect();
    for level in [5, 10, 20, 30, 40, 50] {
        let mut record = record();
        record.set("levelno", level);
        handler.emit(&[item(record)]).unwrap();
    }
    handler.flush().unwrap();
    let ours: Vec<Vec<u8>> = (0..6).map(|_| receive()).collect();
    // What has no name is told as "warning" there, and by its number here.
    assert_eq!(ours[1..], theirs[1..]);
}

#[test]
fn addresses_have_a_scheme_and_a_usual_port() {
    for (address, shown) in [
        ("udp://h", "udp://h:514"),
        ("tcp://h", "tcp://h:601"),
        ("tls://h:7", "tls://h:7"),
        ("udp://[::1]:9", "udp://::1:9"),
        ("unix:///dev/log", "unix:///dev/log"),
    ] {
        let target = Target::parse(address).unwrap();
        assert_eq!(Line::new(target, Framing::Bare, 9, None).to_string(), shown);
    }
    for bad in ["h:514", "http://h", "udp://", "udp://h:x", "unix://dev/log"] {
        assert!(Target::parse(bad).is_err(), "{bad}");
    }
}

/// A server for TLS with a certificate of its own, and the file that says to trust it.
fn tls_server(
    dir: &std::path::Path,
) -> (TcpListener, std::sync::Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener, config.into(), ca_file.display().to_string())
}

#[test]
fn over_tls_the_server_must_show_a_certificate_that_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (listener, config, ca_file) = tls_server(dir.path());
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        // The first client does not trust the certificate, and goes away.
        let mut received = Vec::new();
        for stream in listener.incoming().take(2) {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream.unwrap());
            received.clear();
            let _until_closed = stream.read_to_end(&mut received);
        }
        shown(&received)
    });
    let address = text(&format!("tls://localhost:{port}"));
    let mut stranger = made(&ROW.forms[0], &[("address", address.clone())], false);
    stranger
        .emit(&[item(Record::new("a", 20, "secret"))])
        .unwrap();
    stranger.flush().unwrap();
    let options = [("address", address), ("ca_file", text(&ca_file))];
    let mut handler = made(&ROW.forms[0], &options, false);
    handler
        .emit(&[item(Record::new("a", 20, "hello"))])
        .unwrap();
    handler.flush().unwrap();
    handler.close().unwrap();
    assert_eq!(server.join().unwrap(), "hello\n");
    assert_eq!(handler.dropped(), 0);
}
