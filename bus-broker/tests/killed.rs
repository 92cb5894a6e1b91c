//! A broker that is killed again and again, and a publisher that sends again what was not
//! acknowledged: every record is in the journal once.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use logbus_schemas::codec;
use logbus_schemas::wire::durable::{Command, From, Hello, Read};
use logbus_schemas::wire::{Header, SenderId};
use logbus_transport::{Caller, Endpoint, Frame, Message, Options, PollSet, Sent, wait};

const RECORDS: u64 = 3000;
const IN_FLIGHT: u64 = 500;

/// A broker; dropped, it is killed.
struct Broker {
    child: Child,
    endpoint: Endpoint,
}

impl Broker {
    fn start(journal: &Path) -> Self {
        let mut child = Program::new(env!("CARGO_BIN_EXE_bus-broker"))
            .args(["--publishers", "tcp://127.0.0.1:0"])
            .args(["--subscribers", "tcp://127.0.0.1:0"])
            .args(["--durable-endpoint", "tcp://127.0.0.1:0", "--journal"])
            .arg(journal)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // A journal that did not end properly may have something to say first.
        let endpoint = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, behind) = line.split_once("durable ones to ")?;
            Some(behind.split(' ').next().unwrap().parse().unwrap())
        });
        let endpoint = endpoint.unwrap();
        Self { child, endpoint }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn call(broker: &Broker) -> Caller {
    let mut caller = Caller::open(&broker.endpoint, &Options::default()).unwrap();
    send(
        &mut caller,
        Message::single(Command::Hello(Hello::default()).encode()),
    );
    assert!(matches!(hear(&mut caller), (Command::Welcome(_), _)));
    caller
}

fn send(caller: &mut Caller, message: Message) {
    assert!(matches!(caller.send(message).unwrap(), Sent::Taken));
}

fn hear(caller: &mut Caller) -> (Command, Vec<Vec<u8>>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(message) = caller.receive().unwrap() {
            let mut frames = message.into_frames().map(|frame| frame.to_vec());
            return (
                Command::decode(&frames.next().unwrap()).unwrap(),
                frames.collect(),
            );
        }
        assert!(Instant::now() < deadline, "nothing is said");
        let mut set = PollSet::new();
        caller.poll(&mut set, false);
        wait(&mut set, Some(Duration::from_millis(50))).unwrap();
    }
}

fn publish(caller: &mut Caller, number: u64) {
    let mut header = Header::new(codec::JSON, SenderId(7));
    (header.sequence, header.count) = (number, 1);
    let payload = format!("{{\"msg\":\"{number}\"}}\n");
    let frames = [
        &Command::Publish.encode()[..],
        b"web",
        &header.to_bytes(),
        payload.as_bytes(),
    ];
    send(caller, frames.into_iter().map(Frame::from).collect());
}

#[test]
fn every_record_is_kept_once_though_the_broker_is_killed_in_the_midst() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = 0;
    for kill_at in [400, 1100, 1900, RECORDS] {
        let broker = Broker::start(dir.path());
        let mut caller = call(&broker);
        let mut sent = acked;
        while acked < kill_at {
            while sent < RECORDS && sent < acked + IN_FLIGHT {
                publish(&mut caller, sent);
                sent += 1;
            }
            if let (Command::Ack(ack), _) = hear(&mut caller) {
                acked = acked.max(ack.next);
            }
        }
    }
    let broker = Broker::start(dir.path());
    let mut caller = call(&broker);
    let read = Read {
        from: From::Begin,
        credit: u32::MAX,
        ..Read::default()
    };
    send(&mut caller, Message::single(Command::Read(read).encode()));
    let mut found = Vec::new();
    loop {
        match hear(&mut caller) {
            (Command::Entry(_), frames) => found.push(Header::parse(&frames[1]).unwrap().sequence),
            (Command::End(_), _) => break,
            (other, _) => panic!("{other:?}"),
        }
    }
    assert_eq!(found, (0..RECORDS).collect::<Vec<_>>());
}
