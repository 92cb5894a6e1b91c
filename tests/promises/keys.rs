//! A bus whose clients have keys, over its durable endpoint: real programs, and clients that play
//! foul at the level of sockets.
//!
//! Where something must not come through, something else is sent behind it that does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Delivery, DurableConfig, Publisher, stamped};
use logbus_schemas::codec;
use logbus_schemas::wire::durable::{Command, From, Hello, Read};
use logbus_schemas::wire::{Header, SenderId};
use logbus_tests::{Program, endpoint_in};
use logbus_transport::{
    Caller, Frame, KeyPair, Message, Options, PeerEvent, PollSet, PublicKey, Security, Sent, wait,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long something that must not happen gets to happen.
const MOMENT: Duration = Duration::from_millis(500);

/// A broker with keys, a journal, and the files of its clients.
struct Bus {
    dir: tempfile::TempDir,
    broker: Option<Program>,
    durable: String,
}

impl Bus {
    /// With clients of these names, which may publish and read these topics.
    fn start(clients: &[(&str, &str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("clients")).unwrap();
        let mut bus = Self {
            dir,
            broker: None,
            durable: String::new(),
        };
        bus.make_key("bus");
        for (name, publish, subscribe) in clients {
            bus.make_key(name);
            bus.grant(name, publish, subscribe);
        }
        let [key, clients, journal] = ["bus.key", "clients", "journal"].map(|name| bus.at(name));
        let any = "tcp://127.0.0.1:0";
        let broker = Program::start(
            "bus-broker",
            &[
                "--key",
                &key,
                "--clients",
                &clients,
                "--journal",
                &journal,
                "--publishers",
                any,
                "--subscribers",
                any,
                "--durable-endpoint",
                any,
            ],
        );
        let line = broker.wait_for("durable ones to");
        let (_, durable) = line.split_once("durable ones to").unwrap();
        bus.durable = endpoint_in(durable, "tcp");
        assert!(!broker.lines().iter().any(|line| line.contains("warning")));
        bus.broker = Some(broker);
        bus
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn make_key(&self, name: &str) {
        let dir = self.dir.path().to_str().unwrap();
        Program::start("bus-broker", &["keygen", name, "--dir", dir]).succeed();
    }

    fn grant(&self, name: &str, publish: &str, subscribe: &str) {
        let public = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        let text = format!("{public}publish = {publish}\nsubscribe = {subscribe}\n");
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.rights(name)).unwrap();
    }

    fn rights(&self, name: &str) -> PathBuf {
        self.path(&format!("clients/{name}.toml"))
    }

    /// A program that comes to the durable endpoint with this key.
    fn program(&self, program: &str, key: &str, args: &[&str]) -> Program {
        let (key, server) = (self.at(&format!("{key}.key")), self.at("bus.pub"));
        let keys = ["--key", &key, "--server-key", &server];
        self.keyless(program, &[args, &keys].concat())
    }

    fn keyless(&self, program: &str, args: &[&str]) -> Program {
        let place = ["--durable-endpoint", &self.durable];
        Program::start(program, &[args, &place].concat())
    }

    fn logpub(&self, key: &str, topic: &str, text: &str) -> Program {
        let args = ["--durable", "--linger", "30", "-t", topic, text];
        self.program("logpub", key, &args)
    }

    /// What a key reads of the journal.
    fn journal(&self, key: &str) -> Vec<String> {
        let args = ["--since", "begin", "--no-follow", "--quiet", "-o", "raw"];
        let lines = self.program("logsub", key, &args).succeed();
        let records = lines.into_iter().filter(|line| line.starts_with("number"));
        records.collect()
    }

    /// Has a durable subscription forgotten, as soon as the broker has seen that its reader is gone.
    fn forget(&self, key: &str, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        let rm = ["consumers", "rm", name];
        while !self.program("bus-broker", key, &rm).wait().0.success() {
            assert!(Instant::now() < deadline, "{name} was never forgotten");
        }
    }

    fn publisher(&self, key: &str) -> Publisher {
        Publisher::new(Config {
            delivery: Delivery::Durable(DurableConfig {
                endpoint: Some(self.durable.parse().unwrap()),
                ..DurableConfig::default()
            }),
            key_file: Some(self.path(&format!("{key}.key"))),
            server_key_file: Some(self.path("bus.pub")),
            ..Config::default()
        })
        .unwrap()
    }

    fn caller(&self, security: Option<Security>) -> Caller {
        let options = Options {
            security,
            ..Options::default()
        };
        Caller::open(&self.durable.parse().unwrap(), &options).unwrap()
    }

    fn security(&self, key: &str) -> Security {
        Security::Client {
            own: KeyPair::read(&self.path(&format!("{key}.key"))).unwrap(),
            server: PublicKey::read(&self.path("bus.pub")).unwrap(),
        }
    }

    /// What the broker said at its end.
    fn stop(mut self) -> Vec<String> {
        self.broker.take().unwrap().stop()
    }
}

fn hello() -> Message {
    Message::single(Command::Hello(Hello::default()).encode())
}

fn read() -> Message {
    let read = Read {
        read: 1,
        from: From::Begin,
        credit: 1000,
        follow: true,
        ..Read::default()
    };
    Message::single(Command::Read(read).encode())
}

fn publish(topic: &str, sender: u64, text: &str) -> Message {
    let header = Header {
        count: 1,
        ..Header::new(codec::JSON, SenderId(sender))
    };
    let payload = format!("{{\"msg\":\"{text}\"}}\n");
    let frames = [
        &Command::Publish.encode(),
        topic.as_bytes(),
        &header.to_bytes(),
        payload.as_bytes(),
    ];
    frames.into_iter().map(Frame::from).collect()
}

fn pause() {
    drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
}

/// Says these things once it is connected, and waits for the answer to the last.
fn converse(caller: &mut Caller, said: Vec<Message>) -> Vec<Command> {
    let deadline = Instant::now() + PATIENCE;
    let (mut heard, count) = (Vec::new(), said.len());
    let mut said = Some(said);
    while heard.len() < count {
        assert!(Instant::now() < deadline, "only {heard:?} came");
        if caller.peer_events().contains(&PeerEvent::Connected) {
            for message in said.take().into_iter().flatten() {
                assert!(matches!(caller.send(message).unwrap(), Sent::Taken));
            }
        }
        while let Some(message) = caller.receive().unwrap() {
            heard.push(Command::decode(&message.frames()[0]).unwrap());
        }
        pause();
    }
    heard
}

#[test]
fn with_the_right_keys_everything_goes_over_the_durable_endpoint() {
    let bus = Bus::start(&[("web", "[\"shop\"]", "[]"), ("desk", "[]", "[\"shop\"]")]);
    bus.logpub("web", "shop", "number 0").succeed();
    // What waits in a spool, because there was no broker, is sent with a key, too.
    let spool = bus.at("spool");
    let nowhere = format!("tcp://127.0.0.1:{}", logbus_tests::free_port());
    let args = ["--spool", &spool, "--linger", "0.2", "-t", "shop.eu"];
    let place = ["--durable-endpoint", &nowhere, "number 1"];
    let kept = Program::start("logpub", &[&args[..], &place].concat());
    kept.wait_for("records are kept in");
    drop(kept.wait());
    let drained = ["--drain", &spool, "--linger", "30"];
    bus.program("logpub", "web", &drained).succeed();
    assert_eq!(bus.journal("desk"), ["number 0", "number 1"]);

    let audit = ["--durable", "audit", "--quiet", "-o", "raw"];
    let reader = bus.program("logsub", "desk", &audit);
    reader.wait_for("number 1");
    bus.logpub("web", "shop", "number 2").succeed();
    reader.wait_for("number 2");
    let lines = reader.stop();
    let records = lines.iter().filter(|line| line.starts_with("number"));
    assert_eq!(records.count(), 3, "{lines:?}");
    let table = bus.program("bus-broker", "desk", &["consumers"]).succeed();
    assert!(
        table.iter().any(|line| line.starts_with("audit")),
        "{table:?}"
    );
    bus.forget("desk", "audit");
    let table = bus.program("bus-broker", "desk", &["consumers"]).succeed();
    assert!(
        !table.iter().any(|line| line.starts_with("audit")),
        "{table:?}"
    );
    bus.stop();
}

#[test]
fn without_the_right_key_not_a_byte_of_a_record_comes_out_or_gets_in() {
    let bus = Bus::start(&[("all", "[\"\"]", "[\"\"]")]);
    bus.make_key("stranger");
    bus.logpub("all", "shop", "number 0").succeed();

    // ZMTP 3.0 with the NULL mechanism, READY as DEALER, a hello and a read of everything.
    let port = bus.durable.rsplit_once(':').unwrap().1.parse().unwrap();
    let mut raw = TcpStream::connect(("127.0.0.1", port)).unwrap();
    raw.set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut greeting = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0];
    greeting.extend(b"NULL");
    greeting.resize(64, 0);
    let ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER";
    greeting.extend([4, ready.len() as u8]);
    greeting.extend(ready);
    for message in [hello(), read()] {
        let frame = message.join();
        greeting.extend([0, frame.len() as u8]);
        greeting.extend(frame);
    }
    raw.write_all(&greeting).unwrap();
    let wrong_server = Security::Client {
        own: KeyPair::read(&bus.path("all.key")).unwrap(),
        server: PublicKey::read(&bus.path("stranger.pub")).unwrap(),
    };
    let strangers = [None, Some(bus.security("stranger")), Some(wrong_server)];
    let mut strangers: Vec<Caller> = strangers.into_iter().map(|of| bus.caller(of)).collect();
    for stranger in &mut strangers {
        for message in [hello(), publish("shop", 7, "number 7"), read()] {
            drop(stranger.send(message).unwrap());
        }
    }
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let deadline = Instant::now() + MOMENT;
    while Instant::now() < deadline {
        for stranger in &mut strangers {
            assert!(stranger.receive().unwrap().is_none());
            assert!(!stranger.peer_events().contains(&PeerEvent::Connected));
        }
        match raw.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(_) => {}
        }
    }
    // Its own greeting is all that a peer is sent before it has shown its key.
    assert!(heard.len() <= 64, "{} bytes: {heard:02x?}", heard.len());

    let (status, lines) = bus.keyless("logsub", &["--since", "begin"]).wait();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("asks for a key")),
        "{lines:?}"
    );
    let (status, lines) = bus
        .program("logsub", "stranger", &["--durable", "audit"])
        .wait();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("does not let this key in")),
        "{lines:?}"
    );
    let args = ["--durable", "--linger", "60", "-t", "shop", "number 8"];
    for sender in [
        bus.keyless("logpub", &args),
        bus.program("logpub", "stranger", &args),
    ] {
        sender.wait_for("does not let this program in");
        sender.signal("-KILL");
        drop(sender.wait());
    }
    let (status, lines) = bus.keyless("bus-broker", &["consumers"]).wait();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("--server-key")),
        "{lines:?}"
    );

    bus.logpub("all", "shop", "number 1").succeed();
    assert_eq!(bus.journal("all"), ["number 0", "number 1"]);
    bus.stop();
}

#[test]
fn a_key_publishes_replays_and_subscribes_to_what_it_has_a_right_to_and_no_more() {
    let bus = Bus::start(&[
        ("web", "[\"shop\"]", "[]"),
        ("desk", "[]", "[\"shop\"]"),
        ("other", "[]", "[\"shop\"]"),
        ("all", "[\"\"]", "[\"\"]"),
    ]);
    for topic in ["bank", "shopping"] {
        let (status, lines) = bus.logpub("web", topic, "number 9").wait();
        assert_eq!(status.code(), Some(1), "{lines:?}");
        let why = format!("no right to publish under \"{topic}\"");
        assert!(lines.iter().any(|line| line.contains(&why)), "{lines:?}");
    }
    bus.logpub("all", "bank", "number 0").succeed();
    bus.logpub("web", "shop.eu", "number 1").succeed();
    assert_eq!(bus.journal("all"), ["number 0", "number 1"]);
    assert_eq!(bus.journal("desk"), ["number 1"]);
    for args in [["--since", "begin"], ["--durable", "mine"], ["--tail", "5"]] {
        let args = [&args[..], &["-t", "bank", "--no-follow"]].concat();
        let (status, lines) = bus.program("logsub", "desk", &args).wait();
        assert_eq!(status.code(), Some(1), "{lines:?}");
        let is_told = |line: &String| line.contains("no right to subscribe to \"bank\"");
        assert!(lines.iter().any(is_told), "{lines:?}");
        assert!(
            !lines.iter().any(|line| line.contains("number")),
            "{lines:?}"
        );
    }
    let audit = ["--durable", "audit", "--no-follow", "--quiet", "-o", "raw"];
    let lines = bus.program("logsub", "desk", &audit).succeed();
    assert_eq!(
        lines.iter().filter(|line| line.contains("number")).count(),
        1
    );
    // The name is desk's now: nobody else reads on under it, sees it or has it forgotten.
    let (status, lines) = bus.program("logsub", "other", &audit).wait();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("is not other's")),
        "{lines:?}"
    );
    let table = bus.program("bus-broker", "other", &["consumers"]).succeed();
    assert!(
        !table.iter().any(|line| line.contains("audit")),
        "{table:?}"
    );
    let rm = ["consumers", "rm", "audit"];
    assert!(!bus.program("bus-broker", "other", &rm).wait().0.success());
    bus.forget("all", "audit");
    let said = bus.stop();
    assert!(
        said.iter().any(|line| line.contains("no right: web ")),
        "{said:?}"
    );
}

#[test]
fn a_key_that_is_taken_away_is_cut() {
    let bus = Bus::start(&[
        ("web", "[\"\"]", "[]"),
        ("desk", "[]", "[\"\"]"),
        ("all", "[\"\"]", "[\"\"]"),
    ]);
    let publisher = bus.publisher("web");
    publisher.publish(&stamped("shop", 20, "number 0"));
    assert!(publisher.flush(PATIENCE));
    let audit = ["--durable", "audit", "--quiet", "-o", "raw"];
    let reader = bus.program("logsub", "desk", &audit);
    reader.wait_for("number 0");
    std::fs::remove_file(bus.rights("desk")).unwrap();
    std::fs::remove_file(bus.rights("web")).unwrap();
    reader.wait_for("lost the journal");
    publisher.publish(&stamped("shop", 20, "number 1"));
    assert!(!publisher.flush(MOMENT), "nobody acknowledges it");
    bus.logpub("all", "shop", "number 2").succeed();
    assert_eq!(bus.journal("all"), ["number 0", "number 2"]);
    reader.signal("-INT");
    let (_, lines) = reader.wait();
    assert!(
        !lines.iter().any(|line| line.contains("number 2")),
        "{lines:?}"
    );
    // Given back, it goes on where it was, and nothing was lost.
    bus.grant("web", "[\"\"]", "[]");
    bus.grant("desk", "[]", "[\"\"]");
    assert!(publisher.flush(PATIENCE));
    assert!(publisher.shutdown(PATIENCE).is_complete());
    let reader = bus.program("logsub", "desk", &audit);
    reader.wait_for("number 2");
    reader.wait_for("number 1");
    reader.stop();
    bus.stop();
}

#[test]
fn a_sender_id_is_the_keys_that_used_it_first() {
    let bus = Bus::start(&[
        ("honest", "[\"shop\"]", "[]"),
        ("thief", "[\"shop\"]", "[]"),
        ("desk", "[]", "[\"\"]"),
    ]);
    let mut honest = bus.caller(Some(bus.security("honest")));
    let said = vec![hello(), publish("shop", 7, "number 0")];
    let heard = converse(&mut honest, said);
    assert!(
        matches!(&heard[1], Command::Ack(ack) if ack.next == 1),
        "{heard:?}"
    );
    let mut thief = bus.caller(Some(bus.security("thief")));
    let said = vec![hello(), publish("shop", 7, "number 1")];
    let heard = converse(&mut thief, said);
    assert!(
        matches!(&heard[1], Command::Refused(no) if no.code == "sender"),
        "{heard:?}"
    );
    assert_eq!(bus.journal("desk"), ["number 0"]);
    let said = bus.stop();
    assert!(
        said.iter().any(|line| line.contains("no right: thief 1")),
        "{said:?}"
    );
}
