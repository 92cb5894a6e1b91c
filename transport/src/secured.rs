//! The promises of secured sockets, held against real ones.
//!
//! Where something must not arrive, something else is sent behind it that must.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{
    Attachment, Caller, Endpoint, Frame, Gate, Inlet, InletKind, KeyPair, Message, Notices,
    Options, Outlet, OutletKind, Peer, PeerEvent, PollSet, PublicKey, Security, Sent,
    SubscriptionEvent, Switchboard, Told, open_inlet, open_outlet, wait,
};

mod limits;
mod standing;
mod switchboard;

const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that must not happen gets to happen.
const MOMENT: Duration = Duration::from_millis(300);

/// Lets in the keys it has, and grants each what begins with its prefixes.
#[derive(Debug, Default)]
struct Prefixes(Mutex<BTreeMap<PublicKey, Vec<&'static str>>>);

impl Prefixes {
    fn of(rights: &[(&KeyPair, &[&'static str])]) -> Arc<Self> {
        let each = rights.iter().map(|(key, may)| (key.public(), may.to_vec()));
        Arc::new(Self(Mutex::new(each.collect())))
    }
}

impl Gate for Prefixes {
    fn admit(&self, key: &PublicKey) -> Result<(), String> {
        match self.0.lock().unwrap().contains_key(key) {
            true => Ok(()),
            false => Err("an unknown key".to_owned()),
        }
    }

    fn grant(&self, key: &PublicKey, prefix: &[u8]) -> Vec<Vec<u8>> {
        let rights = self.0.lock().unwrap();
        let may = rights.get(key).into_iter().flatten();
        let granted = may.filter(|may| prefix.starts_with(may.as_bytes()));
        granted.map(|_| prefix.to_vec()).take(1).collect()
    }
}

fn keys() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn server(own: &KeyPair, gate: &Arc<Prefixes>) -> Options {
    Options {
        security: Some(Security::Server {
            own: own.clone(),
            gate: gate.clone(),
        }),
        ..Options::default()
    }
}

fn client(own: &KeyPair, server: &KeyPair) -> Options {
    Options {
        security: Some(Security::Client {
            own: own.clone(),
            server: server.public(),
        }),
        ..Options::default()
    }
}

fn bound_outlet(options: &Options) -> Box<dyn Outlet> {
    let place = [Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap())];
    open_outlet(OutletKind::Publish, &place, options).unwrap()
}

fn subscriber(endpoint: &Endpoint, options: &Options, prefixes: &[&str]) -> Box<dyn Inlet> {
    let place = [Attachment::Connect(endpoint.clone())];
    let mut inlet = open_inlet(InletKind::Subscribe, &place, options).unwrap();
    for prefix in prefixes {
        inlet.subscribe(prefix.as_bytes()).unwrap();
    }
    inlet
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.join()).into_owned()
}

fn publish(outlet: &mut dyn Outlet, text: &str) {
    let sent = outlet.send(Message::single(text.as_bytes())).unwrap();
    assert!(matches!(sent, Sent::Taken));
}

fn pause() {
    drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
}

/// Turns the outlet until this many subscriptions have come.
fn until_asked(outlet: &mut dyn Outlet, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = 0;
    while seen < count {
        assert!(Instant::now() < deadline, "{seen} subscriptions of {count}");
        let events = outlet.subscription_events().unwrap();
        seen += events.iter().filter(|event| event.is_added()).count();
        pause();
    }
}

/// Turns both until something comes that is not `but`.
fn receive(inlet: &mut dyn Inlet, outlet: &mut dyn Outlet) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "nothing came");
        drop(outlet.subscription_events().unwrap());
        if let Some(message) = inlet.receive().unwrap() {
            return text(&message);
        }
        pause();
    }
}

/// Publishes for a moment; whether anything came.
fn gets_anything(inlet: &mut dyn Inlet, outlet: &mut dyn Outlet) -> bool {
    let deadline = Instant::now() + MOMENT;
    while Instant::now() < deadline {
        drop(outlet.subscription_events().unwrap());
        publish(outlet, "shop.secret");
        if inlet.receive().unwrap().is_some() {
            return true;
        }
        pause();
    }
    false
}

#[test]
fn only_the_right_key_and_the_right_server_key_come_in() {
    let (broker, known, unknown) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let strangers = [
        Options::default(),
        client(&unknown, &broker),
        client(&known, &unknown),
    ];
    for options in strangers {
        let mut inlet = subscriber(&place, &options, &[""]);
        assert!(!gets_anything(&mut *inlet, &mut *outlet), "{options:?}");
    }
    let mut inlet = subscriber(&place, &client(&known, &broker), &[""]);
    until_asked(&mut *outlet, 1);
    publish(&mut *outlet, "shop.one");
    assert_eq!(receive(&mut *inlet, &mut *outlet), "shop.one");
}

#[test]
fn a_plain_client_gets_a_greeting_and_not_one_byte_more() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let options = server(&broker, &gate);
    let mut outlet = bound_outlet(&options);
    let mut raw = TcpStream::connect(("127.0.0.1", outlet.endpoints()[0].port().unwrap())).unwrap();
    raw.set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    // ZMTP 3.0 with the NULL mechanism, READY as SUB, and a subscription to everything.
    let mut greeting = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0];
    greeting.extend(b"NULL");
    greeting.resize(64, 0);
    raw.write_all(&greeting).unwrap();
    let ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB";
    raw.write_all(&[&[4, ready.len() as u8], &ready[..], &[0, 1, 1]].concat())
        .unwrap();
    let mut heard = Vec::new();
    let deadline = Instant::now() + MOMENT * 2;
    let mut buffer = [0; 4096];
    while Instant::now() < deadline {
        drop(outlet.subscription_events().unwrap());
        publish(&mut *outlet, "shop.secret");
        match raw.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(_) => {}
        }
    }
    assert!(heard.len() <= 64, "{} bytes: {heard:02x?}", heard.len());
    assert!(options.notices.counts()["failed handshakes"] > 0);
}

#[test]
fn a_subscriber_gets_what_it_is_granted_of_what_it_asks_for() {
    let (broker, shop, jobs) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&shop, &["shop."]), (&jobs, &["jobs."])]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let asked = ["", "s", "shop.", "jobs.", "shop.eu"];
    let mut shop_reader = subscriber(&place, &client(&shop, &broker), &asked);
    let mut jobs_reader = subscriber(&place, &client(&jobs, &broker), &asked);
    until_asked(&mut *outlet, 2 * asked.len());
    for text in ["shopping.x", "jobs.one", "shop.one", "jobs.two", "shop.two"] {
        publish(&mut *outlet, text);
    }
    for expected in ["shop.one", "shop.two"] {
        assert_eq!(receive(&mut *shop_reader, &mut *outlet), expected);
    }
    for expected in ["jobs.one", "jobs.two"] {
        assert_eq!(receive(&mut *jobs_reader, &mut *outlet), expected);
    }
    shop_reader.unsubscribe(b"shop.").unwrap();
    until_removed(&mut *shop_reader, &mut *outlet, b"shop.");
    publish(&mut *outlet, "shop.us");
    publish(&mut *outlet, "shop.eu");
    assert_eq!(receive(&mut *shop_reader, &mut *outlet), "shop.eu");
}

fn until_removed(inlet: &mut dyn Inlet, outlet: &mut dyn Outlet, prefix: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    let removed = SubscriptionEvent::Removed(prefix.to_vec());
    while !outlet.subscription_events().unwrap().contains(&removed) {
        assert!(Instant::now() < deadline, "it was never taken back");
        drop(inlet.receive().unwrap());
        pause();
    }
}

#[test]
fn a_subscriber_that_goes_takes_its_wishes_with_it_once_each() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &["shop"])]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let options = client(&known, &broker);
    let stays = subscriber(&place, &options, &["shop"]);
    let goes = subscriber(&place, &options, &["shop", "shop", "other"]);
    until_asked(&mut *outlet, 3);
    drop(goes);
    let deadline = Instant::now() + PATIENCE;
    let mut removed = 0;
    while removed < 2 {
        assert!(Instant::now() < deadline, "{removed}");
        removed += outlet.subscription_events().unwrap().len();
        pause();
    }
    assert!(outlet.subscription_events().unwrap().is_empty());
    drop(stays);
}

#[test]
fn those_who_come_and_go_at_once_do_no_harm() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let options = client(&known, &broker);
    for _ in 0..10 {
        let mut several: Vec<_> = (0..5)
            .map(|_| subscriber(&place, &options, &["a", "b"]))
            .collect();
        // They come in while the door is served, and go before their subscriptions are read.
        let deadline = Instant::now() + Duration::from_millis(30);
        while Instant::now() < deadline {
            outlet.set_when_full(crate::WhenFull::Drop).unwrap();
            serve_door_only(&mut *outlet);
            several.iter_mut().for_each(|inlet| drop(inlet.receive()));
        }
        drop(several);
        pause();
        drop(outlet.subscription_events().unwrap());
        publish(&mut *outlet, "a");
    }
    let mut inlet = subscriber(&place, &options, &["a"]);
    let deadline = Instant::now() + PATIENCE;
    while inlet.receive().unwrap().is_none() {
        assert!(Instant::now() < deadline);
        drop(outlet.subscription_events().unwrap());
        publish(&mut *outlet, "a");
        pause();
    }
}

/// `is_flushed` has nothing to do at a ZeroMQ socket; a message that goes nowhere lets time pass.
fn serve_door_only(outlet: &mut dyn Outlet) {
    let mut set = PollSet::new();
    outlet.poll(&mut set);
    drop(wait(&mut set, Some(Duration::from_millis(1))));
}

#[test]
fn who_sends_what_is_no_subscription_gets_nobody_elses_grants() {
    let (broker, priv_key, thief) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&priv_key, &[""]), (&thief, &["none"])]);
    let notices = Notices::default();
    let mut options = server(&broker, &gate);
    options.notices = notices.clone();
    let mut outlet = bound_outlet(&options);
    let place = outlet.endpoints()[0].clone();
    let context = ::zmq::Context::new();
    let stealing = context.socket(::zmq::XSUB).unwrap();
    stealing.set_linger(0).unwrap();
    crate::curve::secure_for_tests(&stealing, &client(&thief, &broker));
    stealing.connect(&place.to_string()).unwrap();
    stealing.send("\u{1}none", 0).unwrap();
    until_asked(&mut *outlet, 1);
    let mut honest = subscriber(&place, &client(&priv_key, &broker), &["shop."]);
    let deadline = Instant::now() + PATIENCE;
    let mut got = false;
    while !got || notices.counts().is_empty() {
        assert!(
            Instant::now() < deadline,
            "served {got}, {:?}",
            notices.counts()
        );
        // A message out of step, the honest one's subscription somewhere, and another of the thief.
        for text in ["\u{2}x", "\u{1}shop.", "\u{2}y", "\u{1}none"] {
            let _is_full = stealing.send(text, ::zmq::DONTWAIT);
        }
        drop(outlet.subscription_events().unwrap());
        publish(&mut *outlet, "shop.secret");
        got |= honest.receive().unwrap().is_some();
        assert!(stealing.recv_bytes(::zmq::DONTWAIT).is_err());
        pause();
    }
    assert!(notices.counts()["subscribers cut"] > 0);
}

/// What libzmq really says: the user of messages at every socket that receives.
#[test]
fn every_message_says_who_sent_it() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let options = server(&broker, &gate);
    for kind in [InletKind::Forward, InletKind::Subscribe, InletKind::Pull] {
        let place = [Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap())];
        let mut inlet = open_inlet(kind, &place, &options).unwrap();
        inlet.subscribe(b"").unwrap();
        let place = [Attachment::Connect(inlet.endpoints()[0].clone())];
        let sending = match kind {
            InletKind::Pull => OutletKind::Push,
            _ => OutletKind::Publish,
        };
        let mut outlet = open_outlet(sending, &place, &client(&known, &broker)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let user = loop {
            assert!(Instant::now() < deadline, "{kind:?}");
            drop(outlet.subscription_events().unwrap());
            let frames = [Frame::from(&b"a"[..]), Frame::from(&b"b"[..])];
            drop(outlet.send(frames.into_iter().collect()).unwrap());
            if let Some(mut message) = inlet.receive().unwrap() {
                break message.user();
            }
            pause();
        };
        assert_eq!(user.unwrap().key, known.public(), "{kind:?}");
    }
    let any = "tcp://127.0.0.1:0".parse().unwrap();
    let mut board = Switchboard::open(&[any], &options).unwrap();
    let mut caller = crate::Caller::open(&board.endpoints()[0], &client(&known, &broker)).unwrap();
    drop(caller.send(Message::single(&b"hello"[..])).unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline);
        if let Some((_, mut message)) = board.receive().unwrap() {
            assert_eq!(message.user().unwrap().key, known.public());
            break;
        }
        drop(caller.receive().unwrap());
        pause();
    }
}
