//! The durable endpoint where clients have keys: each does what its file says, and no more.

use std::fs;

use logbus_schemas::wire::durable::Refused;
use logbus_transport::{Attachment, KeyPair, OutletKind, PeerEvent, Security, open_outlet};

use super::*;
use crate::{ConsumerInfo, Rights, Secured, ask_consumers};

const PATIENCE: Duration = Duration::from_secs(30);

/// Clients with keys, and a broker that knows them.
struct Secure {
    world: World,
    own: KeyPair,
    clients: tempfile::TempDir,
    journal: tempfile::TempDir,
}

fn keys() -> KeyPair {
    KeyPair::generate().unwrap()
}

impl Secure {
    fn start() -> Self {
        let (clients, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = keys();
        Self {
            world: start_as(secured(&own, clients.path(), journal.path())),
            own,
            clients,
            journal,
        }
    }

    /// The same broker once more, with what it has on disk.
    fn restart(self) -> Self {
        self.world.broker.close(Duration::from_secs(5));
        let config = secured(&self.own, self.clients.path(), self.journal.path());
        Self {
            world: start_as(config),
            ..self
        }
    }

    /// Gives a client these rights; they count once its owner comes in.
    fn grant(&self, name: &str, key: &KeyPair, publish: &str, subscribe: &str) {
        let (new, path) = (self.clients.path().join("new"), self.file(name));
        let key = key.public();
        let text =
            format!("public-key = \"{key}\"\npublish = {publish}\nsubscribe = {subscribe}\n");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.clients.path().join(format!("{name}.toml"))
    }

    fn options(&self, key: &KeyPair) -> Options {
        Options {
            security: Some(self.security(key)),
            ..Options::default()
        }
    }

    fn security(&self, key: &KeyPair) -> Security {
        Security::Client {
            own: key.clone(),
            server: self.own.public(),
        }
    }

    /// A client of this name with these rights.
    fn client(&self, name: &str, publish: &str, subscribe: &str) -> (Client, KeyPair) {
        let key = keys();
        self.grant(name, &key, publish, subscribe);
        (self.world.client_with(&self.options(&key)), key)
    }

    fn again(&self, key: &KeyPair) -> Client {
        self.world.client_with(&self.options(key))
    }

    fn consumers(
        &self,
        key: &KeyPair,
        forget: Option<&str>,
    ) -> Result<(Vec<ConsumerInfo>, bool), String> {
        let (at, security) = (self.world.endpoint(), Some(self.security(key)));
        let answer = ask_consumers(&at, security, forget, PATIENCE);
        answer
            .map(Option::unwrap)
            .map_err(|error| error.to_string())
    }
}

fn secured(own: &KeyPair, clients: &Path, journal: &Path) -> Config {
    Config {
        security: Some(Secured {
            own: own.clone(),
            rights: Rights::open(clients).unwrap(),
            dialled: None,
        }),
        ..config(journal)
    }
}

impl Client {
    fn refused(&mut self) -> Refused {
        loop {
            match self.hear() {
                Command::Refused(refused) => return refused,
                Command::Noted(_) | Command::Live(_) => {}
                other => panic!("not refused but {other:?}"),
            }
        }
    }
}

fn of(topics: &[&str], from: From) -> Read {
    Read {
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        ..all(from)
    }
}

#[test]
fn nobody_has_anything_kept_or_reads_beyond_its_rights() {
    let bus = Secure::start();
    let (mut all_topics, _) = bus.client("all", r#"[""]"#, "[]");
    for (n, topic) in ["bank", "shop", "shopping", "shop.eu", "bank"]
        .iter()
        .enumerate()
    {
        all_topics.publish(topic, 10 + n as u64, n as u64, 1);
    }
    (0..5).for_each(|_| drop(all_topics.ack()));
    let (mut writer, _) = bus.client("writer", r#"["shop"]"#, "[]");
    for topic in ["shopping", "bank", "sho"] {
        writer.publish(topic, 7, 0, 3);
        let refused = writer.refused();
        assert_eq!(
            (
                &*refused.code,
                &*refused.topic,
                refused.sender,
                refused.records
            ),
            ("right", topic, 7, 3)
        );
        assert!(
            refused.reason.contains("no right to publish"),
            "{}",
            refused.reason
        );
    }
    writer.publish("shop.eu", 7, 5, 1);
    writer.acked(6);
    writer.read(all(From::Begin));
    let refused = writer.refused();
    assert_eq!((&*refused.code, refused.read), ("right", 1));
    assert!(refused.reason.contains("subscribe to nothing"));

    let (mut reader, _) = bus.client("reader", "[]", r#"["shop"]"#);
    reader.publish("shop", 8, 9, 1);
    assert_eq!(reader.refused().code, "right");
    for asked in [&[][..], &["*"], &["shop"], &["shop.*", "shop.eu"]] {
        reader.read(of(asked, From::Begin));
        assert_eq!(reader.rest(), [1, 3, 5], "{asked:?}");
    }
    reader.read(of(&["shop.eu"], From::Begin));
    assert_eq!(reader.rest(), [3, 5]);
    for beyond in ["bank", "shopping", "sho"] {
        reader.read(of(&["shop", beyond], From::Begin));
        let refused = reader.refused();
        assert_eq!(refused.code, "right");
        let why = format!("reader has no right to subscribe to \"{beyond}\"; it has one to shop");
        assert_eq!(refused.reason, why);
        // Nor under a name.
        reader.read(Read {
            name: Some("audit".to_owned()),
            ..of(&[beyond], From::Begin)
        });
        assert_eq!(reader.refused().code, "right");
    }
    // How much there is of others is not told by where it begins, either.
    reader.read(of(&[], From::Last(2)));
    assert_eq!(reader.rest(), [3, 5]);
    let summary = bus.world.broker.close(Duration::from_secs(5));
    assert_eq!(summary.journal.unwrap().entries, 6);
    assert_eq!(
        (summary.refused["writer"], summary.refused["reader"]),
        (3, 1)
    );
}

#[test]
fn a_sender_id_of_another_client_is_refused_wherever_that_one_used_it() {
    let bus = Secure::start();
    let (mut honest, _) = bus.client("honest", r#"[""]"#, r#"[""]"#);
    let (mut thief, _) = bus.client("thief", r#"[""]"#, "[]");
    honest.publish("shop", 7, 0, 1);
    honest.acked(1);
    thief.publish("bank", 7, 5, 1);
    let refused = thief.refused();
    assert_eq!((&*refused.code, refused.sender), ("sender", 7));
    thief.publish("shop", 8, 0, 1);
    thief.acked(1);
    honest.publish("shop", 7, 1, 1);
    honest.acked(2);
    let summary = bus.world.broker.close(Duration::from_secs(5));
    assert_eq!(summary.journal.unwrap().entries, 3);
    assert_eq!(summary.refused["thief"], 1);
}

#[test]
fn what_pub_sub_clients_use_as_sender_id_is_theirs_at_the_durable_endpoint_too() {
    let (clients, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = keys();
    let mut config = secured(&own, clients.path(), journal.path());
    config.publishers = vec![crate::Entrance::listen("pull+tcp://127.0.0.1:0").unwrap()];
    if let Some(durable) = &mut config.durable {
        durable.journal.topics = Some(Vec::new());
    }
    let bus = Secure {
        world: start_as(config),
        own,
        clients,
        journal,
    };
    let (mut reader, honest) = bus.client("honest", r#"["shop"]"#, r#"[""]"#);
    let to = bus.world.broker.publishers()[0].trim_start_matches("pull+");
    let to = Attachment::Connect(to.parse().unwrap());
    let mut push = open_outlet(OutletKind::Push, &[to], &bus.options(&honest)).unwrap();
    let mut message = native("shop", 7, 0, 1, Flags::default());
    let deadline = Instant::now() + PATIENCE;
    while let Sent::Busy(back) = push.send(message).unwrap() {
        assert!(Instant::now() < deadline, "nobody takes it");
        message = back;
        drop(push.subscription_events().unwrap());
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
    }
    reader.read(Read {
        follow: true,
        ..all(From::Begin)
    });
    assert_eq!(reader.entry().1, 0, "the broker knows its sender");
    let (mut thief, _) = bus.client("thief", r#"["shop"]"#, "[]");
    thief.publish("shop", 7, 1, 1);
    assert_eq!(thief.refused().code, "sender");
}

#[test]
fn a_durable_subscription_is_its_clients_and_nobody_elses() {
    let bus = Secure::start();
    let (mut writer, writer_key) = bus.client("writer", r#"[""]"#, "[]");
    for number in 0..10 {
        writer.publish("shop", 7, number, 1);
    }
    writer.acked(10);
    let (mut owner, owner_key) = bus.client("owner", "[]", r#"["shop"]"#);
    let (mut other, other_key) = bus.client("other", "[]", r#"["shop"]"#);
    owner.read(named("audit", false, 4));
    for number in 0..4 {
        assert_eq!(owner.entry().1, number);
    }
    // The numbers of reads are each connection's own.
    other.say(Command::Done(Done {
        read: 1,
        below: 10,
        also: vec![5],
    }));
    other.say(Command::More(More {
        read: 1,
        credit: 100,
    }));
    other.say(Command::Stop(Stop { read: 1 }));
    for share in [false, true] {
        other.read(named("audit", share, 100));
        let refused = other.refused();
        assert_eq!(refused.code, "right");
        assert!(
            refused.reason.contains("is not other's"),
            "{}",
            refused.reason
        );
    }
    assert_eq!(bus.consumers(&other_key, None), Ok((Vec::new(), false)));
    owner.say(Command::More(More { read: 1, credit: 1 }));
    assert_eq!(owner.entry().1, 4, "its place is where it was");

    // It stays so while nobody reads it, and when the broker was away.
    drop((owner, other, writer));
    let bus = bus.restart();
    let mut other = bus.again(&other_key);
    other.read(named("audit", false, 100));
    assert_eq!(other.refused().code, "right");
    let (seen, was) = bus.consumers(&other_key, Some("audit")).unwrap();
    assert!(seen.is_empty() && !was);
    let (seen, _) = bus.consumers(&owner_key, None).unwrap();
    assert_eq!(
        (&*seen[0].name, seen[0].owner.as_deref()),
        ("audit", Some("owner"))
    );
    assert_eq!(seen[0].topics, ["shop"], "what it is given");
    let why = bus.consumers(&writer_key, None).unwrap_err();
    assert!(why.contains("writer may subscribe to nothing"), "{why}");
    let (_, operator) = bus.client("operator", "[]", r#"[""]"#);
    let (seen, was) = bus.consumers(&operator, Some("audit")).unwrap();
    assert!(seen.len() == 1 && was);
    drop(bus.world.broker.close(Duration::from_secs(5)));
}

#[test]
fn a_change_of_rights_counts_for_connections_that_stand() {
    let bus = Secure::start();
    let (mut writer, writer_key) = bus.client("writer", r#"[""]"#, "[]");
    let (mut reader, key) = bus.client("reader", "[]", r#"["shop"]"#);
    let follow = Read {
        follow: true,
        ..all(From::Begin)
    };
    reader.read(follow.clone());
    writer.publish("shop", 7, 0, 1);
    writer.publish("bank", 7, 0, 1);
    writer.publish("shop", 7, 1, 1);
    assert_eq!((reader.entry().1, reader.entry().1), (0, 1));
    // Other rights: it is cut, and has them when it comes again.
    bus.grant("reader", &key, "[]", r#"["bank"]"#);
    reader.until(&PeerEvent::Disconnected);
    let mut reader = bus.again(&key);
    reader.read(of(&["shop"], From::Begin));
    assert_eq!(reader.refused().code, "right");
    reader.read(Read { read: 2, ..follow });
    assert!(matches!(reader.entry(), (entry, 0) if entry.offset == 1));
    // Fewer rights to publish: the connection stands, and what it sends is refused.
    bus.grant("writer", &writer_key, r#"["shop"]"#, "[]");
    let deadline = Instant::now() + PATIENCE;
    for number in 1.. {
        assert!(Instant::now() < deadline, "it may still publish");
        writer.publish("bank", 7, number, 1);
        match writer.hear() {
            Command::Ack(_) => {}
            Command::Refused(refused) if refused.code == "right" => break,
            other => panic!("{other:?}"),
        }
    }
    // No rights at all: both are cut, and come in no more.
    fs::remove_file(bus.file("reader")).unwrap();
    fs::remove_file(bus.file("writer")).unwrap();
    reader.until(&PeerEvent::Disconnected);
    writer.until(&PeerEvent::Disconnected);
    let caller = Caller::open(&bus.world.endpoint(), &bus.options(&key)).unwrap();
    Client { caller }.until(&PeerEvent::Refused);
    drop(bus.world.broker.close(Duration::from_secs(5)));
}
