//! The values a record holds, without loss: what Python's `json` module and msgpack can say.
//!
//! Integers of any size, NaN and the infinities, nested lists and maps, and the order of keys
//! survive. What this module does not do: read or write bytes (see [`crate::codec`]) or render
//! text as Python would (see [`crate::python`]).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use compact_str::CompactString;

/// One value of a record.
// A tag as wide as a word keeps what follows aligned: values then move in whole words, which is
// worth a twentieth of the time of decoding.
#[derive(Debug, Clone)]
#[repr(u64)]
pub enum Value {
    /// Python's `None`, JSON's `null`, msgpack's `nil`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits `i64`. [`Value::from`] puts every integer that fits here.
    Int(i64),
    /// An integer above `i64::MAX` that fits `u64`.
    UInt(u64),
    /// An integer beyond both, as its decimal digits with an optional leading `-`.
    BigInt(Box<str>),
    /// A double, NaN and infinities included.
    Float(f64),
    /// Text.
    Str(CompactString),
    /// Bytes: msgpack's `bin`. JSON has none, and writes them as Python's `repr` shows them.
    Bytes(Box<[u8]>),
    /// A msgpack extension value that has no meaning here: its type and its bytes.
    Ext(i8, Box<[u8]>),
    /// A list (or a Python tuple).
    List(Vec<Value>),
    /// A dict.
    Map(Map),
}

/// A dict: keys in the order in which they were first set, each of them once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    entries: Vec<(CompactString, Value)>,
}

impl Map {
    /// An empty map with room for `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            entries: Vec::with_capacity(capacity),
        }
    }

    /// The map that setting each pair in turn would give, in time linear in their number: of a key
    /// that comes twice, the last value in the first place.
    pub fn from_pairs(entries: Vec<(CompactString, Value)>) -> Self {
        let entries = if has_repeated_key(&entries) {
            merged(entries)
        } else {
            entries
        };
        Self { entries }
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets `key`: in its old place when it has one (as a Python dict does), else at the end.
    pub fn set(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        let key = key.into();
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value.into(),
            None => self.entries.push((key, value.into())),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = (CompactString, Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Into<CompactString>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::from_pairs(
            entries
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}

/// Up to this many keys, comparing each pair of them costs less than hashing.
const FEW: usize = 32;

fn has_repeated_key(entries: &[(CompactString, Value)]) -> bool {
    if entries.len() > FEW {
        let mut seen = HashSet::with_capacity(entries.len());
        return entries.iter().any(|(key, _)| !seen.insert(key.as_str()));
    }
    // Keys whose length and outer bytes differ need no comparing: this is every record's way in.
    let mut seen = [0_u64; 4];
    entries.iter().enumerate().any(|(at, (key, _))| {
        let mark = mark_of(key.as_bytes());
        let word = &mut seen[usize::from(mark >> 6)];
        let bit = 1 << (mark & 63);
        let known = *word & bit != 0;
        *word |= bit;
        known && entries[..at].iter().any(|(earlier, _)| earlier == key)
    })
}

/// A byte that equal keys share and different ones mostly do not.
fn mark_of(key: &[u8]) -> u8 {
    let [first, .., last] = key else {
        return key.len() as u8;
    };
    let middle = key[key.len() / 2];
    (key.len() as u8)
        .wrapping_mul(89)
        .wrapping_add(first.wrapping_mul(31))
        .wrapping_add(middle.wrapping_mul(157))
        .wrapping_add(last.wrapping_mul(11))
}

fn merged(entries: Vec<(CompactString, Value)>) -> Vec<(CompactString, Value)> {
    let mut places = HashMap::with_capacity(entries.len());
    let mut merged: Vec<(CompactString, Value)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match places.get(&key) {
            Some(&place) => {
                let (_, old): &mut (CompactString, Value) = &mut merged[place];
                *old = value;
            }
            None => {
                places.insert(key.clone(), merged.len());
                merged.push((key, value));
            }
        }
    }
    merged
}

impl Value {
    /// The text, when this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, when this is one that fits `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The number as a double, when this is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::UInt(n) => Some(*n as f64),
            Value::BigInt(digits) => digits.parse().ok(),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// Whether this is `None`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// A value to look at: what is small or can be borrowed is not made for that.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRef<'a> {
    /// Python's `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Any other value, or one that had to be made.
    Made(Cow<'a, Value>),
}

impl<'a> ValueRef<'a> {
    /// The value itself.
    pub fn to_value(&self) -> Cow<'a, Value> {
        match self {
            ValueRef::Null => Cow::Owned(Value::Null),
            ValueRef::Bool(value) => Cow::Owned(Value::Bool(*value)),
            ValueRef::Int(value) => Cow::Owned(Value::Int(*value)),
            ValueRef::Float(value) => Cow::Owned(Value::Float(*value)),
            ValueRef::Str(value) => Cow::Owned(Value::from(*value)),
            ValueRef::Made(value) => value.clone(),
        }
    }

    /// The text, when this is text.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            ValueRef::Str(text) => Some(Cow::Borrowed(text)),
            ValueRef::Made(Cow::Borrowed(Value::Str(text))) => Some(Cow::Borrowed(text)),
            ValueRef::Made(Cow::Owned(Value::Str(text))) => Some(Cow::Owned(text.into())),
            _ => None,
        }
    }

    /// The number as a double, when this is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            ValueRef::Int(value) => Some(*value as f64),
            ValueRef::Float(value) => Some(*value),
            ValueRef::Made(value) => value.as_f64(),
            _ => None,
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Float(value) => ValueRef::Float(*value),
            Value::Str(text) => ValueRef::Str(text),
            value => ValueRef::Made(Cow::Borrowed(value)),
        }
    }
}

/// A made value is what it would be if it had not to be made.
impl From<Value> for ValueRef<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(value),
            Value::Int(value) => ValueRef::Int(value),
            Value::Float(value) => ValueRef::Float(value),
            value => ValueRef::Made(Cow::Owned(value)),
        }
    }
}

/// Equal when every part is. NaN equals NaN, so that a record that went through a codec can be
/// compared with the one that went in; `0.0` and `-0.0` differ for the same reason.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::UInt(a), Value::UInt(b)) => a == b,
            (Value::BigInt(a), Value::BigInt(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Ext(a, x), Value::Ext(b, y)) => a == b && x == y,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Value::UInt(value), Value::Int)
    }
}

impl From<i128> for Value {
    fn from(value: i128) -> Self {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(n), _) => Value::Int(n),
            (_, Ok(n)) => Value::UInt(n),
            _ => Value::BigInt(value.to_string().into()),
        }
    }
}

impl From<u128> for Value {
    fn from(value: u128) -> Self {
        match u64::try_from(value) {
            Ok(n) => Value::from(n),
            Err(_) => Value::BigInt(value.to_string().into()),
        }
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Str(value.into())
    }
}

impl From<CompactString> for Value {
    fn from(value: CompactString) -> Self {
        Value::Str(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Value::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Value::Map(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_make_the_map_that_setting_them_one_by_one_makes(
            pairs in proptest::collection::vec(("[ab\\PC]{0,3}", any::<i64>()), 0..80)
        ) {
            let mut expected = Map::default();
            for (key, value) in &pairs {
                expected.set(key.as_str(), *value);
            }
            prop_assert_eq!(Map::from_iter(pairs), expected);
        }
    }
}
