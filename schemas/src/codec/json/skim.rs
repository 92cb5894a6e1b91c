//! Reads a record's dict through without making anything of it: where does each attribute stand?
//!
//! This is every JSON record's way in, so it is written for what records are made of: plain texts,
//! numbers and `null`. What else comes `read.rs` steps over. What goes through here has no fault; what
//! does not is left to `read.rs`, to be read or refused, so that only it says what is wrong with a
//! record. All positions are those behind what a function stepped over.

use super::read::Reader;
use super::run;
use crate::codec::keys::Keys;
use crate::outline::{Places, Skimmed};
use crate::record::{ATTRIBUTES, attribute_of};
use crate::value::{Value, ValueRef};

/// Reads the record at the beginning of the bytes through, and the white space around it; gives the
/// bytes that it took. `None` where `read.rs` has to decide.
pub(in crate::codec) fn skim_record<'a>(
    bytes: &'a [u8],
    places: &mut Places,
) -> Option<Skimmed<'a>> {
    let mut keys = Keys::new();
    let mut at = byte(bytes, space(bytes, 0), b'{')?;
    loop {
        let (attribute, behind_key) = key(bytes, byte(bytes, space(bytes, at), b'"')?, &mut keys)?;
        let begin = space(bytes, byte(bytes, space(bytes, behind_key), b':')?);
        let end;
        if let Some(behind_text) = plain_text(bytes, begin) {
            end = behind_text;
            if let Some(attribute) = attribute {
                places.note_text(attribute, begin + 1, end - 1);
            }
        } else {
            end = other_value(bytes, begin)?;
            if let Some(attribute) = attribute {
                places.note_value(attribute, begin, end);
            }
        }
        at = space(bytes, end);
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    let used = space(bytes, at + 1);
    std::str::from_utf8(&bytes[..used]).ok().map(Skimmed::Text)
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
    let _faultless = Reader::within(bytes, 0).value(&mut made);
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
fn byte(bytes: &[u8], at: usize, expected: u8) -> Option<usize> {
    (bytes.get(at) == Some(&expected)).then_some(at + 1)
}

#[inline(always)]
fn space(bytes: &[u8], mut at: usize) -> usize {
    // There is one space, or none.
    while let Some(&byte) = bytes.get(at)
        && byte <= b' '
        && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
    {
        at += 1;
    }
    at
}

/// A key behind its opening quote: which attribute's it is, if it is one's.
#[inline(always)]
fn key(bytes: &[u8], at: usize, keys: &mut Keys) -> Option<(Option<usize>, usize)> {
    let rest = &bytes[at..];
    if let Some(attribute) = keys.quoted(rest) {
        return Some((Some(attribute), at + ATTRIBUTES[attribute].len() + 1));
    }
    let length = run::to_read(rest);
    if rest.get(length) == Some(&b'"') {
        return Some((keys.place(rest, length), at + length + 1));
    }
    // An attribute's name can have been escaped, too.
    let mut reader = Reader::within(bytes, at);
    let key = reader.text().ok()?;
    Some((attribute_of(&key), reader.position()))
}

/// A text without an escape.
#[inline(always)]
fn plain_text(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[byte(bytes, at, b'"')?..];
    let length = run::to_read(rest);
    (rest.get(length) == Some(&b'"')).then_some(at + length + 2)
}

/// A value of any other kind.
#[inline(always)]
fn other_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'n' if bytes[at..].starts_with(b"null") => Some(at + 4),
        b'0'..=b'9' => number(bytes, at),
        _ => {
            let mut reader = Reader::within(bytes, at);
            reader.value(&mut Value::Null).ok()?;
            Some(reader.position())
        }
    }
}

/// A number without a sign or an exponent.
#[inline(always)]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| at + run::of_digits(&bytes[at..]);
    let end = digits(at);
    if bytes[at] == b'0' && end > at + 1 {
        return None;
    }
    match bytes.get(end) {
        Some(b'.') => {
            let behind = digits(end + 1);
            let is_whole = behind > end + 1 && !matches!(bytes.get(behind), Some(b'e' | b'E'));
            is_whole.then_some(behind)
        }
        Some(b'e' | b'E') => None,
        _ => Some(end),
    }
}
