//! What senders do that msgpack has no word for, and claims that the bytes do not keep.

use super::*;
use crate::codec::{MSGPACK, sink};

/// What these bytes read as, standing as a field of a record.
fn read(bytes: &[u8]) -> Result<Value, CodecErrorKind> {
    let record = MSGPACK
        .decode(&[b"\x81\xa1x", bytes].concat())
        .map_err(|error| error.kind)?;
    Ok(record.get("x").cloned().unwrap())
}

fn check(bytes: &[u8], expected: impl Into<Value>) {
    assert_eq!(read(bytes), Ok(expected.into()), "{bytes:02x?}");
}

fn check_key(key: &[u8], expected: &str) {
    let record = MSGPACK.decode(&[b"\x81", key, b"\x01"].concat()).unwrap();
    assert_eq!(
        record.fields().iter().next(),
        Some((expected, &Value::Int(1))),
        "{key:02x?}"
    );
}

fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    sink::put(value, 0, &mut Writer::new(&mut out));
    out
}

#[test]
fn integers_take_the_fewest_bytes_and_come_back() {
    for (n, length) in [
        (0, 1),
        (127, 1),
        (128, 2),
        (255, 2),
        (256, 3),
        (65_535, 3),
        (65_536, 5),
        (4_294_967_295, 5),
        (4_294_967_296, 9),
        (i64::MAX, 9),
        (-1, 1),
        (-32, 1),
        (-33, 2),
        (-128, 2),
        (-129, 3),
        (-32_768, 3),
        (-32_769, 5),
        (-2_147_483_648, 5),
        (-2_147_483_649, 9),
        (i64::MIN, 9),
    ] {
        let bytes = written(&Value::Int(n));
        assert_eq!(bytes.len(), length, "{n}");
        check(&bytes, n);
    }
    check(&written(&Value::UInt(u64::MAX)), Value::UInt(u64::MAX));
}

#[test]
fn every_length_of_every_kind_comes_back() {
    for length in [0, 1, 2, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65_535, 65_536] {
        let bytes: Box<[u8]> = vec![b'a'; length].into();
        let text = "a".repeat(length);
        let map = (0..length.min(70_000))
            .map(|n| (n.to_string(), Value::Null))
            .collect::<Map>();
        for value in [
            Value::from(text),
            Value::Bytes(bytes.clone()),
            Value::Ext(5, bytes),
            Value::List(vec![Value::Null; length]),
            Value::Map(map),
        ] {
            assert!(read(&written(&value)) == Ok(value), "{length}");
        }
    }
}

#[test]
fn an_integer_beyond_64_bits_is_extension_1_with_its_digits() {
    let digits = "-9223372036854775809";
    let value = Value::BigInt(digits.into());
    assert_eq!(
        written(&value),
        [b"\xc7\x14\x01", digits.as_bytes()].concat()
    );
    check(&written(&value), value);
}

#[test]
fn digits_that_fit_64_bits_are_an_integer_of_that_size() {
    check(b"\xd5\x01-7", -7);
    check(b"\xd6\x010017", 17);
    check(b"\xd5\x01-0", 0);
    check(b"\xc7\x14\x0118446744073709551615", Value::UInt(u64::MAX));
    for bytes in [b"".as_slice(), b"-", b"1x", b"+1", b" 1", b"\xff"] {
        let value = Value::Ext(BIG_INT, bytes.into());
        check(&written(&value), value);
    }
}

#[test]
fn a_short_float_is_read_as_a_double() {
    check(b"\xca\x3f\xc0\x00\x00", 1.5);
}

#[test]
fn a_text_that_is_not_utf_8_is_read_as_bytes() {
    check(b"\xa2a\xff", Value::Bytes((*b"a\xff").into()));
}

#[test]
fn keys_that_are_no_text_read_as_pythons_json_writes_them() {
    check_key(b"\x01", "1");
    check_key(
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        "18446744073709551615",
    );
    check_key(b"\xc0", "null");
    check_key(b"\xc3", "true");
    check_key(&written(&Value::Float(1.0)), "1.0");
    check_key(&written(&Value::Float(1e16)), "1e+16");
    check_key(&written(&Value::Float(f64::NAN)), "NaN");
    check_key(b"\xc4\x03a\xffb", "a\u{fffd}b");
    check_key(b"\xa2a\xff", "a\u{fffd}");
    check_key(b"\x92\x01\xa1b", "[1,\"b\"]");
    check_key(b"\x91\x91\x01", "[\"[...]\"]");
    check_key(b"\x80", "{...}");
    check_key(b"\xd6\xff\x00\x00\x00\x00", "1970-01-01T00:00:00Z");
}

#[test]
fn the_last_of_two_equal_keys_stands_in_the_first_place() {
    let record = MSGPACK.decode(b"\x83\xa1a\x01\xa1b\x02\xa1a\x03").unwrap();
    assert_eq!(record.fields(), &Map::from_iter([("a", 3), ("b", 2)]));
}

#[test]
fn a_claim_that_the_bytes_do_not_keep_is_not_believed() {
    for bytes in [
        b"\xdf\xff\xff\xff\xff".as_slice(),
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x05",
        b"\xdd\x00\x00\x00\x02\xdd\xff\xff\xff\xff",
        b"\x82\xa1a\x01",
    ] {
        assert_eq!(read(bytes), Err(CodecErrorKind::Truncated), "{bytes:02x?}");
    }
}

#[test]
fn nested_claims_make_no_room_for_each_other() {
    // Each list claims all the bytes behind it, which is true of none of them.
    let length = 1_000_000_u32;
    let mut bytes = b"\x81\xa1x".to_vec();
    for _ in 0..MAX_DEPTH - 1 {
        write_with(Marker::Array32, &length.to_be_bytes(), &mut bytes);
    }
    bytes.resize(bytes.len() + length as usize, 0xC0);
    assert_eq!(
        MSGPACK.decode(&bytes).unwrap_err().kind,
        CodecErrorKind::Truncated
    );
}

#[test]
fn a_dict_as_the_key_of_a_dict_as_a_key_stays_small() {
    let depth = MAX_DEPTH;
    let bytes = [b"\x81".repeat(depth), b"\xc0".repeat(depth + 1)].concat();
    let record = MSGPACK.decode(&bytes).unwrap();
    assert_eq!(record.fields(), &Map::from_iter([("{...}", Value::Null)]));
}

#[test]
fn nesting_ends_at_the_limit_both_ways() {
    let nested = |depth: usize| [b"\x91".repeat(depth), b"\x90".to_vec()].concat();
    assert!(read(&nested(MAX_DEPTH - 2)).is_ok());
    assert_eq!(read(&nested(MAX_DEPTH - 1)), Err(CodecErrorKind::TooDeep));

    let mut value = Value::from(vec![]);
    for _ in 0..MAX_DEPTH {
        value = Value::from(vec![value]);
    }
    let mut bytes = Vec::new();
    encode_record(&Record::from(Map::from_iter([("x", value)])), &mut bytes);
    assert!(
        MSGPACK.decode(&bytes).is_ok(),
        "what is written can be read"
    );
    assert!(bytes.ends_with(b"\x91\xa5[...]"));
}

#[test]
fn what_is_no_map_is_no_dict_and_the_reserved_byte_is_nothing() {
    let kind_of = |bytes: &[u8]| MSGPACK.decode(bytes).unwrap_err().kind;
    assert_eq!(kind_of(b"hello"), CodecErrorKind::NotADict);
    assert_eq!(kind_of(b"\x91\x01"), CodecErrorKind::NotADict);
    assert_eq!(kind_of(b"\xc1"), CodecErrorKind::Syntax);
    assert_eq!(kind_of(b""), CodecErrorKind::Truncated);
    assert_eq!(kind_of(b"\x80\x80"), CodecErrorKind::Trailing);
}
