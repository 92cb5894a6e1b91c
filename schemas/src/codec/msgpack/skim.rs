//! Reads a record's map through without making anything of it: where does each attribute stand?
//!
//! What goes through here without a fault is read by [`Reader::value`] without one; which fault it is
//! where there is one, that says.

use super::{Head, Reader};
use crate::attributes::attribute_of;
use crate::codec::CodecError;
use crate::outline::{Places, Skimmed};
use crate::value::{Value, ValueRef};

/// Reads the map at the beginning of the bytes through; gives the bytes that it took. `None` where it
/// has a fault.
pub(in crate::codec) fn skim_record<'a>(
    bytes: &'a [u8],
    places: &mut Places,
) -> Option<Skimmed<'a>> {
    let mut reader = Reader::new(bytes);
    let Ok(Head::Map(length)) = reader.head() else {
        return None;
    };
    reader.members(length, Some(places)).ok()?;
    Some(Skimmed::Bytes(&bytes[..reader.at]))
}

/// The value that these bytes are; they have been read through.
pub(in crate::codec) fn value(bytes: &[u8]) -> ValueRef<'_> {
    let mut reader = Reader::new(bytes);
    if let Ok(Head::Text(length)) = reader.head()
        && let Ok(text) = reader.take(length)
        && let Ok(text) = std::str::from_utf8(text)
    {
        return ValueRef::Str(text);
    }
    let mut made = Value::Null;
    // There is no fault in it.
    let _faultless = Reader::new(bytes).value(&mut made);
    made.into()
}

impl Reader<'_> {
    /// Steps over the entries of a map, and notes where the values of attributes stand.
    fn members(
        &mut self,
        length: usize,
        mut places: Option<&mut Places>,
    ) -> Result<(), CodecError> {
        self.enter(length, 2)?;
        for _ in 0..length {
            let attribute = match &places {
                Some(_) => self.attribute_or_key()?,
                None => self.skip().map(|()| None)?,
            };
            let begin = self.at;
            self.skip()?;
            if let (Some(places), Some(attribute)) = (&mut places, attribute) {
                places.note_value(attribute, begin, self.at);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps over a key; says which attribute's it is.
    fn attribute_or_key(&mut self) -> Result<Option<usize>, CodecError> {
        if let Some(attribute) = self.attribute() {
            return Ok(Some(attribute));
        }
        let key = self.key()?;
        Ok(attribute_of(&key))
    }

    /// Steps over a value.
    fn skip(&mut self) -> Result<(), CodecError> {
        match self.head()? {
            Head::Null | Head::Bool(_) | Head::Int(_) | Head::UInt(_) | Head::Float(_) => Ok(()),
            Head::Text(length) | Head::Binary(length) => self.take(length).map(drop),
            Head::Ext(length) => self.take(length.saturating_add(1)).map(drop),
            Head::Map(length) => self.members(length, None),
            Head::List(length) => {
                self.enter(length, 1)?;
                for _ in 0..length {
                    self.skip()?;
                }
                self.depth -= 1;
                Ok(())
            }
        }
    }
}
