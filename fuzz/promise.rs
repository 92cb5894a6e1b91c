//! Any bytes at all, off the wire, give records or an error; and a record that was read can be
//! written and read again. The fuzz target and the plain test over the corpus both call this.

use logbus_schemas::codec::{self, CODECS, Codec};
use logbus_schemas::dialect::{self, DIALECTS, Malformed, Reading, pyzmq, seq};
use logbus_schemas::wire::durable::Command;
use logbus_schemas::wire::{Identity, Native};
use logbus_schemas::{Record, Value};

/// Panics when the promise does not hold for `bytes`.
pub(crate) fn any_bytes_are_read_or_refused(bytes: &[u8]) {
    for codec in CODECS {
        if let Ok(record) = codec.decode(bytes) {
            check_record(*codec, &record);
        }
        assert!(codec.decode_all(bytes).count() <= bytes.len());
    }
    check_values(bytes);
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    check_message(&[bytes]);
    check_message(&[b"myapp", bytes]);
    check_message(&[b"myapp.INFO", bytes]);
    check_message(&[bytes, b"hello"]);
    if let Some(native) = Native::split(&[bytes]) {
        check_message(&[native.topic, native.header, native.payload]);
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

/// Pickles of anything, and the classic form of Seq's events, which comes in a list only.
fn check_values(bytes: &[u8]) {
    if let Ok(value) = codec::pickle::decode(bytes) {
        let mut record = Record::default();
        record.set("value", value);
        check_record(codec::MSGPACK, &record);
    }
    if let Ok(event) = codec::JSON.decode(bytes)
        && let Ok(record) = seq::classic(event.into_fields())
    {
        check_record(codec::JSON, &record);
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

fn check_typed_access(record: &Record) {
    let message = record.get_message();
    if let Some(Value::Str(said)) = record.get("message") {
        assert_eq!(message, said.as_str());
    }
    assert!(record.level().is_none() || record.level_name().is_some());
}
