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

#[test]
fn changed_rights_count_for_connections_that_stand() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &["shop."])]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let mut inlet = subscriber(&place, &client(&known, &broker), &["shop.", "jobs."]);
    until_asked(&mut *outlet, 2);
    publish(&mut *outlet, "shop.one");
    assert_eq!(receive(&mut *inlet, &mut *outlet), "shop.one");
    gate.0.lock().unwrap().insert(known.public(), vec!["jobs."]);
    outlet.reconsider().unwrap();
    let (deadline, mut seen) = (Instant::now() + PATIENCE, 0);
    while seen < 2 {
        assert!(Instant::now() < deadline);
        // A SUB socket sends its subscriptions only when it is served.
        assert!(inlet.receive().unwrap().is_none());
        let events = outlet.subscription_events().unwrap();
        seen += events.iter().filter(|event| event.is_added()).count();
        pause();
    }
    for text in ["shop.two", "jobs.one"] {
        publish(&mut *outlet, text);
    }
    assert_eq!(receive(&mut *inlet, &mut *outlet), "jobs.one");
    gate.0.lock().unwrap().clear();
    outlet.reconsider().unwrap();
    assert!(!gets_anything(&mut *inlet, &mut *outlet));
}

#[test]
fn who_was_refused_comes_in_once_its_key_is_known() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let mut options = client(&known, &broker);
    options.watch_peers = true;
    let mut inlet = subscriber(&outlet.endpoints()[0].clone(), &options, &["shop."]);
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while !heard.contains(&crate::PeerEvent::Refused) {
        assert!(Instant::now() < deadline, "{heard:?}");
        drop(outlet.subscription_events().unwrap());
        assert!(inlet.receive().unwrap().is_none());
        heard.extend(inlet.peer_events());
        pause();
    }
    gate.0.lock().unwrap().insert(known.public(), vec!["shop."]);
    let mut got = false;
    while !got {
        assert!(Instant::now() < deadline, "it never came again");
        drop(outlet.subscription_events().unwrap());
        publish(&mut *outlet, "shop.one");
        got = inlet.receive().unwrap().is_some();
        pause();
    }
}

/// Many at once, so that events of refused attempts are heard late, when the next one stands already.
#[test]
fn a_connection_that_stands_after_refusals_loses_nothing() {
    let broker = keys();
    let clients: Vec<KeyPair> = (0..20).map(|_| keys()).collect();
    let gate = Prefixes::of(&[]);
    let mut outlet = bound_outlet(&server(&broker, &gate));
    let place = outlet.endpoints()[0].clone();
    let mut readers: Vec<_> = clients
        .iter()
        .map(|client_key| {
            let mut options = client(client_key, &broker);
            options.watch_peers = true;
            let inlet = subscriber(&place, &options, &["shop."]);
            (client_key, inlet, Vec::new())
        })
        .collect();
    let deadline = Instant::now() + PATIENCE * 2;
    let mut asked = 0;
    while asked < readers.len() {
        assert!(Instant::now() < deadline, "{asked} came in");
        for event in outlet.subscription_events().unwrap() {
            assert!(event.is_added(), "a connection that stood broke");
            asked += 1;
        }
        for (key, inlet, heard) in &mut readers {
            assert!(inlet.receive().unwrap().is_none());
            heard.extend(inlet.peer_events());
            // Each is known once it was refused, while others still are not.
            if heard.contains(&crate::PeerEvent::Refused) {
                gate.0.lock().unwrap().insert(key.public(), vec!["shop."]);
            }
        }
        pause();
    }
    for number in 0..500 {
        publish(&mut *outlet, &format!("shop.{number}"));
    }
    for (_, inlet, heard) in &mut readers {
        for number in 0..500 {
            assert_eq!(
                receive(&mut **inlet, &mut *outlet),
                format!("shop.{number}")
            );
        }
        heard.extend(inlet.peer_events());
        assert!(
            !heard.contains(&crate::PeerEvent::Disconnected),
            "{heard:?}"
        );
    }
}

#[test]
fn a_socket_with_a_key_dials_one_endpoint() {
    let (broker, known) = (keys(), keys());
    let one = bound_outlet(&server(&broker, &Prefixes::of(&[])));
    let other = bound_outlet(&server(&broker, &Prefixes::of(&[])));
    let places = [&one, &other].map(|o| Attachment::Connect(o.endpoints()[0].clone()));
    let opened = open_inlet(InletKind::Subscribe, &places, &client(&known, &broker));
    let error = opened.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("dials one endpoint"), "{error}");
}

#[test]
fn an_attempt_that_fails_ends_no_connection_elsewhere() {
    let mut stands = bound_outlet(&Options::default());
    let refuses = bound_outlet(&server(&keys(), &Prefixes::of(&[])));
    let places = [&stands, &refuses].map(|o| Attachment::Connect(o.endpoints()[0].clone()));
    let watched = Options {
        watch_peers: true,
        ..Options::default()
    };
    let mut inlet = open_inlet(InletKind::Subscribe, &places, &watched).unwrap();
    inlet.subscribe(b"").unwrap();
    let both = [crate::PeerEvent::Connected, crate::PeerEvent::Refused];
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while !both.iter().all(|event| heard.contains(event)) {
        assert!(Instant::now() < deadline, "{heard:?}");
        drop(stands.subscription_events().unwrap());
        assert!(inlet.receive().unwrap().is_none());
        heard.extend(inlet.peer_events());
        pause();
    }
    // What comes now comes behind all that there is to hear of the attempt.
    publish(&mut *stands, "shop.one");
    assert_eq!(receive(&mut *inlet, &mut *stands), "shop.one");
    heard.extend(inlet.peer_events());
    assert!(
        !heard.contains(&crate::PeerEvent::Disconnected),
        "{heard:?}"
    );
}

#[test]
fn who_asks_for_too_much_is_cut_and_it_is_said() {
    let (broker, known) = (keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let mut options = server(&broker, &gate);
    options.max_subscriptions = 3;
    let mut outlet = bound_outlet(&options);
    let place = outlet.endpoints()[0].clone();
    let _inlet = subscriber(&place, &client(&known, &broker), &["a", "b", "c", "d"]);
    until_told(&options.notices, "too many subscriptions", || {
        drop(outlet.subscription_events().unwrap());
    });
}

#[test]
fn one_connection_too_many_is_cut_and_the_others_stay() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let mut outlet = bound_outlet(&options);
    let place = outlet.endpoints()[0].clone();
    let mut first = subscriber(&place, &Options::default(), &["a"]);
    until_asked(&mut *outlet, 1);
    let mut second = TcpStream::connect(("127.0.0.1", place.port().unwrap())).unwrap();
    second
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let mut is_cut = false;
    until_told(&options.notices, "1 connections are the limit", || {
        drop(outlet.subscription_events().unwrap());
    });
    let deadline = Instant::now() + PATIENCE;
    while !is_cut {
        assert!(Instant::now() < deadline, "it was not cut");
        let mut buffer = [0; 100];
        is_cut = matches!(second.read(&mut buffer), Ok(0)) || second.write(&[0]).is_err();
    }
    publish(&mut *outlet, "a");
    assert_eq!(receive(&mut *first, &mut *outlet), "a");
}

#[test]
fn who_does_not_complete_the_handshake_is_cut_in_time() {
    let options = Options {
        handshake: Duration::from_millis(100),
        ..Options::default()
    };
    let mut outlet = bound_outlet(&options);
    let port = outlet.endpoints()[0].port().unwrap();
    let mut idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    until_told(&options.notices, "did not come in", || {
        drop(outlet.subscription_events().unwrap());
    });
    idle.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    drop(idle.read_to_end(&mut rest));
    assert!(rest.len() <= 64);
}

fn until_told(notices: &Notices, what: &str, mut turn: impl FnMut()) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        turn();
        let told = notices.take();
        if told.iter().any(|line| line.contains(what)) {
            return;
        }
        assert!(Instant::now() < deadline, "never told: {what}; {told:?}");
        pause();
    }
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

fn caller(board: &Switchboard, options: &Options) -> Caller {
    Caller::open(&board.endpoints()[0], options).unwrap()
}

/// Turns the switchboard until this caller's message comes.
fn heard(board: &mut Switchboard, caller: &mut Caller, text: &str) -> Peer {
    let deadline = Instant::now() + PATIENCE;
    let mut unsent = Some(Message::single(text.as_bytes()));
    loop {
        assert!(Instant::now() < deadline, "{text:?} never came");
        if let Some(message) = unsent.take()
            && let Sent::Busy(back) = caller.send(message).unwrap()
        {
            unsent = Some(back);
        }
        if let Some((peer, message)) = board.receive().unwrap()
            && self::text(&message) == text
        {
            return peer;
        }
        drop(caller.receive().unwrap());
        pause();
    }
}

#[test]
fn a_switchboard_lets_nobody_in_without_the_right_keys() {
    let (broker, known, unknown) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""])]);
    let any = "tcp://127.0.0.1:0".parse().unwrap();
    let mut board = Switchboard::open(&[any], &server(&broker, &gate)).unwrap();
    let strangers = [
        Options::default(),
        client(&unknown, &broker),
        client(&known, &unknown),
    ];
    let mut strangers: Vec<_> = strangers.iter().map(|of| caller(&board, of)).collect();
    for stranger in &mut strangers {
        drop(stranger.send(Message::single(&b"stranger"[..])).unwrap());
    }
    let deadline = Instant::now() + MOMENT;
    while Instant::now() < deadline {
        assert!(board.receive().unwrap().is_none());
        for stranger in &mut strangers {
            assert!(stranger.receive().unwrap().is_none());
        }
        pause();
    }
    let mut friend = caller(&board, &client(&known, &broker));
    let peer = heard(&mut board, &mut friend, "friend");
    assert_eq!(peer.user().unwrap().key, known.public());
}

#[test]
fn who_takes_the_identity_of_another_hears_nothing_that_was_meant_for_it() {
    let (broker, known, thief) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""]), (&thief, &[""])]);
    let any = "tcp://127.0.0.1:0".parse().unwrap();
    let mut board = Switchboard::open(&[any], &server(&broker, &gate)).unwrap();
    let place = board.endpoints()[0].to_string();
    let context = ::zmq::Context::new();
    let dealer = |keys: &KeyPair| {
        let dealer = context.socket(::zmq::DEALER).unwrap();
        dealer.set_linger(0).unwrap();
        dealer.set_identity(b"same").unwrap();
        crate::curve::secure_for_tests(&dealer, &client(keys, &broker));
        dealer.connect(&place).unwrap();
        dealer.send("hello", 0).unwrap();
        dealer
    };
    let mut next = |patience: Duration| {
        let deadline = Instant::now() + patience;
        loop {
            if let Some((peer, _)) = board.receive().unwrap() {
                return Some(peer);
            }
            if Instant::now() >= deadline {
                return None;
            }
            pause();
        }
    };
    let honest = dealer(&known);
    let first = next(PATIENCE).unwrap();
    drop(honest);
    // Who comes before the identity is free is never heard.
    let deadline = Instant::now() + PATIENCE;
    let (stealing, second) = loop {
        assert!(Instant::now() < deadline, "the identity was never free");
        let stealing = dealer(&thief);
        if let Some(second) = next(Duration::from_secs(1)) {
            break (stealing, second);
        }
    };
    assert_ne!(first, second);
    let secret = Message::single(&b"secret"[..]);
    assert!(matches!(board.send(&first, secret).unwrap(), Told::Gone));
    let told = board.send(&second, Message::single(&b"open"[..])).unwrap();
    assert!(matches!(told, Told::Taken));
    stealing.set_rcvtimeo(20_000).unwrap();
    assert_eq!(stealing.recv_bytes(0).unwrap(), b"open");
}

#[test]
fn a_caller_whose_key_is_taken_away_is_cut_and_not_heard() {
    let (broker, known, stays) = (keys(), keys(), keys());
    let gate = Prefixes::of(&[(&known, &[""]), (&stays, &[""])]);
    let any = "tcp://127.0.0.1:0".parse().unwrap();
    let mut board = Switchboard::open(&[any], &server(&broker, &gate)).unwrap();
    let mut cut = caller(&board, &client(&known, &broker));
    let mut staying = caller(&board, &client(&stays, &broker));
    let peer = heard(&mut board, &mut cut, "one");
    let kept = heard(&mut board, &mut staying, "two");
    gate.0.lock().unwrap().remove(&known.public());
    // What it says now is on its way when it is put out, or comes later.
    drop(cut.send(Message::single(&b"three"[..])).unwrap());
    board.reconsider();
    let deadline = Instant::now() + PATIENCE;
    while !cut.peer_events().contains(&PeerEvent::Disconnected) {
        assert!(Instant::now() < deadline, "it was not cut");
        assert!(board.receive().unwrap().is_none());
        drop(cut.receive().unwrap());
        pause();
    }
    while !matches!(
        board.send(&peer, Message::single(&b"x"[..])).unwrap(),
        Told::Gone
    ) {
        assert!(Instant::now() < deadline, "it is still there");
        pause();
    }
    let told = board.send(&kept, Message::single(&b"still"[..])).unwrap();
    assert!(matches!(told, Told::Taken));
    assert_eq!(heard(&mut board, &mut staying, "four"), kept);
}
