//! The attributes of a `LogRecord`, and which of them a name is: a hit costs one comparison.
//!
//! Every key of every record asks that, and most of the time of reading a record went into it. A table says
//! which one it can be. A name and a closing quote fit a word of 16 bytes, so that is what is compared.

use std::sync::LazyLock;

use compact_str::CompactString;

/// The attributes that Python gives a `LogRecord`, in the order in which it sets them. Every other
/// key is an extra.
pub const ATTRIBUTES: &[&str] = &[
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
];

/// The place among [`ATTRIBUTES`] of this name.
pub(crate) fn attribute_of(name: &str) -> Option<usize> {
    let at = candidate(name.as_bytes())?;
    (ATTRIBUTES[at] == name).then_some(at)
}

/// The same of the first `length` of these bytes.
#[inline]
pub(crate) fn attribute_in(bytes: &[u8], length: usize) -> Option<usize> {
    let at = candidate(bytes.get(..length)?)?;
    let name = &NAMES[at];
    let is_it = name.length == length
        && match bytes.first_chunk() {
            Some(word) => u128::from_le_bytes(*word) & name.mask >> 8 == name.word,
            None => bytes[..length] == *ATTRIBUTES[at].as_bytes(),
        };
    is_it.then_some(at)
}

/// The name at this place, ready-made: it costs no checking.
pub(crate) fn attribute_key(place: usize) -> &'static CompactString {
    static KEYS: LazyLock<[CompactString; ATTRIBUTES.len()]> =
        LazyLock::new(|| std::array::from_fn(|at| CompactString::const_new(ATTRIBUTES[at])));
    &KEYS[place]
}

/// An attribute's name as words.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    /// Its bytes.
    word: u128,
    /// Its bytes, and a closing quote.
    quoted: u128,
    /// Where those of `quoted` are.
    mask: u128,
    /// How long it is.
    pub(crate) length: usize,
}

impl Name {
    const fn new(name: &[u8]) -> Self {
        assert!(name.len() < WORD);
        let (mut word, mut at) = (0, 0);
        while at < name.len() {
            word |= (name[at] as u128) << (8 * at);
            at += 1;
        }
        Self {
            word,
            quoted: word | (b'"' as u128) << (8 * name.len()),
            mask: u128::MAX >> (8 * (WORD - 1 - name.len())),
            length: name.len(),
        }
    }

    /// Whether these bytes begin with it and a quote; `false`, too, where they are less than a word.
    #[inline(always)]
    pub(crate) fn is_quoted_in(&self, bytes: &[u8]) -> bool {
        let word = bytes.first_chunk().copied().map(u128::from_le_bytes);
        word.is_some_and(|word| word & self.mask == self.quoted)
    }
}

/// Bytes in a word.
const WORD: usize = 16;

/// The names, at the places of [`ATTRIBUTES`].
pub(crate) const NAMES: [Name; ATTRIBUTES.len()] = {
    let mut names = [Name::new(b""); ATTRIBUTES.len()];
    let mut at = 0;
    while at < ATTRIBUTES.len() {
        names[at] = Name::new(ATTRIBUTES[at].as_bytes());
        at += 1;
    }
    names
};

/// The one attribute that a name can be.
#[inline(always)]
fn candidate(name: &[u8]) -> Option<usize> {
    let (first, middle) = (name.first()?, name.get(name.len() / 2)?);
    let at = usize::from(TABLE.places[slot(name.len(), *first, *middle, TABLE.factor)]);
    (at < ATTRIBUTES.len()).then_some(at)
}

/// Which attribute a name can be, by its length and its first and middle bytes.
struct Table {
    /// Gives each attribute a slot of its own.
    factor: u32,
    places: [u8; SLOTS],
}

const SLOTS: usize = 128;
/// The place that no attribute has.
const NONE: u8 = u8::MAX;

const TABLE: Table = {
    let mut factor = 0x9E37_79B1;
    loop {
        if let Some(places) = places(factor) {
            break Table { factor, places };
        }
        factor += 2;
    }
};

/// The table with this factor, if each attribute has a slot of its own there.
const fn places(factor: u32) -> Option<[u8; SLOTS]> {
    let mut places = [NONE; SLOTS];
    let mut at = 0;
    while at < ATTRIBUTES.len() {
        let name = ATTRIBUTES[at].as_bytes();
        let slot = slot(name.len(), name[0], name[name.len() / 2], factor);
        if places[slot] != NONE {
            return None;
        }
        places[slot] = at as u8;
        at += 1;
    }
    Some(places)
}

#[inline(always)]
const fn slot(length: usize, first: u8, middle: u8, factor: u32) -> usize {
    let key = length as u32 | (first as u32) << 8 | (middle as u32) << 16;
    (key.wrapping_mul(factor) >> (u32::BITS - SLOTS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_attribute_is_found_by_its_name() {
        for (place, name) in ATTRIBUTES.iter().enumerate() {
            assert_eq!(attribute_of(name), Some(place), "{name}");
            let quoted = format!("{name}\": \"a long text behind it\"");
            assert_eq!(attribute_in(quoted.as_bytes(), name.len()), Some(place));
            assert!(NAMES[place].is_quoted_in(quoted.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_is_nearly_an_attribute_is_none() {
        for name in ["", "nam", "names", "Name", "nam\0", "relativeCreated_"] {
            assert_eq!(attribute_of(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_an_attribute_when_it_is_in_the_list(name in "[a-z_]{0,17}|name|msecs|process.?") {
            let place = ATTRIBUTES.iter().position(|attribute| *attribute == name);
            prop_assert_eq!(attribute_of(&name), place);
            let more = format!("{name}\": and a text behind it");
            prop_assert_eq!(attribute_in(more.as_bytes(), name.len()), place);
        }

        #[test]
        fn what_begins_like_an_attribute_is_another_name(
            name in proptest::sample::select(ATTRIBUTES), behind in "[a-z_]{1,12}",
        ) {
            let longer = format!("{name}{behind}");
            let place = ATTRIBUTES.iter().position(|attribute| *attribute == longer);
            prop_assert_eq!(attribute_in(longer.as_bytes(), longer.len()), place);
            let text = format!("{longer} and so on, for long enough");
            prop_assert_eq!(attribute_in(text.as_bytes(), longer.len()), place);
        }
    }
}
