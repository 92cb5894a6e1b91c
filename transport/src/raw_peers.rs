//! Peers that speak ZMTP by hand, and then do what no library would: nothing, or too much.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::{
    Attachment, Inlet, InletKind, KeyPair, Message, Notices, Options, OutletKind, PollSet, Rate,
    SubscriptionEvent, open_inlet, open_outlet, wait,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that has come in (rfc.zeromq.org/spec/23, NULL) as a socket of this type.
fn peer(port: u16, socket_type: &str) -> TcpStream {
    peer_that_adds(port, socket_type, &[])
}

/// The same, which says more of itself than that.
fn peer_that_adds(port: u16, socket_type: &str, properties: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut greeting = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1];
    greeting.extend(b"NULL");
    greeting.resize(64, 0);
    stream.write_all(&greeting).unwrap();
    let name = socket_type.as_bytes();
    let ready = [
        b"\x05READY\x0bSocket-Type\x00\x00\x00",
        &[name.len() as u8][..],
        name,
        properties,
    ]
    .concat();
    stream
        .write_all(&[&[4, ready.len() as u8], &ready[..]].concat())
        .unwrap();
    // The other side takes nothing else before it has said the same: a greeting and a short frame.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut theirs = [0; 66];
    stream.read_exact(&mut theirs).unwrap();
    stream
        .read_exact(&mut vec![0; usize::from(theirs[65])])
        .unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Whether the other side has ended the connection. What comes meanwhile is read and forgotten.
fn is_cut(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn pause() {
    drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        pause();
    }
}

fn restless() -> Options {
    Options {
        heartbeat: Some(Duration::from_secs(1)),
        ..Options::default()
    }
}

fn bound_inlet(options: &Options) -> Box<dyn Inlet> {
    let place = [Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap())];
    let mut inlet = open_inlet(InletKind::Subscribe, &place, options).unwrap();
    inlet.subscribe(b"").unwrap();
    inlet
}

fn is_told(notices: &Notices, what: &str) -> bool {
    let told = notices.take();
    told.iter().any(|line| line.contains(what))
}

#[test]
fn who_comes_in_and_then_answers_no_heartbeat_is_cut_and_it_is_said() {
    let options = restless();
    let mut inlet = bound_inlet(&options);
    let mut silent = peer(inlet.endpoints()[0].port().unwrap(), "PUB");
    until("it is kept", || {
        assert!(inlet.receive().unwrap().is_none());
        is_cut(&mut silent)
    });
    until("it is not said", || {
        assert!(inlet.receive().unwrap().is_none());
        is_told(&options.notices, "nothing had come from its other side for")
    });
}

#[test]
fn who_takes_nothing_any_more_is_cut_although_messages_wait_for_it() {
    let options = Options {
        send_queue: 10,
        ..restless()
    };
    let place = [Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap())];
    let mut outlet = open_outlet(OutletKind::Publish, &place, &options).unwrap();
    let port = outlet.endpoints()[0].port().unwrap();
    let mut stopped = peer(port, "SUB");
    stopped.write_all(&[0, 1, 1]).unwrap();
    let mut is_wanted = false;
    until("it is kept", || {
        is_wanted |= !outlet.subscription_events().unwrap().is_empty();
        if is_wanted {
            drop(outlet.send(Message::single(vec![b'x'; 1 << 20])).unwrap());
        }
        // libzmq is first where a heartbeat still found room.
        is_told(&options.notices, "its other side")
    });
    until("it can still be written to", || is_cut(&mut stopped));
}

#[test]
fn who_answers_stays_however_long_nothing_is_said() {
    let options = restless();
    let mut inlet = bound_inlet(&options);
    let place = [Attachment::Connect(inlet.endpoints()[0].clone())];
    let mut outlet = open_outlet(OutletKind::Publish, &place, &restless()).unwrap();
    until("it does not come", || {
        assert!(inlet.receive().unwrap().is_none());
        !outlet.subscription_events().unwrap().is_empty()
    });
    let mut silent = peer(inlet.endpoints()[0].port().unwrap(), "PUB");
    // As long as one that is silent from now on may stay.
    until("it is kept", || {
        assert!(inlet.receive().unwrap().is_none());
        is_cut(&mut silent)
    });
    drop(outlet.send(Message::single(&b"x"[..])).unwrap());
    until("what it sent is lost", || {
        inlet.receive().unwrap().is_some()
    });
}

#[test]
fn who_announces_too_large_a_frame_is_cut() {
    let options = Options {
        max_frame: 10_000,
        ..Options::default()
    };
    let mut inlet = bound_inlet(&options);
    let mut large = peer(inlet.endpoints()[0].port().unwrap(), "PUB");
    // A long frame, the length of which is all that is sent of it.
    large
        .write_all(&[&[2][..], &10_001u64.to_be_bytes()].concat())
        .unwrap();
    until("it is kept", || {
        assert!(inlet.receive().unwrap().is_none());
        is_cut(&mut large)
    });
}

#[test]
fn who_subscribes_to_more_than_any_topic_is_long_is_cut_and_the_others_stay() {
    let place = [Attachment::Bind("tcp://127.0.0.1:0".parse().unwrap())];
    let patient = Options {
        heartbeat: None,
        ..Options::default()
    };
    let mut outlet = open_outlet(OutletKind::Publish, &place, &patient).unwrap();
    let port = outlet.endpoints()[0].port().unwrap();
    let (mut long, mut longest) = (peer(port, "SUB"), peer(port, "SUB"));
    let subscription = |bytes: usize| {
        let length = (bytes as u64 + 1).to_be_bytes();
        [&[2][..], &length, &[1], &vec![b't'; bytes]].concat()
    };
    // The longest topic with the zero byte behind it, and what is no topic's.
    long.write_all(&subscription(256)).unwrap();
    longest.write_all(&subscription(2000)).unwrap();
    let mut asked = Vec::new();
    until("it is kept", || {
        asked.extend(outlet.subscription_events().unwrap());
        !asked.is_empty() && is_cut(&mut longest)
    });
    assert!(asked == [SubscriptionEvent::Added(vec![b't'; 256])]);
    assert!(!is_cut(&mut long));
}

#[test]
fn who_floods_is_cut_and_the_others_are_heard() {
    check_flood(&[]);
}

#[test]
fn without_keys_nobody_floods_in_the_name_of_another() {
    let key = KeyPair::generate().unwrap().public();
    let user = format!("0 {key}");
    let length = (user.len() as u32).to_be_bytes();
    check_flood(&[b"\x07User-Id", &length[..], user.as_bytes()].concat());
}

/// Both peers add this to what they say of themselves.
fn check_flood(properties: &[u8]) {
    let options = Options {
        max_rate: Rate {
            messages: Some(10),
            bytes: None,
        },
        ..Options::default()
    };
    let mut inlet = bound_inlet(&options);
    let port = inlet.endpoints()[0].port().unwrap();
    let [mut calm, mut flood] = [(); 2].map(|()| peer_that_adds(port, "PUB", properties));
    calm.write_all(&[0, 1, b'a']).unwrap();
    until("it is not heard", || inlet.receive().unwrap().is_some());
    let sent = 5_000;
    let burst = [0, 1, b'f'].repeat(sent);
    let mut at = 0;
    let mut heard = 0;
    until("it is not cut", || {
        at += flood.write(&burst[at..]).unwrap_or(0);
        while let Some(message) = inlet.receive().unwrap() {
            assert_eq!(&*message.join(), b"f");
            heard += 1;
        }
        is_cut(&mut flood)
    });
    // Ten seconds' worth, and what came while it went on.
    assert!((100..sent).contains(&heard), "{heard}");
    assert!(is_told(
        &options.notices,
        "it sends more than 10 messages a second"
    ));
    assert!(options.notices.counts()["messages over the rate"] > 0);
    calm.write_all(&[0, 1, b'b']).unwrap();
    until("the other one was cut, too", || {
        let message = inlet.receive().unwrap();
        message.is_some_and(|message| &*message.join() == b"b")
    });
}

#[test]
fn over_nng_who_floods_is_cut_as_well() {
    let options = Options {
        max_rate: Rate {
            messages: Some(10),
            bytes: Some(1 << 20),
        },
        ..Options::default()
    };
    let place = [Attachment::Bind("nng+tcp://127.0.0.1:0".parse().unwrap())];
    let mut inlet = open_inlet(InletKind::Subscribe, &place, &options).unwrap();
    inlet.subscribe(b"").unwrap();
    let place = [Attachment::Connect(inlet.endpoints()[0].clone())];
    let mut flood = open_outlet(OutletKind::Publish, &place, &Options::default()).unwrap();
    let mut calm = open_outlet(OutletKind::Publish, &place, &Options::default()).unwrap();
    until("it is not cut", || {
        for _ in 0..50 {
            drop(flood.subscription_events().unwrap());
            drop(flood.send(Message::single(&b"f"[..])).unwrap());
            drop(inlet.receive().unwrap());
        }
        is_told(
            &options.notices,
            "it sends more than 10 messages or 1048576 bytes a second",
        )
    });
    until("the other one was cut, too", || {
        drop(calm.subscription_events().unwrap());
        drop(calm.send(Message::single(&b"c"[..])).unwrap());
        let message = inlet.receive().unwrap();
        message.is_some_and(|message| &*message.join() == b"c")
    });
}
