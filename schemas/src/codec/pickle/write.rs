//! Values as a pickle: what Python's own log receivers take.
//!
//! Protocol 3, for every Python 3, with nothing in it but plain data: dicts, lists, texts, bytes
//! and numbers (`pickletools.py` of CPython describes the instructions).

use crate::value::{Map, Value};

const PROTO: [u8; 2] = [0x80, 3];
const NONE: u8 = b'N';
const TRUE: u8 = 0x88;
const FALSE: u8 = 0x89;
const BININT: u8 = b'J';
const LONG: u8 = b'L';
const BINFLOAT: u8 = b'G';
const BINUNICODE: u8 = b'X';
const BINBYTES: u8 = b'B';
const EMPTY_LIST: u8 = b']';
const EMPTY_DICT: u8 = b'}';
const MARK: u8 = b'(';
const APPENDS: u8 = b'e';
const SETITEMS: u8 = b'u';
const STOP: u8 = b'.';

/// Appends a dict as one pickle.
pub fn encode(map: &Map, out: &mut Vec<u8>) {
    out.extend_from_slice(&PROTO);
    put_map(map, out);
    out.push(STOP);
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NONE),
        Value::Bool(true) => out.push(TRUE),
        Value::Bool(false) => out.push(FALSE),
        Value::Int(n) => match i32::try_from(*n) {
            Ok(small) => {
                out.push(BININT);
                out.extend_from_slice(&small.to_le_bytes());
            }
            Err(_) => put_digits(&n.to_string(), out),
        },
        Value::UInt(n) => put_digits(&n.to_string(), out),
        Value::BigInt(digits) => put_digits(digits, out),
        Value::Float(x) => {
            out.push(BINFLOAT);
            out.extend_from_slice(&x.to_be_bytes());
        }
        Value::Str(text) => put_sized(BINUNICODE, text.as_bytes(), out),
        Value::Bytes(bytes) | Value::Ext(_, bytes) => put_sized(BINBYTES, bytes, out),
        Value::List(items) => {
            out.extend_from_slice(&[EMPTY_LIST, MARK]);
            for item in items {
                put(item, out);
            }
            out.push(APPENDS);
        }
        Value::Map(map) => put_map(map, out),
    }
}

fn put_map(map: &Map, out: &mut Vec<u8>) {
    out.extend_from_slice(&[EMPTY_DICT, MARK]);
    for (key, value) in map.iter() {
        put_sized(BINUNICODE, key.as_bytes(), out);
        put(value, out);
    }
    out.push(SETITEMS);
}

/// Python refuses to read more than 4300 digits; a record that has them says so as text.
fn put_digits(digits: &str, out: &mut Vec<u8>) {
    if digits.len() > 4300 {
        return put_sized(BINUNICODE, digits.as_bytes(), out);
    }
    out.push(LONG);
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(b"L\n");
}

fn put_sized(instruction: u8, bytes: &[u8], out: &mut Vec<u8>) {
    // No record has a text of 4 GiB: messages are bounded far below.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let bytes = &bytes[..length as usize];
    out.push(instruction);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::pickle::decode;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("a number", |x| !x.is_nan())
                .prop_map(Value::from),
            ".{0,8}".prop_map(|text| Value::from(text.as_str())),
            "-?[1-9][0-9]{25,30}".prop_map(|digits| Value::BigInt(digits.into())),
            proptest::collection::vec(any::<u8>(), 0..5)
                .prop_map(|bytes| Value::Bytes(bytes.into())),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|entries| Value::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(entries in proptest::collection::vec((".{0,6}", value()), 0..6)) {
            let map: Map = entries.into_iter().collect();
            let mut bytes = Vec::new();
            encode(&map, &mut bytes);
            prop_assert_eq!(decode(&bytes).unwrap(), Value::Map(map));
        }
    }
}
