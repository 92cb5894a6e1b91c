//! A record's dict as it came: its bytes, and where in them the value of each attribute stands.
//!
//! Most of what a sender says of a record nobody ever looks at: of some twenty attributes a line in a
//! file shows four. So a codec reads a record's dict through once, which finds every fault in it, and
//! notes where things stand; a value is made when somebody asks for it. Whoever wants more than an
//! attribute, as an extra or all of them, has the whole dict made, once.

use std::sync::OnceLock;

use crate::codec::Reading;
use crate::record::ATTRIBUTES;
use crate::value::{Map, ValueRef};

/// A dict that was read through.
#[derive(Clone)]
pub(crate) struct Outline {
    reading: &'static Reading,
    bytes: Box<[u8]>,
    places: Places,
    whole: OnceLock<Map>,
}

/// Where each attribute's value stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places([Place; ATTRIBUTES.len()]);

/// The first byte of a value and the one behind its last; both are 0 where there is none.
#[derive(Clone, Copy, Default)]
struct Place {
    begin: u32,
    end: u32,
}

impl Places {
    /// Notes an attribute's value. Of one that comes twice the last one counts.
    #[inline]
    pub(crate) fn note(&mut self, attribute: usize, begin: usize, end: usize) {
        if let Some(place) = self.0.get_mut(attribute) {
            *place = Place {
                begin: begin as u32,
                end: end as u32,
            };
        }
    }
}

impl Outline {
    /// Of bytes that `reading` has read through; `None` where places in them have no room.
    pub(crate) fn new(reading: &'static Reading, bytes: &[u8], places: Places) -> Option<Self> {
        u32::try_from(bytes.len()).ok()?;
        Some(Self {
            reading,
            bytes: bytes.into(),
            places,
            whole: OnceLock::new(),
        })
    }

    /// Whether there is an attribute.
    pub(crate) fn has(&self, attribute: usize) -> bool {
        self.places
            .0
            .get(attribute)
            .is_some_and(|place| place.end != 0)
    }

    /// The value of an attribute, by its place in [`ATTRIBUTES`].
    #[inline]
    pub(crate) fn attribute(&self, attribute: usize) -> Option<ValueRef<'_>> {
        let Place { begin, end } = *self.places.0.get(attribute)?;
        if end == 0 {
            return None;
        }
        let bytes = self.bytes.get(begin as usize..end as usize)?;
        Some((self.reading.value)(bytes))
    }

    /// The whole dict.
    pub(crate) fn whole(&self) -> &Map {
        self.whole.get_or_init(|| self.read_all())
    }

    pub(crate) fn into_whole(mut self) -> Map {
        self.whole.take().unwrap_or_else(|| self.read_all())
    }

    fn read_all(&self) -> Map {
        let read = (self.reading.decode)(&self.bytes);
        // What was skimmed without a fault has none: the codecs' tests hold the two together.
        debug_assert!(read.is_ok());
        read.map_or_else(|_| Map::default(), |(map, _)| map)
    }

    /// The bytes of memory that it takes beside what it is in.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }
}
