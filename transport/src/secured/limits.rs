//! Who asks for too much, or says too little, is cut, and that is told.

use super::*;

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
