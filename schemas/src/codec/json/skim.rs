//! Reads a record's dict through without making anything of it: where does each attribute stand?
//!
//! This is every JSON record's way in, so it is written for what records are made of: plain texts,
//! numbers and `null`, in Python's order and with its spaces. What else comes `read.rs` steps over. What
//! goes through here has no fault; what does not is left to `read.rs`, to be read or refused, so that only
//! it says what is wrong with a record. A function takes what is left of the bytes, and gives back what is
//! left behind what it stepped over.

use super::read::Reader;
use super::run;
use crate::attributes::{NAMES, attribute_in, attribute_of};
use crate::outline::{Places, Skimmed};
use crate::value::{Value, ValueRef};

/// Reads the record at the beginning of the bytes through, and the white space around it; gives the
/// bytes that it took. `None` where `read.rs` has to decide.
pub(in crate::codec) fn skim_record<'a>(
    bytes: &'a [u8],
    places: &mut Places,
) -> Option<Skimmed<'a>> {
    let place = |rest: &[u8]| bytes.len() - rest.len();
    let mut rest = space(space(bytes).strip_prefix(b"{")?).strip_prefix(b"\"")?;
    let mut expected = 0;
    let left = loop {
        let (attribute, behind_key) = key(rest, expected)?;
        let value = behind_colon(behind_key)?;
        let behind;
        if let Some(behind_text) = behind_plain_text(value) {
            behind = behind_text;
            if let Some(attribute) = attribute {
                places.note_text(attribute, place(value) + 1, place(behind) - 1);
            }
        } else {
            behind = behind_other_value(value)?;
            if let Some(attribute) = attribute {
                places.note_value(attribute, place(value), place(behind));
            }
        }
        if let Some(attribute) = attribute {
            expected = attribute + 1;
        }
        match behind_entry(behind)? {
            Behind::Comma(key) => rest = key,
            Behind::Bracket(behind) => break space(behind),
        }
    };
    let record = &bytes[..place(left)];
    std::str::from_utf8(record).ok().map(Skimmed::Text)
}

/// The value that these bytes are, which have been read through; no plain text.
pub(in crate::codec) fn value(bytes: &[u8]) -> ValueRef<'_> {
    if bytes == b"null" {
        return ValueRef::Null;
    }
    if let Some(number) = plain_number(bytes) {
        return number;
    }
    let mut made = Value::Null;
    // There is no fault in it.
    let _faultless = Reader::within_record(bytes).value(&mut made);
    made.into()
}

/// A number without a sign or an exponent; an integer has so few digits that they fit, whatever they
/// are.
fn plain_number(bytes: &[u8]) -> Option<ValueRef<'static>> {
    let whole = run::of_digits(bytes);
    if whole == bytes.len() && whole <= 18 {
        let digits = bytes.iter();
        let value = digits.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Some(ValueRef::Int(value));
    }
    let is_float = bytes.get(whole) == Some(&b'.')
        && whole + 1 + run::of_digits(&bytes[whole + 1..]) == bytes.len();
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_float)?;
    text.parse().map(ValueRef::Float).ok()
}

#[inline(always)]
fn space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\r' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

/// Behind a key, without its opening quote, and which attribute's it is, if it is one's. It is most often
/// that of the `expected` one.
#[inline(always)]
fn key(rest: &[u8], expected: usize) -> Option<(Option<usize>, &[u8])> {
    if let Some(name) = NAMES.get(expected)
        && name.is_quoted_in(rest)
    {
        return Some((Some(expected), rest.get(name.length + 1..)?));
    }
    let length = run::to_read(rest);
    if let [b'"', behind @ ..] = rest.get(length..)? {
        return Some((attribute_in(rest, length), behind));
    }
    // An attribute's name can have been escaped, too.
    let mut reader = Reader::within_record(rest);
    let key = reader.text().ok()?;
    Some((attribute_of(&key), rest.get(reader.position()..)?))
}

/// Behind a colon and the white space around it.
#[inline(always)]
fn behind_colon(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        // As Python's `json` writes it.
        [b':', b' ', value @ ..] if value.first()? > &b' ' => Some(value),
        _ => Some(space(space(rest).strip_prefix(b":")?)),
    }
}

/// What stands behind an entry.
enum Behind<'a> {
    /// A comma; then comes a key, without its opening quote.
    Comma(&'a [u8]),
    /// The closing bracket.
    Bracket(&'a [u8]),
}

#[inline(always)]
fn behind_entry(rest: &[u8]) -> Option<Behind<'_>> {
    // As Python's `json` writes it.
    if let [b',', b' ', b'"', key @ ..] = rest {
        return Some(Behind::Comma(key));
    }
    match space(rest) {
        [b',', key @ ..] => space(key).strip_prefix(b"\"").map(Behind::Comma),
        [b'}', behind @ ..] => Some(Behind::Bracket(behind)),
        _ => None,
    }
}

/// Behind a text without an escape.
#[inline(always)]
fn behind_plain_text(rest: &[u8]) -> Option<&[u8]> {
    let text = rest.strip_prefix(b"\"")?;
    text.get(run::to_read(text)..)?.strip_prefix(b"\"")
}

/// Behind a value of any other kind.
#[inline(always)]
fn behind_other_value(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'n', b'u', b'l', b'l', behind @ ..] => Some(behind),
        [b'0'..=b'9', ..] => behind_number(rest),
        _ => {
            let mut reader = Reader::within_record(rest);
            reader.value(&mut Value::Null).ok()?;
            rest.get(reader.position()..)
        }
    }
}

/// Behind a number without a sign or an exponent.
#[inline(always)]
fn behind_number(rest: &[u8]) -> Option<&[u8]> {
    let whole = run::of_digits(rest);
    if whole > 1 && rest.starts_with(b"0") {
        return None;
    }
    match rest.get(whole..)? {
        [b'.', fraction @ ..] => {
            let digits = run::of_digits(fraction);
            let behind = fraction.get(digits..)?;
            let is_whole = digits > 0 && !matches!(behind, [b'e' | b'E', ..]);
            is_whole.then_some(behind)
        }
        [b'e' | b'E', ..] => None,
        behind => Some(behind),
    }
}
