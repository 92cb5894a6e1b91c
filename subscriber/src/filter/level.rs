//! A range of levels: the Logging Cookbook's "warnings and below" is `max: WARNING`.

use std::sync::Arc;

use logbus_schemas::Level;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::item::{Delivered, Notice};

pub(super) const ROW: Row = Row {
    name: "level",
    summary: "lets a range of levels through",
    forms: &[Form {
        class: "level",
        parameters: &[
            parameter("min", Kind::Level, "the lowest level"),
            parameter("max", Kind::Level, "the highest level"),
        ],
        read: |options| {
            let range = Range {
                min: options.level("min"),
                max: options.level("max"),
            };
            if range.min.is_none() && range.max.is_none() {
                options.missing("min or max");
            }
            Some(Box::new(range))
        },
    }],
};

#[derive(Debug, Clone)]
struct Range {
    min: Option<Level>,
    max: Option<Level>,
}

impl Filter for Range {
    /// A record without a level is in every range.
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        delivered.record.level().is_none_or(|level| {
            self.min.is_none_or(|min| level >= min) && self.max.is_none_or(|max| level <= max)
        })
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
