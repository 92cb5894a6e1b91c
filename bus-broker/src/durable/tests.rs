//! Durable publishers and readers at a real endpoint, over loopback.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use logbus_schemas::wire::durable::{
    Ack, At, Command, Done, Entry, From, Gone, Hello, More, Read, Stop,
};
use logbus_schemas::wire::{Flags, HEADER_LEN, Header, SenderId};
use logbus_schemas::{TopicFilter, codec};
use logbus_transport::{Caller, Endpoint, Frame, Message, Options, PeerEvent, PollSet, Sent, wait};

use super::{Durable, DurableConfig, LiveInlet};
use crate::journal::{Fsync, JournalConfig};
use crate::{Broker, Config, Summary, tap};

mod bounds;
mod live;
mod rights;
mod sharing;

/// A broker with nothing but a durable endpoint, and what it says.
struct World {
    broker: Broker,
    said: Arc<Mutex<Vec<String>>>,
}

fn config(dir: &Path) -> Config {
    Config {
        publishers: Vec::new(),
        subscribers: Vec::new(),
        durable: Some(DurableConfig {
            endpoints: vec!["tcp://127.0.0.1:0".parse().unwrap()],
            journal: JournalConfig::new(dir),
        }),
        ..Config::default()
    }
}

fn start_as(mut config: Config) -> World {
    let said = Arc::<Mutex<Vec<String>>>::default();
    let lines = said.clone();
    config.say = Box::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    let broker = Broker::start(config).unwrap();
    World { broker, said }
}

fn start(dir: &Path) -> World {
    start_as(config(dir))
}

/// What the writer passes before each step.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn shut(&self, is_shut: bool) {
        *self.0.0.lock().unwrap() = is_shut;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let is_shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(is_shut, |is_shut| *is_shut).unwrap());
    }
}

/// A durable endpoint whose writer stands still, so that nothing is answered, while the gate is shut.
fn gated(config: &DurableConfig) -> (Durable, LiveInlet, Gate) {
    let gate = Gate::default();
    let its_gate = gate.clone();
    let watch = Arc::new(move |_| {
        its_gate.pass();
        Ok(())
    });
    let (options, say) = (Options::default(), Arc::new(|_: &str| {}));
    let (durable, live) =
        Durable::start_watched(config, "test", options, None, say, Some(watch)).unwrap();
    (durable, live, gate)
}

impl World {
    fn endpoint(&self) -> Endpoint {
        self.broker.durable()[0].clone()
    }

    fn close(self) -> Summary {
        let said = self.said.lock().unwrap().clone();
        assert!(said.is_empty(), "{said:?}");
        self.broker.close(Duration::from_secs(5))
    }

    fn client(&self) -> Client {
        self.client_with(&Options::default())
    }

    fn client_with(&self, options: &Options) -> Client {
        Client::at(&self.endpoint(), options)
    }
}

struct Client {
    caller: Caller,
}

impl Client {
    /// One that was greeted.
    fn at(endpoint: &Endpoint, options: &Options) -> Self {
        let mut client = Self {
            caller: Caller::open(endpoint, options).unwrap(),
        };
        // One whose key is not known yet dials again.
        client.until(&PeerEvent::Connected);
        client.say(Command::Hello(Hello {
            program: "test".into(),
            host: "here".into(),
            pid: 1,
        }));
        let Command::Welcome(welcome) = client.hear() else {
            panic!("no welcome");
        };
        assert!(welcome.credit > 0 && welcome.journal != 0);
        client
    }

    /// Waits until that happens to the connection.
    fn until(&mut self, event: &PeerEvent) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.caller.peer_events().contains(event) {
            assert!(Instant::now() < deadline, "never {event:?}");
            drop(self.caller.receive().unwrap());
            let mut set = PollSet::new();
            self.caller.poll(&mut set, false);
            wait(&mut set, Some(Duration::from_millis(100))).unwrap();
        }
    }

    fn send(&mut self, mut message: Message) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Sent::Busy(back) = self.caller.send(message).unwrap() {
            assert!(Instant::now() < deadline, "nobody takes it");
            message = back;
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
        }
    }

    fn say(&mut self, command: Command) {
        self.send(Message::single(command.encode()));
    }

    /// Publishes so many records, each with its number as its message and as its level.
    fn publish(&mut self, topic: &str, sender: u64, sequence: u64, count: u32) {
        self.publish_as(topic, sender, sequence, count, Flags::default());
    }

    fn publish_as(&mut self, topic: &str, sender: u64, sequence: u64, count: u32, flags: Flags) {
        let mut message = Message::single(Command::Publish.encode());
        for frame in native(topic, sender, sequence, count, flags).into_frames() {
            message.push(frame);
        }
        self.send(message);
    }

    /// The next thing that is said, with the frames behind it.
    fn hear_all(&mut self) -> (Command, Vec<Vec<u8>>) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(message) = self.caller.receive().unwrap() {
                let mut frames = message.into_frames().map(|frame| frame.to_vec());
                let command = Command::decode(&frames.next().unwrap()).unwrap();
                return (command, frames.collect());
            }
            assert!(Instant::now() < deadline, "nothing is said");
            let mut set = PollSet::new();
            self.caller.poll(&mut set, false);
            wait(&mut set, Some(Duration::from_millis(100))).unwrap();
        }
    }

    fn hear(&mut self) -> Command {
        self.hear_all().0
    }

    fn ack(&mut self) -> Ack {
        match self.hear() {
            Command::Ack(ack) => ack,
            other => panic!("no acknowledgement but {other:?}"),
        }
    }

    /// Waits until all below is acknowledged.
    fn acked(&mut self, next: u64) {
        while self.ack().next < next {}
    }

    fn read(&mut self, read: Read) {
        self.say(Command::Read(read));
    }

    /// Waits until everything is heard that was said before, and more was done since.
    fn settle(&mut self) {
        for _ in 0..2 {
            self.send(Message::single(Command::Publish.encode()));
            let answer = self.hear();
            assert!(matches!(answer, Command::Refused(_)), "{answer:?}");
        }
    }

    /// The next entry, and its first number; what is noted meanwhile is passed over.
    fn entry(&mut self) -> (Entry, u64) {
        loop {
            match self.hear_all() {
                (Command::Entry(entry), frames) => {
                    let header = Header::parse(&frames[1]).unwrap();
                    return (entry, header.sequence);
                }
                (Command::Noted(_) | Command::Live(_) | Command::Ack(_), _) => {}
                (other, _) => panic!("no entry but {other:?}"),
            }
        }
    }

    /// The numbers of all entries up to the end.
    fn rest(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            match self.hear_all() {
                (Command::Entry(_), frames) => {
                    numbers.push(Header::parse(&frames[1]).unwrap().sequence);
                }
                (Command::End(_), _) => return numbers,
                (Command::Noted(_), _) => {}
                (other, _) => panic!("no entry but {other:?}"),
            }
        }
    }
}

fn native(topic: &str, sender: u64, sequence: u64, count: u32, flags: Flags) -> Message {
    let mut header = Header::new(codec::JSON, SenderId(sender));
    (header.sequence, header.count, header.flags) = (sequence, count, flags);
    let record = |n| format!("{{\"msg\":\"{n}\",\"levelno\":{n}}}\n");
    let payload: String = (sequence..sequence + u64::from(count))
        .map(record)
        .collect();
    let frames = [topic.as_bytes(), &header.to_bytes(), payload.as_bytes()];
    frames.into_iter().map(Frame::from).collect()
}

fn all(from: From) -> Read {
    Read {
        read: 1,
        from,
        credit: 1000,
        ..Read::default()
    }
}

fn named(name: &str, share: bool, credit: u32) -> Read {
    Read {
        name: Some(name.to_owned()),
        share,
        follow: true,
        credit,
        ..all(From::Begin)
    }
}

#[test]
fn what_is_acknowledged_is_read_after_a_restart_and_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    for number in 0..10 {
        client.publish("shop.stock", 7, number * 3, 3);
    }
    client.acked(30);
    assert_eq!(world.close().journal.unwrap().records, 30);

    let world = start(dir.path());
    let mut client = world.client();
    for number in 8..12 {
        client.publish("shop.stock", 7, number * 3, 3);
    }
    client.acked(36);
    client.read(all(From::Begin));
    let expected: Vec<u64> = (0..12).map(|number| number * 3).collect();
    assert_eq!(client.rest(), expected);
    let counts = world.close().journal.unwrap();
    assert_eq!((counts.entries, counts.known), (2, 2));
}

#[test]
fn topics_places_and_levels_are_chosen_by_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    for number in 0..40 {
        let topic = ["shop", "shopping", "shop.stock", "web"][number % 4];
        client.publish(topic, number as u64 % 4, (number as u64 / 4) * 5, 5);
    }
    // The last one's: what was sent before it is kept then, too.
    while !matches!(
        client.ack(),
        Ack {
            sender: 3,
            next: 50,
            ..
        }
    ) {}
    let mut client = world.client();
    let shop = Read {
        topics: vec!["shop".into()],
        ..all(From::Begin)
    };
    client.read(shop.clone());
    let rest = client.rest();
    assert_eq!(rest.len() % 2, 0);
    client.read(Read {
        from: From::Last(12),
        ..shop.clone()
    });
    assert_eq!(client.rest(), [40, 45, 45]);
    client.read(Read {
        level: Some(44),
        topics: vec!["web".into()],
        ..all(From::Begin)
    });
    let mut with_payload = Vec::new();
    loop {
        match client.hear_all() {
            (Command::Entry(_), frames) => {
                let header = Header::parse(&frames[1]).unwrap();
                assert_eq!((frames[1].len(), header.count), (HEADER_LEN, 5));
                if !frames[2].is_empty() {
                    with_payload.push(header.sequence);
                }
            }
            (Command::End(_), _) => break,
            (other, _) => panic!("{other:?}"),
        }
    }
    assert_eq!(
        with_payload,
        [40, 45],
        "records have their numbers as levels"
    );
    world.close();
}

#[test]
fn nobody_is_sent_more_than_it_gave_credit_for() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    for number in 0..30 {
        client.publish("web", 7, number, 1);
    }
    client.acked(30);
    client.read(Read {
        credit: 3,
        follow: true,
        ..all(From::Begin)
    });
    for number in 0..3 {
        assert_eq!(client.entry().1, number);
    }
    client.say(Command::Stop(Stop { read: 9 }));
    client.say(Command::Hello(Hello::default()));
    assert!(
        matches!(client.hear(), Command::Welcome(_)),
        "nothing came before it"
    );
    client.read(Read {
        credit: 2,
        follow: true,
        ..all(From::Offset(3))
    });
    assert_eq!((client.entry().1, client.entry().1), (3, 4));
    client.say(Command::More(More {
        read: 1,
        credit: 100,
    }));
    for number in 5..30 {
        assert_eq!(client.entry().1, number);
    }
    let Command::Live(At { offset: 30, .. }) = client.hear() else {
        panic!("that was all");
    };
    client.publish("web", 7, 30, 1);
    assert_eq!(client.entry().1, 30);
    world.close();
}

#[test]
fn who_says_nonsense_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.max_frame = 1000;
    let world = start_as(config);
    let mut stranger = Client {
        caller: Caller::open(&world.endpoint(), &Options::default()).unwrap(),
    };
    stranger.publish("web", 1, 0, 1);
    assert!(matches!(stranger.hear(), Command::Refused(r) if r.code == "form"));
    stranger.send(Message::single(b"\xC1LB\x02H".to_vec()));
    assert!(matches!(stranger.hear(), Command::Refused(r) if r.code == "version"));
    let mut client = world.client();
    client.send(
        [
            Frame::from(Command::Publish.encode()),
            Frame::from(&b"x"[..]),
        ]
        .into_iter()
        .collect(),
    );
    assert!(matches!(client.hear(), Command::Refused(r) if r.code == "form"));
    client.publish("web", 1, 0, 100);
    let Command::Refused(refused) = client.hear() else {
        panic!()
    };
    assert_eq!(
        (&*refused.code, refused.sender, refused.records),
        ("size", 1, 100)
    );
    client.publish("web", 1, 100, 1);
    client.acked(101);
    client.read(Read {
        name: Some("a\nb".into()),
        ..all(From::Begin)
    });
    assert!(matches!(client.hear(), Command::Refused(r) if r.code == "form" && r.read == 1));
    world.close();
}

#[test]
fn one_publisher_has_its_share_of_the_journal_and_leaves_the_others_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    let durable = config.durable.as_mut().unwrap();
    durable.journal.limits.max_bytes = Some(100_000);
    durable.journal.share = Some(20);
    let world = start_as(config);
    let mut greedy = world.client();
    let mut kept = 0;
    let refused = loop {
        greedy.publish("web", 7, kept, 1);
        match greedy.hear() {
            Command::Ack(_) => kept += 1,
            Command::Refused(refused) => break refused,
            other => panic!("{other:?}"),
        }
        assert!(kept < 1000, "it fills all there is");
    };
    assert_eq!((&*refused.code, refused.records), ("full", 1));
    assert!(refused.reason.contains("share"), "{}", refused.reason);
    assert!(kept > 10, "{kept}");
    // What is there already is acknowledged again, and takes no room.
    greedy.publish("web", 7, 0, 1);
    greedy.acked(kept);
    let mut modest = world.client();
    modest.publish("web", 8, 0, 1);
    modest.acked(1);
    let told = world.said.lock().unwrap().drain(..).collect::<Vec<_>>();
    assert!(
        told[0].contains("has its share of the journal, 20 %"),
        "{told:?}"
    );
    let summary = world.close();
    assert_eq!(summary.journal.unwrap().over_share, 1);
}

#[test]
fn the_brokers_limits_count_at_the_durable_endpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.max_connections = 1;
    let world = start_as(config);
    let _first = world.client();
    let _second = Caller::open(&world.endpoint(), &Options::default()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = world.said.lock().unwrap().drain(..).collect::<Vec<_>>();
        if said
            .iter()
            .any(|line| line.contains("1 connections are the limit"))
        {
            break;
        }
        assert!(Instant::now() < deadline, "it is not said");
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(20))));
    }
    let summary = world.broker.close(Duration::from_secs(5));
    assert!(summary.notices["connections beyond the limit"] > 0);
}

#[test]
fn who_sends_more_than_it_has_credit_for_loses_its_connection_however_often_it_says_hello() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path()).durable.unwrap();
    let (durable, _live, gate) = gated(&config);
    gate.shut(true);
    for says_hello_again in [false, true] {
        let mut client = Client::at(&durable.endpoints()[0], &Options::default());
        for number in 0..2002 {
            if number == 1001 && says_hello_again {
                client.say(Command::Hello(Hello::default()));
                assert!(matches!(client.hear(), Command::Welcome(_)));
            }
            client.publish("web", 7, number, 1);
        }
        client.until(&PeerEvent::Disconnected);
    }
    gate.shut(false);
    durable.close();
}
