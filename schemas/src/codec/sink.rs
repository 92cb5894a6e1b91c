//! Writing a value piece by piece.
//!
//! A codec's writer is a [`Sink`]: it is told what comes next and writes it down. So whoever holds
//! a record in another shape, a Python object say, writes it without building a [`Value`] first,
//! and how a tree of values is walked stands here once, for all codecs.

use super::MAX_DEPTH;
use crate::value::{Map, Value};

/// What stands for a list that is nested too deep to be written.
pub const DEEPER_LIST: &str = "[...]";
/// What stands for a dict that is nested too deep to be written.
pub const DEEPER_MAP: &str = "{...}";

/// Takes a value in, a piece at a time. Each call but the `begin`, `key` and `end` ones writes one
/// whole value. Between `begin_list(n)` and `end_list` there are n values; between `begin_map(n)`
/// and `end_map` n times a key and a value. Whoever calls keeps to that, and to [`MAX_DEPTH`].
pub trait Sink {
    /// `None`.
    fn null(&mut self);
    /// A boolean.
    fn bool(&mut self, value: bool);
    /// An integer.
    fn int(&mut self, value: i64);
    /// An integer above `i64::MAX`.
    fn uint(&mut self, value: u64);
    /// An integer of any size: its decimal digits, with `-` before those of a negative one.
    fn big_int(&mut self, digits: &str);
    /// A float.
    fn float(&mut self, value: f64);
    /// A text.
    fn text(&mut self, value: &str);
    /// Bytes.
    fn bytes(&mut self, value: &[u8]);
    /// A msgpack extension.
    fn ext(&mut self, kind: i8, value: &[u8]);
    /// A list of so many values begins.
    fn begin_list(&mut self, length: usize);
    /// It is complete.
    fn end_list(&mut self);
    /// A dict of so many entries begins.
    fn begin_map(&mut self, length: usize);
    /// The key of the entry whose value comes next.
    fn key(&mut self, key: &str);
    /// It is complete.
    fn end_map(&mut self);
    /// The record, which is a dict, is complete.
    fn end_record(&mut self);
}

/// Writes a value that stands in `depth` lists and dicts. What is nested deeper than
/// [`MAX_DEPTH`] becomes the text `[...]` or `{...}`, so that what is written can be read.
pub fn put(value: &Value, depth: usize, sink: &mut impl Sink) {
    match value {
        Value::Null => sink.null(),
        Value::Bool(value) => sink.bool(*value),
        Value::Int(n) => sink.int(*n),
        Value::UInt(n) => sink.uint(*n),
        Value::BigInt(digits) => sink.big_int(digits),
        Value::Float(x) => sink.float(*x),
        Value::Str(text) => sink.text(text),
        Value::Bytes(bytes) => sink.bytes(bytes),
        Value::Ext(kind, bytes) => sink.ext(*kind, bytes),
        Value::List(_) if depth >= MAX_DEPTH => sink.text(DEEPER_LIST),
        Value::Map(_) if depth >= MAX_DEPTH => sink.text(DEEPER_MAP),
        Value::List(items) => {
            sink.begin_list(items.len());
            for item in items {
                put(item, depth + 1, sink);
            }
            sink.end_list();
        }
        Value::Map(map) => put_map(map, depth + 1, sink),
    }
}

/// Writes a dict whose entries stand in `depth` lists and dicts.
pub fn put_map(map: &Map, depth: usize, sink: &mut impl Sink) {
    sink.begin_map(map.len());
    for (key, value) in map.iter() {
        sink.key(key);
        put(value, depth, sink);
    }
    sink.end_map();
}
