//! The promises of a socket, held against every way to carry frames.
//!
//! Each test runs over ZeroMQ on TCP and on a Unix socket, and over NNG on both, where the
//! publisher that connects speaks SP itself, and over the in-process twin. They wait on the sockets, never on the clock alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{
    Attachment, Endpoint, ErrorKind, Flushed, Frame, Inlet, InletKind, Message, Options, Outlet,
    OutletKind, PollSet, Sent, SubscriptionEvent, WhenFull, open_inlet, open_outlet, wait,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a promise over every row, each with an endpoint to bind.
fn over_all(promise: impl Fn(Endpoint)) {
    // A name of its own for each test, because they run at once.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let memory = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = tempfile::tempdir().unwrap();
    let (zmq, nng) = (dir.path().join("zmq"), dir.path().join("nng"));
    for text in [
        "tcp://127.0.0.1:0".to_owned(),
        format!("ipc://{}", zmq.display()),
        "nng+tcp://127.0.0.1:0".to_owned(),
        format!("nng+ipc://{}", nng.display()),
        format!("memory://conformance-{memory}"),
    ] {
        promise(text.parse().unwrap());
    }
}

fn bound_inlet(endpoint: &Endpoint, prefix: &str) -> Box<dyn Inlet> {
    let place = [Attachment::Bind(endpoint.clone())];
    let mut inlet = open_inlet(InletKind::Subscribe, &place, &Options::default()).unwrap();
    inlet.subscribe(prefix.as_bytes()).unwrap();
    inlet
}

fn connected_outlet(inlet: &dyn Inlet, options: &Options) -> Box<dyn Outlet> {
    let place = [Attachment::Connect(inlet.endpoints()[0].clone())];
    open_outlet(OutletKind::Publish, &place, options).unwrap()
}

/// Turns both ends until `done` says so.
fn until(
    inlet: &mut dyn Inlet,
    outlet: &mut dyn Outlet,
    mut done: impl FnMut(&mut dyn Inlet, &mut dyn Outlet) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !done(inlet, outlet) {
        assert!(
            Instant::now() < deadline,
            "nothing happens at {:?}",
            inlet.endpoints()
        );
        let mut set = PollSet::new();
        inlet.poll(&mut set);
        outlet.poll(&mut set);
        wait(&mut set, Some(Duration::from_millis(20))).unwrap();
    }
}

fn until_subscribed(inlet: &mut dyn Inlet, outlet: &mut dyn Outlet) {
    until(inlet, outlet, |inlet, outlet| {
        // A SUB socket sends its subscriptions only when it is served.
        assert!(inlet.receive().unwrap().is_none());
        outlet
            .subscription_events()
            .unwrap()
            .iter()
            .any(SubscriptionEvent::is_added)
    });
}

fn message(text: &str) -> Message {
    Message::single(text.as_bytes())
}

fn text(message: &Message) -> String {
    String::from_utf8(message.join()).unwrap()
}

fn receive_one(inlet: &mut dyn Inlet, outlet: &mut dyn Outlet) -> String {
    let mut received = None;
    until(inlet, outlet, |inlet, outlet| {
        drop(outlet.subscription_events());
        received = inlet.receive().unwrap();
        received.is_some()
    });
    text(&received.unwrap())
}

#[test]
fn messages_arrive_whole_and_in_order() {
    over_all(|endpoint| {
        let mut inlet = bound_inlet(&endpoint, "");
        let mut outlet = connected_outlet(&*inlet, &Options::default());
        until_subscribed(&mut *inlet, &mut *outlet);
        let large = "x".repeat(300_000);
        for text in ["one", large.as_str(), "three"] {
            assert!(matches!(outlet.send(message(text)).unwrap(), Sent::Taken));
        }
        for text in ["one", large.as_str(), "three"] {
            assert_eq!(receive_one(&mut *inlet, &mut *outlet), text);
        }
    });
}

#[test]
fn a_subscriber_gets_what_it_asked_for_and_nothing_else() {
    over_all(|endpoint| {
        let mut inlet = bound_inlet(&endpoint, "app");
        let mut outlet = connected_outlet(&*inlet, &Options::default());
        until_subscribed(&mut *inlet, &mut *outlet);
        for text in ["other", "app.one", "ap", "app.two"] {
            assert!(matches!(outlet.send(message(text)).unwrap(), Sent::Taken));
        }
        assert_eq!(receive_one(&mut *inlet, &mut *outlet), "app.one");
        assert_eq!(receive_one(&mut *inlet, &mut *outlet), "app.two");
    });
}

#[test]
fn an_endpoint_that_is_taken_is_said_to_be() {
    over_all(|endpoint| {
        let inlet = bound_inlet(&endpoint, "");
        let place = [Attachment::Bind(inlet.endpoints()[0].clone())];
        let error = open_inlet(InletKind::Subscribe, &place, &Options::default())
            .err()
            .unwrap();
        assert_eq!(error.kind, ErrorKind::InUse, "{error}");
        assert_eq!(error.endpoint.as_ref(), Some(&inlet.endpoints()[0]));
    });
}

#[test]
fn a_publisher_finds_a_subscriber_that_comes_back() {
    over_all(|endpoint| {
        let mut inlet = bound_inlet(&endpoint, "");
        let mut outlet = connected_outlet(&*inlet, &Options::default());
        until_subscribed(&mut *inlet, &mut *outlet);
        let place = inlet.endpoints()[0].clone();
        drop(inlet);
        let mut inlet = bound_inlet(&place, "");
        // ZeroMQ keeps the subscription over a broken connection, NNG reports a new one; either
        // way what is sent once the connection stands again arrives.
        until(&mut *inlet, &mut *outlet, |inlet, outlet| {
            outlet.subscription_events().unwrap();
            drop(outlet.send(message("again")).unwrap());
            inlet
                .receive()
                .unwrap()
                .is_some_and(|received| text(&received) == "again")
        });
    });
}

#[test]
fn a_full_socket_refuses_and_loses_nothing_that_it_took() {
    over_all(|endpoint| {
        let mut inlet = bound_inlet(&endpoint, "");
        let options = Options {
            send_queue: 8,
            when_full: WhenFull::Refuse,
            ..Options::default()
        };
        let mut outlet = connected_outlet(&*inlet, &options);
        until_subscribed(&mut *inlet, &mut *outlet);
        let is_nng = endpoint.scheme().starts_with("nng");
        // NNG's SUB drops what is not read in time, so there the reader keeps up.
        let most = if is_nng { 500 } else { 100_000 };
        let padding = "x".repeat(if is_nng { 10 } else { 20_000 });
        let mut taken = 0;
        while taken < most
            && let Sent::Taken = outlet.send(message(&format!("{taken} {padding}"))).unwrap()
        {
            taken += 1;
        }
        assert!(is_nng || taken < most, "it refuses at last");
        for at in 0..taken {
            assert!(receive_one(&mut *inlet, &mut *outlet).starts_with(&format!("{at} ")));
        }
    });
}

#[test]
fn closing_sends_what_was_taken() {
    over_all(|endpoint| {
        let mut inlet = bound_inlet(&endpoint, "");
        let mut outlet = connected_outlet(&*inlet, &Options::default());
        until_subscribed(&mut *inlet, &mut *outlet);
        for at in 0..500 {
            assert!(matches!(
                outlet.send(message(&at.to_string())).unwrap(),
                Sent::Taken
            ));
        }
        assert_eq!(outlet.close(PATIENCE), Flushed::Complete);
        let mut idle = connected_outlet(&*inlet, &Options::default());
        for at in 0..500 {
            assert_eq!(receive_one(&mut *inlet, &mut *idle), at.to_string());
        }
    });
}

#[test]
fn closing_without_a_peer_takes_no_time() {
    over_all(|endpoint| {
        let inlet = bound_inlet(&endpoint, "");
        let place = inlet.endpoints()[0].clone();
        drop(inlet);
        let outlet = open_outlet(
            OutletKind::Publish,
            &[Attachment::Connect(place)],
            &Options::default(),
        );
        let begun = Instant::now();
        outlet.unwrap().close(PATIENCE);
        assert!(begun.elapsed() < PATIENCE / 2);
    });
}

#[test]
fn one_socket_serves_one_transport() {
    let places: Vec<Attachment> = ["tcp://127.0.0.1:0", "nng+tcp://127.0.0.1:0"]
        .map(|text| Attachment::Bind(text.parse().unwrap()))
        .into();
    let error = open_inlet(InletKind::Subscribe, &places, &Options::default())
        .err()
        .unwrap();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}

#[test]
fn a_multipart_message_keeps_its_frames() {
    let endpoint: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
    let mut inlet = bound_inlet(&endpoint, "topic");
    let mut outlet = connected_outlet(&*inlet, &Options::default());
    until_subscribed(&mut *inlet, &mut *outlet);
    let frames = [b"topic".as_slice(), b"", b"payload"];
    let sent = outlet
        .send(frames.into_iter().map(Frame::from).collect())
        .unwrap();
    assert!(matches!(sent, Sent::Taken));
    let mut received = None;
    until(&mut *inlet, &mut *outlet, |inlet, _| {
        received = inlet.receive().unwrap();
        received.is_some()
    });
    let received = received.unwrap();
    let received = received.slices();
    assert_eq!(*received, frames);
}

#[test]
fn one_connection_beyond_the_limit_is_cut_and_told_and_the_others_stay() {
    over_all(|endpoint| {
        if endpoint.to_string().starts_with("memory") {
            return;
        }
        let options = Options {
            max_connections: 1,
            ..Options::default()
        };
        let place = [Attachment::Bind(endpoint)];
        let mut outlet = open_outlet(OutletKind::Publish, &place, &options).unwrap();
        let place = [Attachment::Connect(outlet.endpoints()[0].clone())];
        let mut first = open_inlet(InletKind::Subscribe, &place, &Options::default()).unwrap();
        first.subscribe(b"").unwrap();
        until(&mut *first, &mut *outlet, |_, outlet| {
            outlet
                .subscription_events()
                .unwrap()
                .iter()
                .any(SubscriptionEvent::is_added)
        });
        let mut second = open_inlet(InletKind::Subscribe, &place, &Options::default()).unwrap();
        second.subscribe(b"").unwrap();
        until(&mut *second, &mut *outlet, |_, outlet| {
            let gone = outlet.subscription_events().unwrap();
            assert!(
                gone.iter().all(SubscriptionEvent::is_added),
                "the first one stays"
            );
            options
                .notices
                .take()
                .iter()
                .any(|line| line.contains("1 connections are the limit"))
        });
        drop(outlet.send(Message::single(&b"x"[..])).unwrap());
        until(&mut *first, &mut *outlet, |first, outlet| {
            drop(outlet.subscription_events().unwrap());
            first.receive().unwrap().is_some()
        });
    });
}

#[test]
fn who_sends_too_large_a_frame_is_cut_and_others_are_heard() {
    over_all(|endpoint| {
        if endpoint.to_string().starts_with("memory") {
            return;
        }
        let options = Options {
            max_frame: 10_000,
            ..Options::default()
        };
        let place = [Attachment::Bind(endpoint)];
        let mut inlet = open_inlet(InletKind::Subscribe, &place, &options).unwrap();
        inlet.subscribe(b"").unwrap();
        let mut large = connected_outlet(&*inlet, &Options::default());
        let mut small = connected_outlet(&*inlet, &Options::default());
        let mut is_sent = false;
        // What comes behind the large one on the same way shows that its turn was.
        until(&mut *inlet, &mut *large, |inlet, large| {
            let events = large.subscription_events().unwrap();
            if !is_sent && events.iter().any(SubscriptionEvent::is_added) {
                is_sent = true;
                drop(large.send(Message::single(vec![b'x'; 10_001])).unwrap());
            } else if is_sent {
                drop(large.send(Message::single(&b"behind"[..])).unwrap());
            }
            let message = inlet.receive().unwrap();
            message.is_some_and(|message| message.join() == b"behind"[..])
        });
        drop(large);
        until(&mut *inlet, &mut *small, |inlet, small| {
            drop(small.subscription_events().unwrap());
            drop(small.send(Message::single(vec![b'y'; 9_000])).unwrap());
            inlet
                .receive()
                .unwrap()
                .is_some_and(|message| message.len_bytes() == 9_000)
        });
    });
}
