//! Pickles by hand: what each instruction does, and what hostile ones cannot do.

use proptest::prelude::*;

use super::*;
use crate::codec::JSON;

#[track_caller]
fn check(pickle: &[u8], json: &str) {
    let mut record = Record::default();
    record.set("v", decode(pickle).unwrap());
    let expected = JSON.decode(format!("{{\"v\":{json}}}").as_bytes()).unwrap();
    assert_eq!(record, expected);
}

fn kind_of(pickle: &[u8]) -> CodecErrorKind {
    decode(pickle).unwrap_err().kind
}

#[test]
fn numbers_have_any_size() {
    check(b"I42\n.", "42");
    check(b"I01\n.", "true");
    check(b"L-5L\n.", "-5");
    check(b"F-2.5\n.", "-2.5");
    check(b"J\xff\xff\xff\xff.", "-1");
    check(b"M\x00\x01.", "256");
    check(b"\x8a\x00.", "0");
    check(b"\x8a\x01\xff.", "-1");
    let beyond = [b"\x8a\x11".as_slice(), &[0; 16], b"\x01."].concat();
    check(&beyond, "340282366920938463463374607431768211456");
    let below = [b"\x8a\x11".as_slice(), &[0; 16], b"\xff."].concat();
    check(&below, "-340282366920938463463374607431768211456");
}

#[test]
fn an_integer_too_long_for_decimal_digits_is_hexadecimal() {
    let length = 2_000_u32;
    let pickle = [b"\x8b".as_slice(), &length.to_le_bytes(), &[1; 2_000], b"."].concat();
    let Ok(Value::Str(text)) = decode(&pickle) else {
        panic!("no text")
    };
    assert!(text.starts_with("0x0101") && text.len() == 4_002);
}

#[test]
fn texts_of_every_protocol_are_texts() {
    check(b"S'it\\'s \\xc3\\xa9\\n'\n.", r#""it's é\n""#);
    check(
        b"V\xe9 \\u017c \\U0001f422 \\ud83d\\udc22 \\ud800.\n.",
        r#""é ż 🐢 🐢 \\ud800.""#,
    );
    check(b"U\x02hi.", r#""hi""#);
    check(b"\x8c\x05a\xed\xa0\x80b.", r#""a\\ud800b""#);
    assert_eq!(decode(b"U\x01\xff.").unwrap(), Value::Bytes([0xFF].into()));
    assert_eq!(kind_of(b"\x8c\x01\xff."), CodecErrorKind::NotUtf8);
}

#[test]
fn lists_and_dicts_nest_and_are_filled_in_any_way() {
    check(b"(I1\n(I2\ntI3\nl.", "[1,[2],3]");
    check(b"]q\x00(K\x01K\x02eK\x03a.", "[1,2,3]");
    check(b"(U\x01aK\x01dU\x01bK\x02s.", r#"{"a":1,"b":2}"#);
    check(b"}(U\x01aK\x01NK\x02u.", r#"{"a":1,"null":2}"#);
    check(b"K\x01K\x02\x86K\x030.", "[1,2]");
    check(b"(K\x01K\x021K\x09.", "9");
}

#[test]
fn what_python_would_import_or_call_is_text() {
    check(b"cos\nsystem\n(U\x05rm -rtR.", r#""<os.system object>""#);
    check(b"cbuiltins\neval\n.", r#""<builtins.eval>""#);
    check(b"(ios\nsystem\n.", r#""<os.system object>""#);
    check(b"(cos\nsystem\nU\x02lso.", r#""<os.system object>""#);
    check(
        b"\x8c\x02os\x8c\x06system\x93)\x81}b.",
        r#""<os.system object>""#,
    );
    check(
        b"ccopy_reg\n_reconstructor\n(capp\nThing\nc__builtin__\nobject\nNtR.",
        r#""<app.Thing object>""#,
    );
    check(b"\x82\x07.", r#""<extension object>""#);
    check(b"Pid\n.", r#""<persistent object>""#);
    check(b"U\x02idQ.", r#""<persistent object>""#);
}

#[test]
fn what_holds_itself_stops_at_itself() {
    check(b"]q\x00h\x00a.", r#"["[...]"]"#);
    check(b"}q\x00U\x01ah\x00s.", r#"{"a":"{...}"}"#);
}

#[test]
fn an_object_can_be_read_by_its_attributes() {
    let record = decode_record(b"clogging\nLogRecord\n)\x81}U\x03msgU\x02hisb.").unwrap();
    assert_eq!(record.text("msg"), Some("hi"));
    assert_eq!(
        decode_record(b"K\x01.").unwrap_err().kind,
        CodecErrorKind::NotADict
    );
}

/// Each list holds the one before twice: 2 to the power of 60 values, in 400 bytes.
#[test]
fn a_pickle_cannot_grow_without_bounds() {
    let mut pickle = b"]q\x00".to_vec();
    for at in 1..60 {
        pickle.extend([b']', b'q', at, b'h', at - 1, b'a', b'h', at - 1, b'a']);
    }
    pickle.push(b'.');
    assert_eq!(kind_of(&pickle), CodecErrorKind::Repetitive);
}

#[test]
fn depth_is_bounded_and_what_is_deeper_is_left_out() {
    let deep = [b"(".repeat(100_000), b"l".repeat(100_000), b".".to_vec()].concat();
    let mut line = Vec::new();
    let mut record = Record::default();
    record.set("v", decode(&deep).unwrap());
    JSON.encode(&record, &mut line);
    assert!(line.len() < 1_000);
}

#[test]
fn broken_pickles_say_what_is_wrong_and_where() {
    assert_eq!(kind_of(b""), CodecErrorKind::Truncated);
    assert_eq!(kind_of(b"K\x01"), CodecErrorKind::Truncated);
    assert_eq!(kind_of(b"X\xff\xff\xff\xffab."), CodecErrorKind::Truncated);
    assert_eq!(kind_of(b"."), CodecErrorKind::Syntax);
    assert_eq!(kind_of(b"K\x01.."), CodecErrorKind::Trailing);
    let unknown = decode(b"K\x01\xfe.").unwrap_err();
    assert_eq!((unknown.kind, unknown.at), (CodecErrorKind::Syntax, 2));
    for misfit in [
        b"a.".as_slice(),
        b"K\x01a.",
        b"(K\x01\x86.",
        b"h\x01.",
        b"(K\x01d.",
        b"K\x01K\x01b.",
    ] {
        assert_eq!(kind_of(misfit), CodecErrorKind::Syntax, "{misfit:?}");
    }
}

/// What was read can be written and read again; what was not says where it stopped.
fn check_any(bytes: &[u8]) {
    match decode(bytes) {
        Ok(value) => {
            let (mut record, mut line) = (Record::default(), Vec::new());
            record.set("v", value);
            JSON.encode(&record, &mut line);
            JSON.decode(&line).unwrap();
        }
        Err(error) => assert!(error.at <= bytes.len()),
    }
    if let Ok(record) = decode_record(bytes) {
        assert!(record.level().is_none() || record.level_name().is_some());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_any(&bytes);
    }

    /// Bytes that are instructions more often than not.
    #[test]
    fn any_instructions_are_a_value_or_an_error(
        bytes in proptest::collection::vec(
            proptest::sample::select(b"((]}tldaeusKKhhqqRbo0129N)\x85\x86\x93\x94\x81\x8c\x00\x01\x02.".to_vec()),
            0..200,
        )
    ) {
        check_any(&bytes);
    }
}
