//! Writes values as JSON that Python's `json` module reads as the same values.
//!
//! What is written is on one line, is UTF-8 and can be read by [`super::read`], whatever the value.
//! It is what Python would write with `ensure_ascii=False` and without spaces, byte for byte.

use std::io::Write;

use compact_str::CompactString;

use super::run;
use crate::codec::sink::{DEEPER_MAP, Sink, put};
use crate::codec::{MAX_DEPTH, msgpack};
use crate::python;
use crate::value::Value;

/// Writes JSON without white space to the end of `out`. Bytes and extensions become text: `b'..'`
/// as Python's `repr` shows bytes, `ext(5, b'..')`, and for msgpack's timestamps ISO 8601 in UTC.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Whether a comma stands between what was written and what comes.
    has_before: bool,
}

impl<'a> Writer<'a> {
    /// A writer that has written nothing.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            has_before: false,
        }
    }

    /// Where the next value goes.
    fn next(&mut self) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.has_before, true) {
            self.out.push(b',');
        }
        self.out
    }

    fn begin(&mut self, bracket: u8) {
        self.next().push(bracket);
        self.has_before = false;
    }

    fn end(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.has_before = true;
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        self.next().extend_from_slice(b"null");
    }

    fn bool(&mut self, value: bool) {
        let name: &[u8] = if value { b"true" } else { b"false" };
        self.next().extend_from_slice(name);
    }

    fn int(&mut self, value: i64) {
        write_display(value, self.next());
    }

    fn uint(&mut self, value: u64) {
        write_display(value, self.next());
    }

    fn big_int(&mut self, digits: &str) {
        write_digits(digits, self.next());
    }

    fn float(&mut self, value: f64) {
        write_float(value, self.next());
    }

    fn text(&mut self, value: &str) {
        write_text(value, self.next());
    }

    fn bytes(&mut self, value: &[u8]) {
        write_text(&repr(&Value::Bytes(value.into())), self.next());
    }

    fn ext(&mut self, kind: i8, value: &[u8]) {
        write_text(&ext_text(kind, value), self.next());
    }

    fn begin_list(&mut self, _length: usize) {
        self.begin(b'[');
    }

    fn end_list(&mut self) {
        self.end(b']');
    }

    fn begin_map(&mut self, _length: usize) {
        self.begin(b'{');
    }

    fn key(&mut self, key: &str) {
        write_text(key, self.next());
        self.out.push(b':');
        self.has_before = false;
    }

    fn end_map(&mut self) {
        self.end(b'}');
    }

    fn end_record(&mut self) {
        self.out.push(b'\n');
        self.has_before = false;
    }
}

/// The text that Python's `json` module makes of a key that is none. Lists and dicts in it are not
/// written out: a dict as the key of a dict as a key would double its backslashes at each step.
pub(in crate::codec) fn key_text(key: &Value) -> CompactString {
    let mut text = Vec::new();
    match key {
        Value::Str(text) => return text.clone(),
        Value::Bytes(bytes) => return CompactString::from_utf8_lossy(bytes),
        Value::Ext(kind, bytes) => return ext_text(*kind, bytes).into(),
        Value::Map(_) => return CompactString::const_new(DEEPER_MAP),
        other => put(other, MAX_DEPTH - 1, &mut Writer::new(&mut text)),
    }
    CompactString::from_utf8_lossy(&text)
}

fn write_display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    write!(out, "{value}").ok();
}

/// Digits that a caller put together wrongly are text, so that the line stays JSON.
fn write_digits(digits: &str, out: &mut Vec<u8>) {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits).as_bytes();
    let sound =
        unsigned.iter().all(u8::is_ascii_digit) && matches!(unsigned, [b'0'] | [b'1'..=b'9', ..]);
    if sound {
        out.extend_from_slice(digits.as_bytes())
    } else {
        write_text(digits, out)
    }
}

/// Writes a float as Python's `json` module does, which always reads back as the same float.
fn write_float(x: f64, out: &mut Vec<u8>) {
    match x {
        _ if x.is_nan() => out.extend_from_slice(b"NaN"),
        f64::INFINITY => out.extend_from_slice(b"Infinity"),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Infinity"),
        _ => write_finite(x, out),
    }
}

/// Writes the fewest digits that read back as `x`, as `float.__repr__` does: with an exponent of
/// two digits or more from 1e16 up and below 0.0001. Where two such numbers are equally near, ryu
/// takes the even one, as Python does, and Rust's own formatting the other.
fn write_finite(x: f64, out: &mut Vec<u8>) {
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(x);
    let small = x != 0.0 && x.abs() < 1e-4;
    match shortest.split_once('e') {
        None if small => write_exponent(&format!("{x:e}"), out),
        None => out.extend_from_slice(shortest.as_bytes()),
        Some(_) => write_exponent(shortest, out),
    }
}

/// Writes `1e16` as `1e+16`, and `1e-5` as `1e-05`.
fn write_exponent(number: &str, out: &mut Vec<u8>) {
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    // Writing to a vector cannot fail.
    write!(out, "{mantissa}e{sign}{digits:0>2}").ok();
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    loop {
        let (plain, special) = rest.split_at(run::to_write(rest));
        out.extend_from_slice(plain);
        let [byte, tail @ ..] = special else { break };
        write_escape(*byte, out);
        rest = tail;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        _ => {
            write!(out, "\\u{byte:04x}").ok();
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn repr(value: &Value) -> String {
    let mut text = String::new();
    python::repr_of(value, &mut text);
    text
}

fn ext_text(kind: i8, bytes: &[u8]) -> String {
    msgpack::timestamp(kind, bytes)
        .and_then(|(seconds, ns)| iso_8601(seconds, ns))
        .unwrap_or_else(|| repr(&Value::Ext(kind, bytes.into())))
}

/// `2026-11-20T20:44:15.847165Z`, with three, six or nine digits behind the point where it needs
/// them; `None` outside the years 1 to 9999, which are all that Python's `datetime` knows.
fn iso_8601(seconds: i64, ns: u32) -> Option<String> {
    let (year, month, day) = date_of(seconds.div_euclid(86_400))?;
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    text += &match ns {
        0 => String::new(),
        ns if ns % 1_000_000 == 0 => format!(".{:03}", ns / 1_000_000),
        ns if ns % 1_000 == 0 => format!(".{:06}", ns / 1_000),
        ns => format!(".{ns:09}"),
    };
    text.push('Z');
    Some(text)
}

/// Year, month and day of a day counted from 1970-01-01: H. Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`. Years begin in March there, so that a leap day comes last.
fn date_of(day: i64) -> Option<(i64, i64, i64)> {
    /// Of 0000-03-01.
    const DAYS_BEFORE_1970: i64 = 719_468;
    if !(-719_162..=2_932_896).contains(&day) {
        return None;
    }
    let day = day + DAYS_BEFORE_1970;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    Some((era * 400 + year + i64::from(month <= 2), month, day))
}
