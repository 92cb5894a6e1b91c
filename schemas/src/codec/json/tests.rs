//! What JSON says beyond the standard, and how each kind of value is written.

use super::*;
use crate::Map;
use crate::codec::{CodecErrorKind, JSON, MAX_DEPTH};
use crate::codec::{msgpack, sink};
use proptest::prelude::*;

/// What `text` reads as, standing as a field of a record.
fn read(text: &str) -> Result<Value, CodecErrorKind> {
    let bytes = [b"{\"x\": ", text.as_bytes(), b"}"].concat();
    let record = JSON.decode(&bytes).map_err(|error| error.kind)?;
    Ok(record.get("x").cloned().unwrap())
}

fn check(text: &str, expected: impl Into<Value>) {
    assert_eq!(read(text), Ok(expected.into()), "{text}");
}

fn written(value: &Value) -> String {
    let mut out = Vec::new();
    sink::put(value, 0, &mut Writer::new(&mut out));
    String::from_utf8(out).unwrap()
}

fn kind_of(bytes: &[u8]) -> CodecErrorKind {
    JSON.decode(bytes).unwrap_err().kind
}

#[test]
fn integers_of_any_size_keep_their_digits() {
    check("0", 0);
    check("-0", 0);
    check("-17", -17);
    check("999999999999999999", 999_999_999_999_999_999_i64);
    check("9223372036854775807", i64::MAX);
    check("-9223372036854775808", i64::MIN);
    check("9223372036854775808", Value::UInt(1 << 63));
    check("18446744073709551615", Value::UInt(u64::MAX));
    check(
        "18446744073709551616",
        Value::BigInt("18446744073709551616".into()),
    );
    check(
        "-9223372036854775809",
        Value::BigInt("-9223372036854775809".into()),
    );
    let googol = format!("1{}", "0".repeat(100));
    assert_eq!(written(&read(&googol).unwrap()), googol);
}

#[test]
fn floats_are_read_as_python_reads_them() {
    check("1.0", 1.0);
    check("-0.0", -0.0);
    check("1e5", 1e5);
    check("1E+5", 1e5);
    check("25e-1", 2.5);
    check("1e999", f64::INFINITY);
    check("-1e999", f64::NEG_INFINITY);
    check("1e-999", 0.0);
    check("NaN", f64::NAN);
    check("Infinity", f64::INFINITY);
    check("-Infinity", f64::NEG_INFINITY);
}

#[test]
fn floats_are_written_as_python_writes_them() {
    for (x, expected) in [
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (-1.25e300, "-1.25e+300"),
        (5e-324, "5e-324"),
        (1795207453.7225823, "1795207453.7225823"),
        (-119654556369074.63, "-119654556369074.62"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(written(&Value::Float(x)), expected);
    }
}

#[test]
fn what_is_no_json_number_is_refused() {
    for text in [
        "01", "-01", "1.", ".5", "+1", "1e", "1e+", "0x10", "-", "--1", "Inf", "nan",
    ] {
        assert_eq!(read(text), Err(CodecErrorKind::Syntax), "{text}");
    }
}

#[test]
fn escapes_become_their_characters() {
    check(
        r#""\" \\ \/ \b \f \n \r \t""#,
        "\" \\ / \u{8} \u{c} \n \r \t",
    );
    check(r#""\u017c\u00F3\u0142w \ud83d\udc22 \u0000""#, "żółw 🐢 \0");
    for text in [r#""\x41""#, r#""\u12g4""#, r#""\'""#] {
        assert_eq!(read(text), Err(CodecErrorKind::Syntax), "{text}");
    }
}

#[test]
fn a_lone_surrogate_becomes_six_characters() {
    check(r#""a\ud800b""#, r"a\ud800b");
    check(r#""\uDC00""#, r"\udc00");
    check(r#""\ud83d\u0041""#, r"\ud83dA");
    check(r#""\ud83d\ud83d\udc22""#, r"\ud83d🐢");
    check(r#""\ud83d\n""#, "\\ud83d\n");
    assert_eq!(written(&read(r#""\ud800""#).unwrap()), r#""\\ud800""#);
}

#[test]
fn raw_control_characters_lose_no_record() {
    check("\"one\ntwo\tthree\0\"", "one\ntwo\tthree\0");
    assert_eq!(
        written(&Value::from("\n\u{1f}\u{7f}\u{2028}")),
        "\"\\n\\u001f\u{7f}\u{2028}\""
    );
}

#[test]
fn a_record_is_one_line_whatever_its_text() {
    let record = Record::new("a\nb", 20, "one\r\ntwo\n");
    let mut line = Vec::new();
    encode_record(&record, &mut line);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(line.ends_with(b"}\n"));
}

#[test]
fn the_last_of_two_equal_keys_stands_in_the_first_place() {
    let record = JSON.decode(br#"{"a":1,"b":2,"a":3}"#).unwrap();
    assert_eq!(record.fields(), &Map::from_iter([("a", 3), ("b", 2)]));
    let escaped = JSON.decode(br#"{"name":"x","n\u0061me":"y"}"#).unwrap();
    assert_eq!(escaped.name(), Some("y"));
}

#[test]
fn a_hundred_thousand_keys_cost_no_square_of_that() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let record = JSON
        .decode(format!("{{{},\"k7\":-1}}", keys.join(",")).as_bytes())
        .unwrap();
    assert_eq!(
        (record.fields().len(), record.get("k7")),
        (100_000, Some(&Value::Int(-1)))
    );
}

#[test]
fn white_space_may_stand_anywhere_between_and_around() {
    let bytes = b" \r\n{ \"a\" :\t[ 1 , { } , [ ] ] } \n{";
    let (fields, used) = decode_dict(bytes).unwrap();
    assert_eq!(fields.get("a").map(written).as_deref(), Some("[1,{},[]]"));
    assert_eq!(used, bytes.len() - 1);
}

#[test]
fn what_is_no_object_is_no_dict() {
    for bytes in [b"[1]".as_slice(), b"\"text\"", b" 17 ", b"null", b"NaN"] {
        assert_eq!(kind_of(bytes), CodecErrorKind::NotADict, "{bytes:?}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (bytes, kind, at) in [
        (b"".as_slice(), CodecErrorKind::Truncated, 0),
        (b"{\"a\":tr", CodecErrorKind::Truncated, 7),
        (b"{\"\xC3", CodecErrorKind::Truncated, 3),
        (b"{\"a\":trie", CodecErrorKind::Syntax, 5),
        (b"{\"a\" 1}", CodecErrorKind::Syntax, 5),
        (b"{\"a\":1,}", CodecErrorKind::Syntax, 7),
        (b"{'a':1}", CodecErrorKind::Syntax, 1),
        (b"{\"a\":\"b\xFFc\"}", CodecErrorKind::NotUtf8, 7),
        (b"{\"\xC3\":1}", CodecErrorKind::NotUtf8, 2),
        (b"{\"a\":1} x", CodecErrorKind::Trailing, 8),
        (b"hello", CodecErrorKind::Syntax, 0),
    ] {
        assert_eq!(
            JSON.decode(bytes),
            Err(CodecError { kind, at }),
            "{bytes:?}"
        );
    }
}

#[test]
fn nesting_ends_at_the_limit_both_ways() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(JSON.decode(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert_eq!(
        kind_of(nested(MAX_DEPTH).as_bytes()),
        CodecErrorKind::TooDeep
    );

    let mut value = Value::from(vec![]);
    for _ in 0..MAX_DEPTH {
        value = Value::from(vec![value]);
    }
    let mut line = Vec::new();
    encode_record(&Record::from(Map::from_iter([("a", value)])), &mut line);
    assert!(JSON.decode(&line).is_ok(), "what is written can be read");
    assert!(String::from_utf8(line).unwrap().contains("[\"[...]\"]"));
}

#[test]
fn bytes_and_extensions_become_text() {
    assert_eq!(
        written(&Value::Bytes((*b"a'b\n\xff\"").into())),
        r#""b'a\\'b\\n\\xff\"'""#
    );
    assert_eq!(written(&Value::Ext(5, (*b"x").into())), r#""ext(5, b'x')""#);
}

#[test]
fn timestamps_become_iso_8601_in_utc() {
    let text = |bytes: &[u8]| written(&Value::Ext(msgpack::TIMESTAMP, bytes.into()));
    let at = |seconds: i64, ns: u32| {
        text(&[ns.to_be_bytes().as_slice(), &seconds.to_be_bytes()].concat())
    };
    assert_eq!(
        text(&1_795_207_455_u32.to_be_bytes()),
        "\"2026-11-20T20:44:15Z\""
    );
    let with_ns = (847_165_000_u64 << 34) | 1_795_207_455;
    assert_eq!(
        text(&with_ns.to_be_bytes()),
        "\"2026-11-20T20:44:15.847165Z\""
    );
    assert_eq!(at(0, 5_000_000), "\"1970-01-01T00:00:00.005Z\"");
    assert_eq!(at(-1, 1), "\"1969-12-31T23:59:59.000000001Z\"");
    assert_eq!(at(951_782_400, 0), "\"2000-02-29T00:00:00Z\"");
    assert_eq!(at(253_402_300_799, 0), "\"9999-12-31T23:59:59Z\"");
    assert_eq!(at(-62_135_596_800, 0), "\"0001-01-01T00:00:00Z\"");
    for (seconds, ns) in [
        (253_402_300_800, 0),
        (i64::MIN, 0),
        (i64::MAX, 0),
        (0, 1_000_000_000),
    ] {
        assert!(at(seconds, ns).starts_with("\"ext(-1, "), "{seconds} {ns}");
    }
}

#[test]
fn digits_that_are_none_are_still_json() {
    for digits in ["", "-", "12x", "007", "--1"] {
        assert_eq!(
            written(&Value::BigInt(digits.into())),
            format!("\"{digits}\"")
        );
    }
}

proptest! {
    #[test]
    fn no_text_hides_what_must_be_escaped(text in "(?s)[a\"\\\\\\x00-\\x20é🐢]{0,40}") {
        let line = written(&Value::from(text.as_str()));
        prop_assert!(line.bytes().all(|byte| byte >= 0x20));
        prop_assert_eq!(read(&line), Ok(Value::from(text)));
    }
}
