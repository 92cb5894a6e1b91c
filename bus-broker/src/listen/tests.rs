//! Senders that do as they should, and senders that do not, at real sockets.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use logbus_schemas::Record;
use logbus_schemas::dialect::{self, Reading};
use logbus_transport::{Inlet, PollSet, wait};

use super::*;
use crate::{Broker, Config, Taker, tap};

/// Longer than anything takes on a slow machine.
const LONG: Duration = Duration::from_secs(30);
const PICKLE: &[u8] = b"}(U\x04nameU\x01aU\x03msgU\x02hiu.";

struct World {
    broker: Broker,
    taker: RefCell<Taker>,
    said: Receiver<String>,
}

impl World {
    fn new(scheme: &str, listen: ListenConfig) -> Self {
        let (tap, taker) = tap(&[]);
        let (say, said) = channel();
        let broker = Broker::start(Config {
            publishers: vec![Entrance::listen(&format!("{scheme}://127.0.0.1:0")).unwrap()],
            subscribers: Vec::new(),
            taps: vec![tap],
            max_frame: 1 << 20,
            listen,
            say: Box::new(move |line| drop(say.send(line.to_owned()))),
            ..Config::default()
        });
        Self {
            broker: broker.unwrap(),
            taker: RefCell::new(taker),
            said,
        }
    }

    fn connect(&self) -> TcpStream {
        let (_, address) = self.broker.publishers()[0].split_once("://").unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The next record; what was rejected, which comes as it is, is passed over.
    fn next_record(&self) -> Record {
        loop {
            let inbound = self.taker.borrow_mut().take(LONG).unwrap();
            let frames: Vec<&[u8]> = inbound.message.frames().iter().map(|f| &**f).collect();
            if let Ok(Reading::Native {
                header, payload, ..
            }) = dialect::read(&frames)
                && !header.flags.is_heartbeat()
            {
                return header.codec.decode(payload).unwrap();
            }
        }
    }

    #[track_caller]
    fn expect_said(&self, text: &str) {
        let line = self.said.recv_timeout(LONG).unwrap();
        assert!(line.contains(text), "{line:?} has no {text:?}");
    }

    /// Closes the broker; how often there was this trouble.
    fn troubles(self, trouble: Trouble) -> u64 {
        let summary = self.broker.close(LONG);
        summary.troubles.get(&trouble).copied().unwrap_or(0)
    }
}

fn impatient() -> ListenConfig {
    ListenConfig {
        patience: Duration::from_millis(200),
        ..ListenConfig::default()
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

/// Whether the other side has closed: nothing more can be read.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Sends a request; status, and everything that came.
fn ask(stream: &mut TcpStream, request: &[u8]) -> (u16, String) {
    stream.write_all(request).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head.to_lowercase();
    let (_, length) = length.split_once("content-length: ").unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head + std::str::from_utf8(&body).unwrap())
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

const EVENT: &str = "{\"@t\":\"2026-11-20T20:44:18Z\",\"@mt\":\"n is {n}\",\"n\":5}\n";

#[test]
fn pickles_and_json_come_in_at_one_port_and_in_one_connection() {
    let world = World::new("pickle+tcp", ListenConfig::default());
    let mut stream = world.connect();
    let json = b"{\"name\":\"b\",\"msg\":\"framed\"}";
    let line = b"{\"name\":\"c\",\"msg\":\"a line\"}\n";
    let all = [framed(PICKLE), framed(json), line.to_vec(), framed(PICKLE)].concat();
    for byte in all {
        stream.write_all(&[byte]).unwrap();
    }
    stream
        .write_all(b"{\"name\":\"d\",\"msg\":\"no line feed\"}")
        .unwrap();
    drop(stream);
    let messages = [(); 5].map(|()| world.next_record().get_message().into_owned());
    assert_eq!(messages, ["hi", "framed", "a line", "hi", "no line feed"]);
    assert_eq!(world.troubles(Trouble::BrokenFrame), 0);
}

#[test]
fn a_large_frame_comes_whole() {
    let world = World::new("pickle+tcp", ListenConfig::default());
    let text = "x".repeat(900_000);
    let json = format!("{{\"name\":\"b\",\"msg\":\"{text}\"}}");
    world.connect().write_all(&framed(json.as_bytes())).unwrap();
    assert_eq!(world.next_record().get_message(), text);
}

#[test]
fn a_frame_of_a_wrong_length_ends_its_connection_and_no_other() {
    let world = World::new("pickle+tcp", ListenConfig::default());
    let mut good = world.connect();
    for length in [0, (1 << 20) + 1, u32::from_be_bytes(*b"GET ")] {
        let mut bad = world.connect();
        bad.write_all(&length.to_be_bytes()).unwrap();
        assert!(is_closed(&mut bad));
        good.write_all(&framed(PICKLE)).unwrap();
        assert_eq!(world.next_record().get_message(), "hi");
    }
    world.expect_said("a frame cannot have a length of 0");
    assert_eq!(world.troubles(Trouble::BrokenFrame), 3);
}

#[test]
fn half_a_frame_is_counted_and_kept() {
    let world = World::new("pickle+tcp", ListenConfig::default());
    let mut stream = world.connect();
    stream.write_all(&framed(PICKLE)[..20]).unwrap();
    drop(stream);
    world.expect_said("a frame ended too early; connection from 127.0.0.1:");
    let inbound = world.taker.borrow_mut().take(LONG).unwrap();
    assert_eq!(&*inbound.message.frames()[0], &PICKLE[..16]);
    assert_eq!(inbound.dialect.map(|dialect| dialect.name), Some("pickle"));
    assert_eq!(world.troubles(Trouble::BrokenFrame), 1);
}

#[test]
fn a_frame_that_stands_still_is_broken_off_and_an_idle_connection_is_not() {
    let world = World::new("pickle+tcp", impatient());
    let mut idle = world.connect();
    let mut slow = world.connect();
    slow.write_all(&framed(PICKLE)[..6]).unwrap();
    let mut line = world.connect();
    line.write_all(b"{\"name\":").unwrap();
    assert!(is_closed(&mut slow) && is_closed(&mut line));
    idle.write_all(&framed(PICKLE)).unwrap();
    assert_eq!(world.next_record().get_message(), "hi");
    world.expect_said("a frame did not come in time");
    assert_eq!(world.troubles(Trouble::BrokenFrame), 2);
}

#[test]
fn connections_are_bounded() {
    let listen = ListenConfig {
        connections: 2,
        ..ListenConfig::default()
    };
    let world = World::new("pickle+tcp", listen);
    let mut served = [world.connect(), world.connect()];
    for stream in &mut served {
        stream.write_all(&framed(PICKLE)).unwrap();
        world.next_record();
    }
    assert!(is_closed(&mut world.connect()));
    world.expect_said("there are 2 already");
    assert_eq!(world.troubles(Trouble::RefusedConnection), 1);
}

#[test]
fn what_has_come_is_taken_before_the_end() {
    let world = World::new("pickle+tcp", ListenConfig::default());
    let mut stream = world.connect();
    stream.write_all(&framed(PICKLE)).unwrap();
    world.next_record();
    stream.write_all(&framed(PICKLE).repeat(10_000)).unwrap();
    let summary = world.broker.close(LONG);
    assert_eq!((summary.received, summary.foreign), (10_001, 10_001));
}

#[test]
fn seqs_clients_are_answered_as_seq_answers() {
    let world = World::new("seq+http", ListenConfig::default());
    let mut stream = world.connect();
    let clef = "Content-Type: application/vnd.serilog.clef; charset=utf-8\r\n";
    let classic = "{\"Events\":[{\"Timestamp\":\"2026-11-20T20:44:18Z\"}]}";
    for (request, status) in [
        (post("/ingest/clef", "", EVENT), 201),
        (post("/ingest/clef?apiKey=any", "", ""), 201),
        (post("/api/events/raw", clef, EVENT), 201),
        (post("/api/events/raw?clef", "", EVENT), 201),
        (post("/api/events/raw?clef=true", "", EVENT), 201),
        (post("/api/events/raw?clef=", "", EVENT), 400),
        (post("/api/events/raw", "", classic), 201),
        (post("/ingest/clef", "", "{}"), 400),
        (
            post("/ingest/clef", "Content-Encoding: gzip\r\n", EVENT),
            400,
        ),
        (
            b"GET /ingest/clef HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            405,
        ),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 200),
        (b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 200),
        (b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 404),
    ] {
        let (answered, text) = ask(&mut stream, &request);
        assert_eq!(
            answered,
            status,
            "{}: {text}",
            String::from_utf8_lossy(&request)
        );
        assert!(status < 400 || text.contains("{\"Error\":\""), "{text}");
        assert!(status != 201 || text.ends_with("{\"MinimumLevelAccepted\":null}"));
    }
    let messages = [(); 5].map(|()| world.next_record().get_message().into_owned());
    assert_eq!(messages, ["n is 5", "n is 5", "n is 5", "n is 5", ""]);
    assert_eq!(world.troubles(Trouble::RefusedRequest), 4);
}

#[test]
fn a_key_that_is_set_must_be_shown() {
    let listen = ListenConfig {
        api_key: Some("s3cret".parse().unwrap()),
        ..ListenConfig::default()
    };
    let world = World::new("seq+http", listen);
    let mut stream = world.connect();
    for (path, headers, status) in [
        ("/ingest/clef", "", 401),
        ("/ingest/clef", "X-Seq-ApiKey: s3cres\r\n", 403),
        ("/ingest/clef?apiKey=s3cret", "X-Seq-ApiKey: other\r\n", 403),
        ("/ingest/clef", "X-Seq-ApiKey: s3cret\r\n", 201),
        ("/ingest/clef?apiKey=s3cret", "", 201),
    ] {
        let (answered, text) = ask(&mut stream, &post(path, headers, EVENT));
        assert_eq!(answered, status, "{path} {headers}");
        assert!(!text.contains("s3cret"));
    }
    let line = world.said.recv_timeout(LONG).unwrap();
    assert!(line.contains("401") && !line.contains("s3cret"), "{line}");
}

#[test]
fn a_body_that_is_too_large_is_told_so() {
    let world = World::new("seq+http", ListenConfig::default());
    let body = "X".repeat((10 << 20) + 100);
    let (status, text) = ask(&mut world.connect(), &post("/ingest/clef", "", &body));
    assert_eq!(status, 413, "{text}");
}

/// Listeners without a hub: nobody takes what is handed on but the test.
fn without_hub(scheme: &str, bytes: usize) -> (Box<dyn Inlet>, Listening) {
    let entrance = Entrance::listen(&format!("{scheme}://127.0.0.1:0")).unwrap();
    let config = ListenConfig {
        bytes,
        ..ListenConfig::default()
    };
    let (mut sources, listening) =
        open(&[entrance], &config, 1 << 20, &Waker::new().unwrap()).unwrap();
    (sources.remove(0).inlet, listening)
}

#[test]
fn when_the_bus_is_behind_pickles_wait_and_none_is_lost() {
    let (mut inlet, listening) = without_hub("pickle+tcp", 2_000);
    let mut stream = TcpStream::connect(inlet.endpoints()[0].address()).unwrap();
    stream.write_all(&framed(PICKLE).repeat(1_000)).unwrap();
    for _ in 0..1_000 {
        while inlet.receive().unwrap().is_none() {
            let mut set = PollSet::new();
            inlet.poll(&mut set);
            wait(&mut set, Some(LONG)).unwrap();
        }
    }
    assert!(listening.tally.counts().is_empty());
}

#[test]
fn a_bus_that_is_behind_says_so_and_takes_nothing() {
    let (mut inlet, listening) = without_hub("seq+http", 1_000);
    let mut stream = TcpStream::connect(inlet.endpoints()[0].address()).unwrap();
    let mut status = |count| ask(&mut stream, &post("/ingest/clef", "", &EVENT.repeat(count))).0;
    assert_eq!((status(2), status(2)), (201, 503));
    assert!(inlet.receive().unwrap().is_some());
    assert_eq!(status(2), 503);
    assert!(inlet.receive().unwrap().is_some());
    assert_eq!(status(2), 201);
    assert_eq!(listening.tally.counts()[&Trouble::RefusedRequest], 2);
}

#[test]
fn a_body_that_stands_still_is_given_up_while_others_are_served() {
    let world = World::new("seq+http", impatient());
    let mut slow = world.connect();
    let head = b"POST /ingest/clef HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    slow.write_all(head).unwrap();
    let (status, _) = ask(&mut world.connect(), &post("/ingest/clef", "", EVENT));
    assert_eq!(status, 201);
    assert_eq!(world.next_record().get_message(), "n is 5");
    assert_eq!(ask(&mut slow, b"").0, 408);
    assert!(is_closed(&mut slow));
    let mut silent = world.connect();
    silent.write_all(b"POST /ingest").unwrap();
    assert!(is_closed(&mut silent));
    assert_eq!(world.troubles(Trouble::RefusedRequest), 2);
}

#[test]
fn who_sends_more_than_its_rate_is_made_to_wait_and_loses_nothing() {
    let (tap, taker) = tap(&[]);
    let (say, said) = channel();
    let broker = Broker::start(Config {
        publishers: vec![Entrance::listen("pickle+tcp://127.0.0.1:0").unwrap()],
        subscribers: Vec::new(),
        taps: vec![tap],
        max_rate: Rate {
            messages: Some(10),
            bytes: None,
        },
        say: Box::new(move |line| drop(say.send(line.to_owned()))),
        ..Config::default()
    });
    let world = World {
        broker: broker.unwrap(),
        taker: RefCell::new(taker),
        said,
    };
    let mut stream = world.connect();
    let line = b"{\"name\":\"c\",\"msg\":\"a line\"}\n";
    let lines = line.repeat(130);
    let sending = std::thread::spawn(move || stream.write_all(&lines));
    for _ in 0..130 {
        world.next_record();
    }
    sending.join().unwrap().unwrap();
    world.expect_said("is read more slowly: it sends more than 10 messages a second");
    assert!(world.troubles(Trouble::SlowedDown) > 0);
}
