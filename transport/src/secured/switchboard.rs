//! The same promises where callers are answered: a switchboard and who may speak to it.

use super::*;

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
