//! Rights by file and by topic, and a whole broker that keeps them.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logbus_schemas::codec;
use logbus_schemas::wire::{Header, SenderId};
use logbus_transport::{
    Attachment, Endpoint, Frame, Gate, Inlet, InletKind, KeyPair, Message, Notices, Options,
    Outlet, OutletKind, PollSet, PublicKey, Security, SubscriptionEvent, open_inlet, open_outlet,
    wait,
};

use super::*;
use crate::{Broker, Config, Secured};

const PATIENCE: Duration = Duration::from_secs(30);

fn client_file(key: &KeyPair, publish: &str, subscribe: &str) -> String {
    format!(
        "public-key = \"{}\"\npublish = {publish}\nsubscribe = {subscribe}\n",
        key.public()
    )
}

#[test]
fn a_right_is_to_a_topic_and_what_is_below_it() {
    let rights = ["shop".to_owned(), "jobs.eu".to_owned()];
    for topic in ["shop", "shop.x", "jobs.eu", "jobs.eu.x"] {
        assert!(covers(&rights, topic), "{topic}");
    }
    for topic in ["shopping", "sho", "jobs", "jobs.e", "jobs.eux", "x.shop"] {
        assert!(!covers(&rights, topic), "{topic}");
    }
    assert!(covers(&[String::new()], "anything"));
    assert!(!covers(&[], "anything"));
}

#[test]
fn a_subscription_matches_nothing_beyond_its_rights() {
    let rights = ["shop".to_owned(), "jobs.eu".to_owned()];
    let topics = [
        "shop",
        "shop.x",
        "shopping",
        "jobs",
        "jobs.eu",
        "jobs.eu.x",
        "jobs.eux",
        "z",
    ];
    let asked = [
        "", "s", "shop", "shop.", "shop.x", "shop\0", "shopping", "jobs", "jobs.eux", "z",
    ];
    for asked in asked {
        let granted = granted(&rights, asked.as_bytes());
        for topic in topics {
            let message = format!("{topic}\0...");
            let is_sent = granted
                .iter()
                .any(|prefix| message.as_bytes().starts_with(prefix));
            let is_due = message.starts_with(asked) && covers(&rights, topic);
            assert_eq!(is_sent, is_due, "{asked:?} {topic:?}");
        }
    }
}

#[test]
fn what_is_wrong_in_a_clients_file_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let good = client_file(&key, "[]", "[]");
    for (text, problem) in [
        ("publish = [".to_owned(), "web.toml:1: "),
        (
            "\npublic-key = \"short\"".to_owned(),
            "web.toml:2: a key is 40",
        ),
        (
            "\n\npublic-key = 7".to_owned(),
            "web.toml:3: a key is a text",
        ),
        (
            "publish = []".to_owned(),
            "web.toml: it has no line public-key",
        ),
        (format!("{good}publisch = []"), "web.toml:4: \"publisch\""),
        (format!("{good}secret-key = \"x\""), "its owner's alone"),
        (
            good.replace("publish = []", "publish = \"shop\""),
            "web.toml:2: a list of topics",
        ),
        (
            good.replace("publish = []", "publish = [\"a..b\"]"),
            "web.toml:2: \"a..b\"",
        ),
    ] {
        fs::write(dir.path().join("web.toml"), &text).unwrap();
        let error = Rights::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    fs::write(dir.path().join("web.toml"), &good).unwrap();
    fs::write(dir.path().join("other.toml"), &good).unwrap();
    let error = Rights::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("has the same key"), "{error}");
    fs::remove_file(dir.path().join("other.toml")).unwrap();
    let other = KeyPair::generate().unwrap();
    let text = client_file(&other, "[]", "[]");
    fs::write(dir.path().join("web.pub"), text).unwrap();
    let error = Rights::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("another file is of web, too"), "{error}");
    assert!(Rights::open(&dir.path().join("none")).is_err());
}

#[test]
fn a_broken_file_counts_as_before_and_one_that_is_gone_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.toml");
    let key = KeyPair::generate().unwrap();
    fs::write(&path, client_file(&key, "[\"shop\"]", "[]")).unwrap();
    let rights = Rights::open(dir.path()).unwrap();
    assert!(rights.may_publish(&key.public(), "shop"));
    assert!(!rights.refresh(), "nothing has changed");
    fs::write(&path, "public-key = ").unwrap();
    assert!(!rights.refresh());
    assert!(rights.may_publish(&key.public(), "shop"));
    assert!(rights.notices().take()[0].contains("web.toml:1"));
    fs::remove_file(&path).unwrap();
    assert!(rights.refresh());
    assert!(!rights.may_publish(&key.public(), "shop"));
}

#[test]
fn a_star_in_a_right_is_no_right_to_everything() {
    let client = |subscribe: &[&str]| Client {
        name: "web".to_owned(),
        publish: Vec::new(),
        subscribe: subscribe.iter().map(|text| (*text).to_owned()).collect(),
    };
    let filters = |texts: &[&str]| -> Vec<TopicFilter> {
        let parsed = texts.iter().map(|text| TopicFilter::parse(text));
        parsed.collect::<Result<_, _>>().unwrap()
    };
    assert!(client(&["*", "shop.*"]).readable(&[]).is_err());
    assert_eq!(client(&["*", "a"]).readable(&[]), Ok(filters(&["a"])));
    assert_eq!(
        client(&["a", "b"]).readable(&filters(&["*"])),
        Ok(filters(&["a", "b"]))
    );
    assert_eq!(client(&[""]).readable(&[]), Ok(Vec::new()));
    assert!(client(&["shop.*"]).readable(&filters(&["shop"])).is_err());
    assert!(client(&["shop.eu"]).readable(&filters(&["shop"])).is_err());
    assert!(client(&[]).readable(&[]).is_err());
}

#[test]
fn guards_of_one_broker_know_the_same_senders_and_count_together() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [(); 2].map(|()| KeyPair::generate().unwrap());
    for (name, key) in [("one", &one), ("two", &two)] {
        let text = client_file(key, "[\"shop\"]", "[]");
        fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
    }
    let mut guard = Guard::new(Rights::open(dir.path()).unwrap(), Notices::default());
    let mut clone = guard.clone();
    let user = |key: &KeyPair| {
        let (connection, key) = (1, key.public());
        Some(logbus_transport::User { connection, key })
    };
    let id = |id| Some(SenderId(id));
    assert_eq!(guard.lets_pass(user(&one), true, "shop", id(7)), Ok(()));
    assert_eq!(
        clone.lets_pass(user(&two), true, "shop", id(7)),
        Err(Refusal::Sender)
    );
    clone.claim_own(SenderId(8));
    assert_eq!(
        guard.lets_pass(user(&one), true, "shop", id(8)),
        Err(Refusal::Sender)
    );
    assert_eq!(
        guard.lets_pass(user(&one), true, "bank", id(7)),
        Err(Refusal::Topic)
    );
    assert_eq!(
        guard.lets_pass(None, true, "shop", id(7)),
        Err(Refusal::Nobody)
    );
    let refused = clone.refused();
    assert_eq!((refused["one"], refused["two"]), (2, 1));
    assert!(!guard.refresh(Instant::now()) && !clone.has_changed());
    fs::remove_file(dir.path().join("two.toml")).unwrap();
    assert!(guard.refresh(Instant::now()) && clone.has_changed());
    assert!(!guard.has_changed() && !clone.has_changed());
}

/// A broker on ports of its own, and what its clients need to know.
struct Bus {
    broker: Option<Broker>,
    own: KeyPair,
    clients: tempfile::TempDir,
}

impl Bus {
    fn start(clients: &[(&str, &KeyPair, &str, &str)]) -> Self {
        let (own, dir) = (KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        for (name, key, publish, subscribe) in clients {
            let path = dir.path().join(format!("{name}.toml"));
            fs::write(path, client_file(key, publish, subscribe)).unwrap();
        }
        let any: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
        let config = Config {
            publishers: vec![Attachment::Bind(any.clone()).into()],
            subscribers: vec![Attachment::Bind(any)],
            security: Some(Secured {
                own: own.clone(),
                rights: Rights::open(dir.path()).unwrap(),
                dialled: None,
            }),
            ..Config::default()
        };
        Self {
            broker: Some(Broker::start(config).unwrap()),
            own,
            clients: dir,
        }
    }

    fn options(&self, key: &KeyPair) -> Options {
        Options {
            security: Some(Security::Client {
                own: key.clone(),
                server: self.own.public(),
            }),
            ..Options::default()
        }
    }

    fn reader(&self, key: &KeyPair, prefixes: &[&str]) -> Box<dyn Inlet> {
        let place = self.broker.as_ref().unwrap().subscribers()[0].clone();
        let place = [Attachment::Connect(place)];
        let mut inlet = open_inlet(InletKind::Subscribe, &place, &self.options(key)).unwrap();
        for prefix in prefixes {
            inlet.subscribe(prefix.as_bytes()).unwrap();
        }
        inlet
    }

    fn writer(&self, key: &KeyPair) -> Box<dyn Outlet> {
        let place = self.broker.as_ref().unwrap().publishers()[0].parse();
        let place = [Attachment::Connect(place.unwrap())];
        open_outlet(OutletKind::Publish, &place, &self.options(key)).unwrap()
    }

    fn refused(mut self, name: &str) -> u64 {
        let summary = self.broker.take().unwrap().close(Duration::from_secs(1));
        summary.refused.get(name).copied().unwrap_or_default()
    }
}

fn native(topic: &str, sender: u64, payload: &str) -> Message {
    let header = Header {
        count: 1,
        ..Header::new(codec::JSON, SenderId(sender))
    };
    let frames = [topic.as_bytes(), &header.to_bytes(), payload.as_bytes()];
    frames.into_iter().map(Frame::from).collect()
}

fn pause() {
    drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
}

/// Sends the first until one like it is received, then the others; gives back what is received then,
/// up to one that has the text `last`.
fn exchange(
    writer: &mut dyn Outlet,
    reader: &mut dyn Inlet,
    first: impl Fn() -> Message,
    others: Vec<Message>,
) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "nothing came");
        drop(writer.subscription_events().unwrap());
        drop(writer.send(first()).unwrap());
        // The broker's greeting comes first where it is asked for, and says nothing of the writer.
        let is_first = |message: Message| message.join().ends_with(b"first");
        if reader.receive().unwrap().is_some_and(is_first) {
            break;
        }
        pause();
    }
    for message in others {
        drop(writer.send(message).unwrap());
    }
    let mut received = Vec::new();
    loop {
        assert!(
            Instant::now() < deadline,
            "the last did not come: {received:?}"
        );
        let Some(message) = reader.receive().unwrap() else {
            pause();
            continue;
        };
        let text = String::from_utf8_lossy(&message.join()).into_owned();
        if text.ends_with("last") {
            return received;
        }
        if !text.ends_with("first") {
            received.push(text);
        }
    }
}

#[test]
fn nobody_publishes_or_reads_beyond_its_rights() {
    let (writer, reader) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let bus = Bus::start(&[
        ("writer", &writer, r#"["shop", "jobs"]"#, "[]"),
        ("reader", &reader, "[]", r#"["shop"]"#),
    ]);
    let (mut out, mut inlet) = (bus.writer(&writer), bus.reader(&reader, &["", "jobs"]));
    let received = exchange(
        &mut *out,
        &mut *inlet,
        || native("shop", 1, "first"),
        vec![
            native("jobs", 1, "not readable"),
            native("shopping", 1, "not writable"),
            native("shop.eu", 1, "below"),
            Message::single(&br#"{"name":"bank","msg":"foreign"}"#[..]),
            Message::single(&br#"{"name":"shop.us","msg":"foreign"}"#[..]),
            native("shop", 1, "last"),
        ],
    );
    let ends: Vec<bool> = received
        .iter()
        .map(|text| text.starts_with("shop.eu\0") || text.starts_with("shop.us\0"))
        .collect();
    // The broker introduces itself on the foreign record's topic.
    assert_eq!(ends, [true, true, true], "{received:?}");
    // A writer cannot read, a reader cannot write.
    let mut spy = bus.reader(&writer, &[""]);
    let mut forger = bus.writer(&reader);
    let deadline = Instant::now() + Duration::from_millis(300);
    while Instant::now() < deadline {
        drop(forger.subscription_events().unwrap());
        drop(forger.send(native("shop", 9, "forged")).unwrap());
        drop(out.send(native("shop", 1, "more")).unwrap());
        assert!(spy.receive().unwrap().is_none());
        if let Some(message) = inlet.receive().unwrap() {
            assert!(!message.join().ends_with(b"forged"));
        }
        pause();
    }
    assert_eq!(bus.refused("writer"), 2);
}

#[test]
fn a_stolen_sender_id_is_refused_and_counted() {
    let [one, thief, reader] = [(); 3].map(|()| KeyPair::generate().unwrap());
    let bus = Bus::start(&[
        ("one", &one, r#"[""]"#, "[]"),
        ("thief", &thief, r#"[""]"#, "[]"),
        ("reader", &reader, "[]", r#"[""]"#),
    ]);
    let mut inlet = bus.reader(&reader, &[""]);
    let (mut honest, mut stealing) = (bus.writer(&one), bus.writer(&thief));
    exchange(
        &mut *honest,
        &mut *inlet,
        || native("shop", 7, "first"),
        vec![native("shop", 7, "last")],
    );
    let received = exchange(
        &mut *stealing,
        &mut *inlet,
        || native("shop", 8, "first"),
        vec![native("shop", 7, "forged"), native("shop", 8, "last")],
    );
    assert!(received.is_empty(), "{received:?}");
    assert_eq!(bus.refused("thief"), 1);
}

/// Sends again and again under this topic until the reader has one of them. While rights change,
/// grants are taken and given: single messages may be lost then.
fn until_one_comes(writer: &mut dyn Outlet, reader: &mut dyn Inlet, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    let is_one = |message: Message| message.join().starts_with(topic.as_bytes());
    while !reader.receive().unwrap().is_some_and(is_one) {
        assert!(Instant::now() < deadline, "nothing of {topic} came");
        drop(writer.subscription_events().unwrap());
        drop(writer.send(native(topic, 1, "some")).unwrap());
        pause();
    }
}

#[test]
fn a_change_of_the_directory_counts_while_the_broker_runs() {
    let (writer, reader) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let bus = Bus::start(&[("writer", &writer, r#"[""]"#, "[]")]);
    let mut inlet = bus.reader(&reader, &[""]);
    let mut out = bus.writer(&writer);
    let path = bus.clients.path().join("reader.toml");
    fs::write(&path, client_file(&reader, "[]", r#"["shop"]"#)).unwrap();
    until_one_comes(&mut *out, &mut *inlet, "shop");
    fs::write(&path, client_file(&reader, "[]", r#"["shop.eu", "jobs"]"#)).unwrap();
    until_one_comes(&mut *out, &mut *inlet, "jobs");
    // Now the change counts, and so it stays.
    for _ in 0..50 {
        drop(out.send(native("shop", 1, "no more")).unwrap());
        drop(out.send(native("jobs", 1, "some")).unwrap());
        while let Some(message) = inlet.receive().unwrap() {
            assert!(!message.join().ends_with(b"no more"));
        }
        pause();
    }
    fs::remove_file(&path).unwrap();
    // From here on nothing comes; what was on its way may still.
    let deadline = Instant::now() + PATIENCE;
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_secs(2) {
        assert!(Instant::now() < deadline, "records still come");
        drop(out.send(native("jobs", 1, "secret")).unwrap());
        if inlet.receive().unwrap().is_some() {
            last = Instant::now();
        }
        pause();
    }
}

/// A publisher that listens, and lets in the broker or not.
#[derive(Debug)]
struct Only(Option<PublicKey>);

impl Gate for Only {
    fn admit(&self, key: &PublicKey) -> Result<(), String> {
        match self.0 == Some(*key) {
            true => Ok(()),
            false => Err("an unknown key".to_owned()),
        }
    }

    fn grant(&self, _: &PublicKey, prefix: &[u8]) -> Vec<Vec<u8>> {
        vec![prefix.to_vec()]
    }
}

fn listening_publisher(own: &KeyPair, lets_in: Option<PublicKey>) -> (Box<dyn Outlet>, Notices) {
    let options = Options {
        security: Some(Security::Server {
            own: own.clone(),
            gate: Arc::new(Only(lets_in)),
        }),
        ..Options::default()
    };
    let any = Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap());
    let outlet = open_outlet(OutletKind::Publish, &[any], &options).unwrap();
    (outlet, options.notices)
}

#[test]
fn a_publisher_that_refuses_the_broker_does_not_disturb_another() {
    let (own, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (mut open, _) = listening_publisher(&theirs, Some(own.public()));
    let (mut shut, notices) = listening_publisher(&theirs, None);
    let dialled = [&open, &shut].map(|o| Attachment::Connect(o.endpoints()[0].clone()));
    let any: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let reader = KeyPair::generate().unwrap();
    let file = client_file(&reader, "[]", r#"[""]"#);
    fs::write(dir.path().join("reader.toml"), file).unwrap();
    let config = Config {
        publishers: dialled.into_iter().map(Into::into).collect(),
        subscribers: vec![Attachment::Bind(any)],
        security: Some(Secured {
            own: own.clone(),
            rights: Rights::open(dir.path()).unwrap(),
            dialled: Some(theirs.public()),
        }),
        ..Config::default()
    };
    let bus = Bus {
        broker: Some(Broker::start(config).unwrap()),
        own,
        clients: dir,
    };
    let mut inlet = bus.reader(&reader, &["shop"]);
    until_one_comes(&mut *open, &mut *inlet, "shop");
    let deadline = Instant::now() + PATIENCE;
    while notices
        .counts()
        .get("refused clients")
        .is_none_or(|&count| count < 3)
    {
        assert!(Instant::now() < deadline, "it does not dial again");
        drop(shut.subscription_events().unwrap());
        let gone = open.subscription_events().unwrap();
        assert!(gone.iter().all(SubscriptionEvent::is_added), "{gone:?}");
        drop(inlet.receive().unwrap());
        pause();
    }
}
