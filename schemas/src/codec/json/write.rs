//! Writes values as JSON that Python's `json` module reads as the same values.

use std::io::Write;

use compact_str::CompactString;

use super::run;
use crate::codec::{MAX_DEPTH, msgpack};
use crate::python;
use crate::value::{Map, Value};

/// Appends a value without white space. Bytes and extensions become text: `b'..'` as Python's
/// `repr` shows bytes, `ext(5, b'..')`, and for msgpack's timestamps ISO 8601 in UTC. A list or
/// dict deeper than [`MAX_DEPTH`] becomes the text `[...]` or `{...}`, so that what is written can
/// be read.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    write_nested(value, 0, out);
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
        Value::List(items) => write_list(items, MAX_DEPTH, &mut text),
        number_or_name => write_nested(number_or_name, 0, &mut text),
    }
    CompactString::from_utf8_lossy(&text)
}

/// What stands for a list that is not written out.
pub(in crate::codec) const DEEPER_LIST: &str = "[...]";
/// What stands for a dict that is not written out.
pub(in crate::codec) const DEEPER_MAP: &str = "{...}";

/// Writes a value that stands in `depth` lists and dicts.
fn write_nested(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => write_display(n, out),
        Value::UInt(n) => write_display(n, out),
        Value::BigInt(digits) => write_digits(digits, out),
        Value::Float(x) => write_float(*x, out),
        Value::Str(text) => write_text(text, out),
        Value::Bytes(_) => write_text(&repr(value), out),
        Value::Ext(kind, bytes) => write_text(&ext_text(*kind, bytes), out),
        Value::List(_) if depth >= MAX_DEPTH => write_text(DEEPER_LIST, out),
        Value::Map(_) if depth >= MAX_DEPTH => write_text(DEEPER_MAP, out),
        Value::List(items) => write_list(items, depth + 1, out),
        Value::Map(map) => write_map(map, depth + 1, out),
    }
}

fn write_list(items: &[Value], depth: usize, out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_nested(item, depth, out);
    }
    out.push(b']');
}

pub(super) fn write_map(map: &Map, depth: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        write_nested(value, depth, out);
    }
    out.push(b'}');
}

fn write_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
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

/// Writes a float as Python's `repr` does, which always reads back as the same float: with a
/// point, an exponent of two digits or more, or by name.
fn write_float(x: f64, out: &mut Vec<u8>) {
    if x.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if x.is_infinite() {
        return out.extend_from_slice(if x > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
    let start = out.len();
    // Rust turns to exponents where Python does, and writes them as e16 and e-5 for e+16 and e-05.
    write!(out, "{x:?}").ok();
    let Some(e) = out[start..].iter().rposition(|byte| *byte == b'e') else {
        return;
    };
    let exponent = out.split_off(start + e + 1);
    let (sign, digits) = match exponent.as_slice() {
        [b'-', digits @ ..] => (b'-', digits),
        digits => (b'+', digits),
    };
    out.push(sign);
    if digits.len() < 2 {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
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
    match msgpack::timestamp(kind, bytes).and_then(|(seconds, ns)| iso_8601(seconds, ns)) {
        Some(text) => text,
        None => format!("ext({kind}, {})", repr(&Value::Bytes(bytes.into()))),
    }
}

/// `2026-11-20T20:44:15.847165Z`, with three, six or nine digits behind the point where it needs
/// them; `None` outside the years 0 to 9999.
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
    const DAYS_BEFORE_1970: i64 = 719_468;
    if !(-DAYS_BEFORE_1970..=2_932_896).contains(&day) {
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
