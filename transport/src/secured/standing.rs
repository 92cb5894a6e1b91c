//! Connections that stand while rights change, and while others are refused.

use super::*;

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
