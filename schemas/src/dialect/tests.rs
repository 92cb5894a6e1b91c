//! Each dialect recognises its own messages and no other's; bad ones say what is wrong.

use proptest::prelude::*;

use super::*;
use crate::codec::{JSON, MSGPACK};
use crate::wire::SenderId;

fn record() -> Record {
    Record::new("myapp.db", 20, "hello")
}

fn encoded(codec: Codec) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(&record(), &mut bytes);
    bytes
}

fn kind_of(frames: &[&[u8]]) -> MalformedKind {
    read(frames).unwrap_err().kind
}

#[test]
fn each_message_is_read_by_the_first_dialect_that_claims_it() {
    let header = Header::new(JSON, SenderId(1)).to_bytes();
    let (json, msgpack) = (encoded(JSON), encoded(MSGPACK));
    let body = crate::wire::join(b"myapp", &header, b"");
    let logbook = b"{\"channel\": \"myapp\", \"msg\": \"x\", \"heavy_initialized\": true}";
    let messages: [(&str, &[&[u8]]); 10] = [
        ("native", &[b"myapp", &header, b""]),
        ("native", &[&body]),
        ("bare dict", &[&json]),
        ("bare dict", &[&msgpack]),
        ("topic and dict", &[b"myapp", &json]),
        ("topic and dict", &[b"myapp", &msgpack]),
        ("logbook", &[logbook]),
        ("pyzmq", &[b"myapp.INFO", b"x\n"]),
        ("pyzmq", &[b"myapp.INFO", &json]),
        ("pyzmq", &[b"ERROR.db", &msgpack]),
    ];
    for (expected, frames) in messages {
        let mut claims = DIALECTS
            .iter()
            .filter(|dialect| (dialect.recognise)(frames));
        assert_eq!(claims.next(), named(expected), "{frames:?}");
        assert!(read(frames).is_ok(), "{frames:?}");
    }
}

#[test]
fn a_bare_dict_is_published_under_its_name() {
    for codec in [JSON, MSGPACK] {
        let bytes = encoded(codec);
        let Ok(Reading::Foreign {
            topic,
            record: read,
            dict,
        }) = read(&[&bytes])
        else {
            panic!("{codec:?} not read")
        };
        assert_eq!(topic.as_str(), "myapp.db");
        assert_eq!(read, record());
        assert_eq!(dict, Some((codec, bytes.as_slice())));
    }
}

#[test]
fn a_topic_names_a_record_that_has_no_name() {
    let Ok(Reading::Foreign {
        topic,
        record,
        dict,
    }) = read(&[b"jobs.nightly", b"{\"msg\":\"x\"}"])
    else {
        panic!("not read")
    };
    assert_eq!(
        (topic.as_str(), record.name()),
        ("jobs.nightly", Some("jobs.nightly"))
    );
    assert!(dict.is_none());
}

#[test]
fn what_is_wrong_is_said_by_kind() {
    assert_eq!(kind_of(&[]), MalformedKind::Unrecognised);
    assert_eq!(kind_of(&[b"hello"]), MalformedKind::Unrecognised);
    assert_eq!(kind_of(&[b"{\"name\":"]), MalformedKind::Dict);
    assert_eq!(kind_of(&[b"{\"msg\":\"x\"}"]), MalformedKind::NoRecord);
    assert_eq!(kind_of(&[b"{\"name\":\"x\"}"]), MalformedKind::NoRecord);
    assert_eq!(
        kind_of(&[b"t", b"\xC1LB\x01", b""]),
        MalformedKind::NativeHeader
    );
}

#[test]
fn a_pickle_or_a_json_dict_is_read_where_pickles_come_in() {
    let pickle = named("pickle");
    for body in [
        b"}(U\x04nameU\x08myapp.dbU\x03msgU\x02hiu.".as_slice(),
        b" {\"name\":\"myapp.db\",\"msg\":\"hi\"}\n",
    ] {
        let Ok(Reading::Foreign { topic, record, .. }) = read_in(pickle, &[body]) else {
            panic!("not read")
        };
        assert_eq!((topic.as_str(), &*record.get_message()), ("myapp.db", "hi"));
    }
    let kind_of = |body: &[u8]| read_in(pickle, &[body]).unwrap_err().kind;
    assert_eq!(kind_of(b"}."), MalformedKind::NoRecord);
    assert_eq!(kind_of(b"}U\x03msgU\x02his."), MalformedKind::NoRecord);
    assert_eq!(kind_of(b"K\x01."), MalformedKind::Dict);
    assert_eq!(kind_of(b"{\"name\":"), MalformedKind::Dict);
}

#[test]
fn names_are_unique_and_every_row_says_who_speaks_it() {
    for (at, dialect) in DIALECTS.iter().enumerate() {
        assert!(!dialect.summary.is_empty());
        assert!(
            DIALECTS[..at]
                .iter()
                .all(|other| other.name != dialect.name)
        );
    }
}

#[test]
fn a_topicless_message_begins_with_a_prefix_that_is_subscribed_to() {
    for codec in [JSON, MSGPACK] {
        let bytes = encoded(codec);
        assert!(topicless_prefixes().any(|prefix| bytes.starts_with(prefix)));
    }
}

proptest! {
    #[test]
    fn any_frames_are_read_or_refused(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..4)
    ) {
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        for dialect in DIALECTS.iter().map(Some).chain([None]) {
            if let Err(malformed) = read_in(dialect, &frames) {
                prop_assert!(!malformed.detail.is_empty());
            }
        }
        prop_assert!(preview(&frames).len() < 1000);
    }
}
