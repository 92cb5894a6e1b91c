//! The ways in which times can look, one after the other.

use super::model::Model;
use crate::view::moment::{TimeBase, TimeFormat};

/// The ways, beginning with the one that was asked for.
pub(crate) fn ways(format: &TimeFormat, base: TimeBase) -> Vec<(TimeFormat, TimeBase)> {
    let mut ways = vec![(format.clone(), base)];
    for way in [
        (TimeFormat::Short, base),
        (TimeFormat::Full, base),
        (TimeFormat::Delta, base),
        (TimeFormat::Short, TimeBase::Received),
    ] {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

impl Model {
    /// Goes on to the next way.
    pub(crate) fn next_time(&mut self) {
        let now = (self.format.clone(), self.look.base);
        let at = self.times.iter().position(|way| *way == now);
        let next = at.map_or(0, |at| (at + 1) % self.times.len());
        if let Some((format, base)) = self.times.get(next).cloned() {
            self.set_time(format, base);
        }
    }

    /// Shows times in another way.
    pub(crate) fn set_time(&mut self, format: TimeFormat, base: TimeBase) {
        let which = match base {
            TimeBase::Sender => "the sender's",
            TimeBase::Corrected => "the sender's, corrected",
            TimeBase::Received => "when it came",
        };
        self.tell(format!("times: {format}, {which}"));
        (self.format, self.look.base) = (format, base);
    }
}
