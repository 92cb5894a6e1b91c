//! The handler against proper requests, improper ones, and libzmq's own.

use super::*;

#[derive(Debug)]
struct Only(PublicKey);

impl Gate for Only {
    fn admit(&self, key: &PublicKey) -> Result<(), String> {
        match *key == self.0 {
            true => Ok(()),
            false => Err("an unknown key".to_owned()),
        }
    }

    fn grant(&self, _key: &PublicKey, _prefix: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

const KEY: [u8; 32] = [7; 32];

fn asked(requests: &[&[&[u8]]]) -> Vec<Vec<String>> {
    let context = Context::new();
    let gate = Arc::new(Only(PublicKey::from_bytes(KEY)));
    let mut zap = Zap::open(&context, gate, Notices::default()).unwrap();
    let asking = context.socket(SocketType::REQ).unwrap();
    asking.set_linger(0).unwrap();
    asking.connect(ENDPOINT).unwrap();
    let mut replies = Vec::new();
    for request in requests {
        asking.send_multipart(request.iter().copied(), 0).unwrap();
        zap.serve(|_| {}).unwrap();
        let reply = asking.recv_multipart(0).unwrap();
        let texts = reply.into_iter().map(String::from_utf8);
        replies.push(texts.collect::<Result<_, _>>().unwrap());
    }
    replies
}

#[test]
fn a_known_key_comes_in_and_each_connection_has_its_own_user_id() {
    let request: &[&[u8]] = &[b"1.0", b"42", b"logbus", b"10.0.0.1", b"", b"CURVE", &KEY];
    let key = PublicKey::from_bytes(KEY);
    let replies = asked(&[request, request]);
    assert_eq!(replies[0][..4], ["1.0", "42", "200", "OK"]);
    assert_eq!(replies[0][4], format!("1 {key}"));
    assert_eq!(replies[1][4], format!("2 {key}"));
    assert_eq!(User::parse(&replies[1][4]).unwrap().connection, 2);
}

#[test]
fn every_other_request_is_answered_and_lets_nobody_in() {
    let other = [8u8; 32];
    let table: &[(&str, &[&[u8]])] = &[
        (
            "400",
            &[b"1.0", b"1", b"logbus", b"a", b"", b"CURVE", &other],
        ),
        ("400", &[b"1.0", b"1", b"global", b"a", b"", b"CURVE", &KEY]),
        ("400", &[b"1.0", b"1", b"", b"a", b"", b"CURVE", &KEY]),
        ("400", &[b"1.0", b"1", b"logbus", b"a", b"", b"NULL"]),
        (
            "400",
            &[
                b"1.0", b"1", b"logbus", b"a", b"", b"PLAIN", b"admin", b"secret",
            ],
        ),
        (
            "400",
            &[b"1.0", b"1", b"logbus", b"a", b"", b"GSSAPI", b"principal"],
        ),
        ("400", &[b"1.0", b"1", b"logbus", b"a", b"", b"", b""]),
        ("500", &[b"2.0", b"1", b"logbus", b"a", b"", b"CURVE", &KEY]),
        ("500", &[b"1.0", b"1", b"logbus", b"a", b"", b"CURVE"]),
        (
            "500",
            &[b"1.0", b"1", b"logbus", b"a", b"", b"CURVE", &KEY[..31]],
        ),
        (
            "500",
            &[b"1.0", b"1", b"logbus", b"a", b"", b"CURVE", &KEY, &KEY],
        ),
        ("500", &[b"1.0", b"1", b"logbus", b"a", b"", b"NULL", b"x"]),
        ("500", &[b"1.0", b"1", b"logbus", b"a", b"", b"PLAIN", b"x"]),
        ("500", &[b"1.0", b"1", b"logbus", b"a", b""]),
        ("500", &[b"1.0"]),
        ("500", &[b""]),
    ];
    let requests: Vec<&[&[u8]]> = table.iter().map(|(_, request)| *request).collect();
    for (reply, (code, request)) in asked(&requests).iter().zip(table) {
        assert_eq!(reply.len(), 6, "{request:?}");
        assert_eq!(
            (reply[0].as_str(), reply[2].as_str()),
            ("1.0", *code),
            "{request:?}"
        );
        let id = request.get(1).copied().unwrap_or_default();
        assert_eq!(reply[1].as_bytes(), id, "it answers that request");
        assert!(reply[4].is_empty() && reply[5].is_empty(), "no user id");
    }
}

#[test]
fn what_a_refused_client_says_of_itself_is_shown_escaped_and_once() {
    let notices = Notices::default();
    let context = Context::new();
    let gate = Arc::new(Only(PublicKey::from_bytes(KEY)));
    let mut zap = Zap::open(&context, gate, notices.clone()).unwrap();
    for _ in 0..100 {
        zap.answer(&[b"1.0", b"1", b"logbus", b"\x1b[2J", b"", b"NULL"]);
    }
    let told = notices.take();
    assert_eq!(told.len(), 1);
    assert!(!told[0].contains('\x1b'), "{told:?}");
    assert_eq!(notices.counts()[REFUSED], 100);
}
