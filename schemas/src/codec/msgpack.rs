//! The msgpack codec: one map a record (msgpack.org's specification, with `str8`, `bin` and `ext`).
//!
//! Every value survives. What msgpack has no type for, or senders do not keep to, is settled here:
//!
//! - an integer beyond 64 bits is extension type 1, its payload the decimal digits in ASCII with
//!   an optional leading `-`; extension 1 with anything else stays an extension;
//! - a key that is no text becomes the text that Python's `json` module makes of it (`1`, `null`,
//!   `true`, `1.5`), a key of bytes the nearest UTF-8;
//! - a `str` that is not UTF-8 (old senders wrote bytes so) is read as bytes;
//! - of a key that comes twice, the last value stands in the first place.
//!
//! No length that a message claims is believed before the bytes are there.

use compact_str::CompactString;
use rmp::Marker;

mod skim;

pub(super) use skim::{skim_record, value};

use super::json;
use super::sink::{Sink, put_map};
use super::{CodecError, CodecErrorKind, MAX_DEPTH};
use crate::attributes::{attribute_in, attribute_key};
use crate::record::Record;
use crate::value::{Map, Value};

/// The extension type of integers beyond 64 bits.
pub const BIG_INT: i8 = 1;

/// The extension type of msgpack's own timestamps.
pub const TIMESTAMP: i8 = -1;

/// Appends a record as one map.
pub fn encode_record(record: &Record, out: &mut Vec<u8>) {
    put_map(record.fields(), 1, &mut Writer::new(out));
}

/// Reads one map. Says how many bytes that took.
pub fn decode_dict(bytes: &[u8]) -> Result<(Map, usize), CodecError> {
    let mut reader = Reader::new(bytes);
    let mut value = Value::Null;
    reader.value(&mut value)?;
    match value {
        Value::Map(fields) => Ok((fields, reader.at)),
        _ => Err(CodecError {
            kind: CodecErrorKind::NotADict,
            at: 0,
        }),
    }
}

/// Seconds since 1970-01-01 00:00 UTC and nanoseconds, when this extension is a timestamp.
pub(super) fn timestamp(kind: i8, bytes: &[u8]) -> Option<(i64, u32)> {
    let (seconds, ns) = match bytes.len() {
        _ if kind != TIMESTAMP => return None,
        4 => (u32::from_be_bytes(bytes.try_into().ok()?).into(), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            ((both & 0x3_FFFF_FFFF) as i64, (both >> 34) as u32)
        }
        12 => {
            let (ns, seconds) = bytes.split_first_chunk()?;
            (
                i64::from_be_bytes(seconds.try_into().ok()?),
                u32::from_be_bytes(*ns),
            )
        }
        _ => return None,
    };
    (ns < 1_000_000_000).then_some((seconds, ns))
}

/// Writes msgpack to the end of `out`.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer that has written nothing.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        mark(Marker::Null, self.out);
    }

    fn bool(&mut self, value: bool) {
        mark(if value { Marker::True } else { Marker::False }, self.out);
    }

    #[inline]
    fn int(&mut self, value: i64) {
        write_int(value, self.out);
    }

    fn uint(&mut self, value: u64) {
        write_uint(value, self.out);
    }

    fn big_int(&mut self, digits: &str) {
        write_ext(BIG_INT, digits.as_bytes(), self.out);
    }

    #[inline]
    fn float(&mut self, value: f64) {
        write_with(Marker::F64, &value.to_be_bytes(), self.out);
    }

    #[inline]
    fn text(&mut self, value: &str) {
        write_text(value, self.out);
    }

    fn bytes(&mut self, value: &[u8]) {
        write_bytes(value, self.out);
    }

    fn ext(&mut self, kind: i8, value: &[u8]) {
        write_ext(kind, value, self.out);
    }

    fn begin_list(&mut self, length: usize) {
        match claim(length) {
            length @ 0..=15 => mark(Marker::FixArray(length as u8), self.out),
            length @ 16..=0xFFFF => {
                write_with(Marker::Array16, &(length as u16).to_be_bytes(), self.out);
            }
            length => write_with(Marker::Array32, &length.to_be_bytes(), self.out),
        }
    }

    fn end_list(&mut self) {}

    fn begin_map(&mut self, length: usize) {
        match claim(length) {
            length @ 0..=15 => mark(Marker::FixMap(length as u8), self.out),
            length @ 16..=0xFFFF => {
                write_with(Marker::Map16, &(length as u16).to_be_bytes(), self.out);
            }
            length => write_with(Marker::Map32, &length.to_be_bytes(), self.out),
        }
    }

    #[inline]
    fn key(&mut self, key: &str) {
        write_text(key, self.out);
    }

    fn end_map(&mut self) {}

    fn end_record(&mut self) {}
}

fn write_int(n: i64, out: &mut Vec<u8>) {
    if let Ok(n) = u64::try_from(n) {
        write_uint(n, out);
    } else if n >= -32 {
        mark(Marker::FixNeg(n as i8), out);
    } else if let Ok(n) = i8::try_from(n) {
        write_with(Marker::I8, &n.to_be_bytes(), out);
    } else if let Ok(n) = i16::try_from(n) {
        write_with(Marker::I16, &n.to_be_bytes(), out);
    } else if let Ok(n) = i32::try_from(n) {
        write_with(Marker::I32, &n.to_be_bytes(), out);
    } else {
        write_with(Marker::I64, &n.to_be_bytes(), out);
    }
}

fn write_uint(n: u64, out: &mut Vec<u8>) {
    match n {
        0..=0x7F => mark(Marker::FixPos(n as u8), out),
        0x80..=0xFF => write_with(Marker::U8, &[n as u8], out),
        0x100..=0xFFFF => write_with(Marker::U16, &(n as u16).to_be_bytes(), out),
        0x1_0000..=0xFFFF_FFFF => write_with(Marker::U32, &(n as u32).to_be_bytes(), out),
        _ => write_with(Marker::U64, &n.to_be_bytes(), out),
    }
}

/// Inlined, so that of a key or a text that is known when this is compiled nothing is left to do but
/// to copy it: a third of the time of writing a record.
#[inline]
fn write_text(text: &str, out: &mut Vec<u8>) {
    if text.len() <= 31 {
        mark(Marker::FixStr(text.len() as u8), out);
        out.extend_from_slice(text.as_bytes());
    } else {
        write_long_text(text, out);
    }
}

fn write_long_text(text: &str, out: &mut Vec<u8>) {
    let text = &text[..text.floor_char_boundary(claim(text.len()) as usize)];
    let length = text.len() as u32;
    match length {
        0..=0xFF => write_with(Marker::Str8, &[length as u8], out),
        0x100..=0xFFFF => write_with(Marker::Str16, &(length as u16).to_be_bytes(), out),
        _ => write_with(Marker::Str32, &length.to_be_bytes(), out),
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let length = claim(bytes.len());
    match length {
        0..=0xFF => write_with(Marker::Bin8, &[length as u8], out),
        0x100..=0xFFFF => write_with(Marker::Bin16, &(length as u16).to_be_bytes(), out),
        _ => write_with(Marker::Bin32, &length.to_be_bytes(), out),
    }
    out.extend_from_slice(&bytes[..length as usize]);
}

fn write_ext(kind: i8, bytes: &[u8], out: &mut Vec<u8>) {
    let length = claim(bytes.len());
    match length {
        1 => mark(Marker::FixExt1, out),
        2 => mark(Marker::FixExt2, out),
        4 => mark(Marker::FixExt4, out),
        8 => mark(Marker::FixExt8, out),
        16 => mark(Marker::FixExt16, out),
        0..=0xFF => write_with(Marker::Ext8, &[length as u8], out),
        0x100..=0xFFFF => write_with(Marker::Ext16, &(length as u16).to_be_bytes(), out),
        _ => write_with(Marker::Ext32, &length.to_be_bytes(), out),
    }
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&bytes[..length as usize]);
}

/// A length as msgpack can say it. What is longer than 4 GiB is cut.
fn claim(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[inline]
fn mark(marker: Marker, out: &mut Vec<u8>) {
    out.push(marker.to_u8());
}

#[inline]
fn write_with(marker: Marker, bytes: &[u8], out: &mut Vec<u8>) {
    mark(marker, out);
    out.extend_from_slice(bytes);
}

/// What the first bytes of a value say: the value, or its kind and how long it is.
enum Head {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(usize),
    Binary(usize),
    List(usize),
    Map(usize),
    Ext(usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    /// Reads a value into its place: moving one through results costs more than reading it.
    fn value(&mut self, place: &mut Value) -> Result<(), CodecError> {
        *place = match self.head()? {
            Head::Null => Value::Null,
            Head::Bool(value) => Value::Bool(value),
            Head::Int(value) => Value::Int(value),
            Head::UInt(value) => Value::from(value),
            Head::Float(value) => Value::Float(value),
            Head::Text(length) => self.text(length)?,
            Head::Binary(length) => self.binary(length)?,
            Head::List(length) => self.list(length)?,
            Head::Map(length) => self.map(length)?,
            Head::Ext(length) => self.ext(length)?,
        };
        Ok(())
    }

    #[inline]
    fn head(&mut self) -> Result<Head, CodecError> {
        let at = self.at;
        let [first] = self.array()?;
        Ok(match Marker::from_u8(first) {
            Marker::Null => Head::Null,
            Marker::False => Head::Bool(false),
            Marker::True => Head::Bool(true),
            Marker::FixPos(n) => Head::Int(n.into()),
            Marker::FixNeg(n) => Head::Int(n.into()),
            Marker::I8 => Head::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Head::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Head::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Head::Int(i64::from_be_bytes(self.array()?)),
            Marker::U8 => Head::Int(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Head::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Head::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Head::UInt(u64::from_be_bytes(self.array()?)),
            Marker::F32 => Head::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Head::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => Head::Text(length.into()),
            Marker::Str8 => Head::Text(self.length_8()?),
            Marker::Str16 => Head::Text(self.length_16()?),
            Marker::Str32 => Head::Text(self.length_32()?),
            Marker::Bin8 => Head::Binary(self.length_8()?),
            Marker::Bin16 => Head::Binary(self.length_16()?),
            Marker::Bin32 => Head::Binary(self.length_32()?),
            Marker::FixArray(length) => Head::List(length.into()),
            Marker::Array16 => Head::List(self.length_16()?),
            Marker::Array32 => Head::List(self.length_32()?),
            Marker::FixMap(length) => Head::Map(length.into()),
            Marker::Map16 => Head::Map(self.length_16()?),
            Marker::Map32 => Head::Map(self.length_32()?),
            Marker::FixExt1 => Head::Ext(1),
            Marker::FixExt2 => Head::Ext(2),
            Marker::FixExt4 => Head::Ext(4),
            Marker::FixExt8 => Head::Ext(8),
            Marker::FixExt16 => Head::Ext(16),
            Marker::Ext8 => Head::Ext(self.length_8()?),
            Marker::Ext16 => Head::Ext(self.length_16()?),
            Marker::Ext32 => Head::Ext(self.length_32()?),
            Marker::Reserved => {
                return Err(CodecError {
                    kind: CodecErrorKind::Syntax,
                    at,
                });
            }
        })
    }

    fn text(&mut self, length: usize) -> Result<Value, CodecError> {
        let bytes = self.take(length)?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text),
            Err(_) => Value::Bytes(bytes.into()),
        })
    }

    fn binary(&mut self, length: usize) -> Result<Value, CodecError> {
        self.take(length).map(|bytes| Value::Bytes(bytes.into()))
    }

    fn list(&mut self, length: usize) -> Result<Value, CodecError> {
        let mut items = Vec::with_capacity(self.enter(length, 1)?);
        for _ in 0..length {
            let place = items.len();
            items.push(Value::Null);
            self.value(&mut items[place])?;
        }
        self.depth -= 1;
        Ok(Value::List(items))
    }

    fn map(&mut self, length: usize) -> Result<Value, CodecError> {
        let mut pairs = Vec::with_capacity(self.enter(length, 2)?);
        for _ in 0..length {
            let place = pairs.len();
            match self.attribute() {
                Some(known) => pairs.push((attribute_key(known).clone(), Value::Null)),
                None => pairs.push((self.key()?, Value::Null)),
            }
            self.value(&mut pairs[place].1)?;
        }
        self.depth -= 1;
        Ok(Value::Map(Map::from_pairs(pairs)))
    }

    /// Steps over a key in the shortest form, when it is an attribute's name; says which.
    #[inline]
    fn attribute(&mut self) -> Option<usize> {
        let (first, rest) = self.bytes[self.at..].split_first()?;
        let Marker::FixStr(length) = Marker::from_u8(*first) else {
            return None;
        };
        let length = usize::from(length);
        if rest.len() < length {
            return None;
        }
        let place = attribute_in(rest, length)?;
        self.at += 1 + length;
        Some(place)
    }

    fn key(&mut self) -> Result<CompactString, CodecError> {
        let mut key = Value::Null;
        self.value(&mut key)?;
        Ok(match key {
            Value::Str(text) => text,
            other => json::key_text(&other),
        })
    }

    fn ext(&mut self, length: usize) -> Result<Value, CodecError> {
        let [kind] = self.array()?;
        let (kind, bytes) = (i8::from_be_bytes([kind]), self.take(length)?);
        let big = if kind == BIG_INT {
            integer(bytes)
        } else {
            None
        };
        Ok(big.unwrap_or_else(|| Value::Ext(kind, bytes.into())))
    }

    /// Goes one deeper, into `length` entries of `least` bytes or more. Says for how many to make
    /// room at once: nested claims could each be as long as all that is left.
    fn enter(&mut self, length: usize, least: usize) -> Result<usize, CodecError> {
        if self.depth == MAX_DEPTH {
            return Err(CodecError {
                kind: CodecErrorKind::TooDeep,
                at: self.at,
            });
        }
        if length > (self.bytes.len() - self.at) / least {
            return Err(self.truncated());
        }
        self.depth += 1;
        Ok(length.min(32))
    }

    fn length_8(&mut self) -> Result<usize, CodecError> {
        Ok(u8::from_be_bytes(self.array()?).into())
    }

    fn length_16(&mut self) -> Result<usize, CodecError> {
        Ok(u16::from_be_bytes(self.array()?).into())
    }

    fn length_32(&mut self) -> Result<usize, CodecError> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (array, _) = self.bytes[self.at..]
            .split_first_chunk()
            .ok_or_else(|| self.truncated())?;
        self.at += N;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, _) = self.bytes[self.at..]
            .split_at_checked(length)
            .ok_or_else(|| self.truncated())?;
        self.at += length;
        Ok(taken)
    }

    fn truncated(&self) -> CodecError {
        CodecError {
            kind: CodecErrorKind::Truncated,
            at: self.bytes.len(),
        }
    }
}

/// The integer that these digits are, in its smallest variant.
fn integer(digits: &[u8]) -> Option<Value> {
    let digits = std::str::from_utf8(digits).ok()?;
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(magnitude) => ("-", magnitude),
        None => ("", digits),
    };
    if magnitude.is_empty() || !magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match magnitude.trim_start_matches('0') {
        "" => Some(Value::Int(0)),
        magnitude => Some(json::integer(&format!("{sign}{magnitude}"))),
    }
}

#[cfg(test)]
mod tests;
