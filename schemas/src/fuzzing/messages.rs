//! Records off the wire: codecs, dialects, pickles, events of Seq's clients, durable commands.

use crate::attributes::ATTRIBUTES;
use crate::codec::{self, CODECS, Codec};
use crate::dialect::{self, DIALECTS, Malformed, Reading, pyzmq, seq};
use crate::outline::Outline;
use crate::value::Map;
use crate::wire::durable::Command;
use crate::wire::{Identity, Native};
use crate::{Record, Value};

/// Bytes that should be records of JSON or msgpack.
pub fn codecs(bytes: &[u8]) {
    for codec in CODECS {
        if let Ok(record) = codec.decode(bytes) {
            check_record(*codec, &record);
        }
        assert!(codec.decode_all(bytes).count() <= bytes.len());
        check_outline(*codec, bytes);
    }
}

/// What is read through has no fault, and the same attributes as when it is read.
fn check_outline(codec: Codec, bytes: &[u8]) {
    let Some((outline, used)) = Outline::read(codec.reading, bytes) else {
        return;
    };
    let Ok((fields, length)) = (codec.reading.decode)(bytes) else {
        panic!("skimmed and not read");
    };
    assert_eq!(used, length);
    let record = Record::from(outline);
    for attribute in ATTRIBUTES {
        let looked = record
            .look(attribute)
            .map(|value| value.to_value().into_owned());
        assert_eq!(looked.as_ref(), fields.get(attribute), "{attribute}");
    }
    let made = Record::from(fields);
    assert_eq!(record.name(), made.name());
    assert_eq!(record.level(), made.level());
    assert_eq!(record.level_name(), made.level_name());
    assert_eq!(record.get_message(), made.get_message());
    assert_eq!(
        record.created().map(f64::to_bits),
        made.created().map(f64::to_bits)
    );
    assert_eq!(record.text("exc_text"), made.text("exc_text"));
    assert_eq!(record, made);
}

/// Bytes as a message of one frame and as a part of longer ones, in every dialect.
pub fn dialects(bytes: &[u8]) {
    check_message(&[bytes]);
    check_message(&[b"myapp", bytes]);
    check_message(&[b"myapp.INFO", bytes]);
    check_message(&[bytes, b"hello"]);
    if let Some(native) = Native::split(&[bytes]) {
        check_message(&[native.topic, native.header, native.payload]);
    }
}

/// Bytes that should be a pickle of anything. Plain data in a dict can be pickled again.
pub fn pickle(bytes: &[u8]) {
    let Ok(value) = codec::pickle::decode(bytes) else {
        return;
    };
    if let Value::Map(map) = &value {
        check_pickled(map);
    }
    let mut record = Record::default();
    record.set("value", value);
    check_record(codec::MSGPACK, &record);
    if let Ok(record) = codec::pickle::decode_record(bytes) {
        check_record(codec::MSGPACK, &record);
    }
}

/// Bytes that should be an event, in CLEF or in the classic form.
pub fn seq(bytes: &[u8]) {
    let Ok(event) = codec::JSON.decode(bytes) else {
        return;
    };
    for read in [seq::clef, seq::classic] {
        if let Ok(record) = read(event.fields().clone()) {
            check_record(codec::JSON, &record);
        }
    }
}

/// Bytes that should be a command frame, with and without the four bytes that begin each.
pub fn durable(bytes: &[u8]) {
    for frame in [bytes.to_vec(), [b"\xC1LB\x01", bytes].concat()] {
        match Command::decode(&frame) {
            Ok(command) => assert_eq!(Command::decode(&command.encode()), Ok(command)),
            Err(error) => assert!(!error.0.is_empty()),
        }
    }
}

fn check_message(frames: &[&[u8]]) {
    for dialect in DIALECTS.iter().map(Some).chain([None]) {
        check_reading(dialect::read_in(dialect, frames));
    }
}

fn check_reading(reading: Result<Reading<'_>, Malformed>) {
    match reading {
        Ok(Reading::Foreign { topic, record, .. }) => {
            check_typed_access(&record);
            let [topic, line] = pyzmq::write(&topic, &record);
            assert!(dialect::read_in(dialect::named("pyzmq"), &[&topic, &line]).is_ok());
        }
        Ok(Reading::Native {
            header, payload, ..
        }) if header.flags.is_heartbeat() => {
            if let Some(identity) = Identity::decode(header.codec, payload) {
                let encoded = identity.encode(header.codec);
                assert_eq!(Identity::decode(header.codec, &encoded), Some(identity));
            }
        }
        Ok(Reading::Native {
            header, payload, ..
        }) => {
            for record in header.codec.decode_all(payload).flatten() {
                check_record(header.codec, &record);
            }
        }
        Err(malformed) => assert!(!malformed.detail.is_empty()),
    }
}

/// What a codec read, it and msgpack can write and read again as the same; JSON writes bytes and
/// extensions as text, so there it need only be readable.
fn check_record(read_by: Codec, record: &Record) {
    for codec in CODECS {
        let mut bytes = Vec::new();
        codec.encode(record, &mut bytes);
        let again = codec
            .decode(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {record:?}"));
        if *codec == read_by || *codec == codec::MSGPACK {
            assert_eq!(&again, record);
        }
    }
    check_typed_access(record);
}

fn check_pickled(map: &Map) {
    let mut bytes = Vec::new();
    codec::pickle::encode(map, &mut bytes);
    codec::pickle::decode(&bytes).unwrap_or_else(|error| panic!("{error}: {map:?}"));
}

fn check_typed_access(record: &Record) {
    let message = record.get_message();
    if let Some(Value::Str(said)) = record.get("message") {
        assert_eq!(message, said.as_str());
    }
    assert!(record.level().is_none() || record.level_name().is_some());
}
