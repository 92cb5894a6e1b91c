//! A record's dict as it came: its bytes, and where in them the value of each attribute stands.
//!
//! Most of what a sender says of a record nobody ever looks at: of some twenty attributes a line in a
//! file shows four. So a codec reads a record's dict through once, which finds every fault in it, and
//! notes where things stand; a value is made when somebody asks for it. Whoever wants more than an
//! attribute, as an extra or all of them, has the whole dict made, once.

use std::sync::OnceLock;

use crate::attributes::ATTRIBUTES;
use crate::codec::Reading;
use crate::value::{Map, ValueRef};

/// A dict that was read through.
#[derive(Clone)]
pub(crate) struct Outline {
    reading: &'static Reading,
    held: Held,
    places: Places,
    whole: OnceLock<Map>,
}

/// The bytes of a dict that was read through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Skimmed<'a> {
    /// They are text.
    Text(&'a str),
    /// Parts of them may be.
    Bytes(&'a [u8]),
}

#[derive(Clone)]
enum Held {
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

/// Where each attribute's value stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places([Place; ATTRIBUTES.len()]);

/// The first byte of a value and the one behind its last.
#[derive(Clone, Copy, Default)]
struct Place {
    begin: u32,
    end: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    /// There is none.
    #[default]
    Absent,
    /// A text that stands there as it is.
    Text,
    /// What the codec makes of the bytes.
    Value,
}

impl Places {
    /// Notes an attribute's value. Of one that comes twice the last one counts.
    #[inline]
    pub(crate) fn note_value(&mut self, attribute: usize, begin: usize, end: usize) {
        self.note(attribute, begin, end, Kind::Value);
    }

    /// The same of a text that stands there as it is, in bytes that are text.
    #[inline]
    pub(crate) fn note_text(&mut self, attribute: usize, begin: usize, end: usize) {
        self.note(attribute, begin, end, Kind::Text);
    }

    #[inline]
    fn note(&mut self, attribute: usize, begin: usize, end: usize, kind: Kind) {
        if let Some(place) = self.0.get_mut(attribute) {
            *place = Place {
                begin: begin as u32,
                end: end as u32,
                kind,
            };
        }
    }
}

impl Outline {
    /// Has `reading` read bytes through. `None` where it has something to say against them, and where places
    /// in them have no room. In a box from the beginning: it is large, and would be copied into one.
    pub(crate) fn read(reading: &'static Reading, bytes: &[u8]) -> Option<(Box<Self>, usize)> {
        let mut outline = Box::new(Self {
            reading,
            held: Held::Bytes(Box::default()),
            places: Places::default(),
            whole: OnceLock::new(),
        });
        let skimmed = (reading.skim)(bytes, &mut outline.places)?;
        u32::try_from(skimmed.len()).ok()?;
        outline.held = match skimmed {
            Skimmed::Text(text) => Held::Text(text.into()),
            Skimmed::Bytes(bytes) => Held::Bytes(bytes.into()),
        };
        Some((outline, skimmed.len()))
    }

    /// Whether there is an attribute.
    pub(crate) fn has(&self, attribute: usize) -> bool {
        let place = self.places.0.get(attribute);
        place.is_some_and(|place| place.kind != Kind::Absent)
    }

    /// The value of an attribute, by its place in [`ATTRIBUTES`].
    #[inline]
    pub(crate) fn attribute(&self, attribute: usize) -> Option<ValueRef<'_>> {
        let Place { begin, end, kind } = *self.places.0.get(attribute)?;
        let range = begin as usize..end as usize;
        match (kind, &self.held) {
            (Kind::Absent, _) => None,
            (Kind::Text, Held::Text(text)) => text.get(range).map(ValueRef::Str),
            (_, held) => Some((self.reading.value)(held.bytes().get(range)?)),
        }
    }

    /// The whole dict.
    pub(crate) fn whole(&self) -> &Map {
        self.whole.get_or_init(|| self.read_all())
    }

    pub(crate) fn into_whole(mut self) -> Map {
        self.whole.take().unwrap_or_else(|| self.read_all())
    }

    fn read_all(&self) -> Map {
        let read = (self.reading.decode)(self.held.bytes());
        // What was skimmed without a fault has none: the codecs' tests hold the two together.
        debug_assert!(read.is_ok());
        read.map_or_else(|_| Map::default(), |(map, _)| map)
    }

    /// The bytes of memory that it takes beside what it is in.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.held.bytes().len()
    }
}

impl Skimmed<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Skimmed::Text(text) => text.len(),
            Skimmed::Bytes(bytes) => bytes.len(),
        }
    }
}

impl Held {
    fn bytes(&self) -> &[u8] {
        match self {
            Held::Text(text) => text.as_bytes(),
            Held::Bytes(bytes) => bytes,
        }
    }
}
