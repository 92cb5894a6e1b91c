//! The keys that nearly every record has, ready-made: a hit costs one comparison and no checking.
//!
//! Both codecs ask here first. A key that is not here is read in the ordinary way; whether it is
//! found makes no difference to what is read. An attribute's name and a closing quote fit a word of
//! 16 bytes, so that is what is compared: most of the time of reading a record went into finding out
//! what its keys are.

use std::sync::LazyLock;

use compact_str::CompactString;

use crate::record::ATTRIBUTES;

/// Finds a record's keys among [`ATTRIBUTES`], which stand in the order in which Python sets them:
/// the next key is most often the next attribute.
pub(super) struct Keys {
    ready: &'static [CompactString],
    next: usize,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            ready: &*READY,
            next: 0,
        }
    }

    /// The place among [`ATTRIBUTES`] of the name that the first `length` of these bytes are, when they
    /// are one.
    #[inline]
    pub(super) fn place(&mut self, bytes: &[u8], length: usize) -> Option<usize> {
        if length >= WORD {
            return None;
        }
        let mut word = first_word(bytes) & below(length);
        word |= (length as u128) << LENGTH_AT;
        let (before, after) = NAMES.split_at(self.next);
        let is_it = |name: &Name| name.word == word;
        let at = match after.iter().position(is_it) {
            Some(at) => self.next + at,
            None => before.iter().position(is_it)?,
        };
        self.next = at + 1;
        Some(at)
    }

    /// The place of the next attribute, when these bytes begin with its name and a quote.
    #[inline(always)]
    pub(super) fn quoted(&mut self, bytes: &[u8]) -> Option<usize> {
        let at = self.next;
        let name = NAMES.get(at)?;
        let beginning = u128::from_le_bytes(*bytes.first_chunk()?);
        if beginning & below(ATTRIBUTES[at].len() + 1) != name.quoted {
            return None;
        }
        self.next = at + 1;
        Some(at)
    }

    /// The key at this place.
    pub(super) fn at(&self, place: usize) -> &'static CompactString {
        &self.ready[place]
    }
}

static READY: LazyLock<[CompactString; ATTRIBUTES.len()]> =
    LazyLock::new(|| std::array::from_fn(|at| CompactString::const_new(ATTRIBUTES[at])));

/// Bytes in a word.
const WORD: usize = 16;
/// The last byte of a word is never a name's; its length stands there.
const LENGTH_AT: usize = 8 * (WORD - 1);

/// An attribute's name as words.
#[derive(Clone, Copy)]
struct Name {
    /// With its length.
    word: u128,
    /// With a closing quote.
    quoted: u128,
}

const NAMES: [Name; ATTRIBUTES.len()] = {
    let mut names = [Name { word: 0, quoted: 0 }; ATTRIBUTES.len()];
    let mut at = 0;
    while at < ATTRIBUTES.len() {
        let name = ATTRIBUTES[at].as_bytes();
        assert!(name.len() < WORD);
        let mut word = 0;
        let mut place = 0;
        while place < name.len() {
            word |= (name[place] as u128) << (8 * place);
            place += 1;
        }
        names[at] = Name {
            word: word | (name.len() as u128) << LENGTH_AT,
            quoted: word | (b'"' as u128) << (8 * name.len()),
        };
        at += 1;
    }
    names
};

/// The first bytes as a word, with zeros for those that are missing.
#[inline(always)]
fn first_word(bytes: &[u8]) -> u128 {
    if let Some(word) = bytes.first_chunk() {
        return u128::from_le_bytes(*word);
    }
    let mut word = [0; WORD];
    word[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

/// A mask of the first so many bytes of a word.
#[inline(always)]
const fn below(length: usize) -> u128 {
    match length {
        0 => 0,
        length => u128::MAX >> (8 * (WORD - length)),
    }
}
