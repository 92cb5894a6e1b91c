//! Filters: which records go on, and what is added to them.
//!
//! A filter is one file beside this one and one row in [`FILTERS`]. Filters stand at loggers and at
//! handlers, as in Python. One that holds records back on purpose, to spare the reader, says how
//! many ([`Notice::HeldBack`]). A filter may change the record: what is behind it sees the change,
//! other handlers do not.

mod subtree;
mod level;
pub(crate) mod pattern;
mod field;
mod expression;
mod rate;
mod repeat;
mod fields;

use std::fmt;
use std::sync::Arc;

use logbus_schemas::python::str_of;
use logbus_schemas::{Level, Record};

use crate::config::options::Form;
use crate::item::{Delivered, Notice};

/// A filter. It is used by one thread; each place where it stands has its own.
pub trait Filter: fmt::Debug + Send {
    /// Whether a record goes on. What there is to say of records before it goes to `notices`.
    /// `now` is in ns since 1970-01-01 00:00 UTC.
    fn pass(&mut self, delivered: &mut Arc<Delivered>, now: u64, notices: &mut Vec<Notice>)
    -> bool;

    /// Called about once a second, and at the end with [`u64::MAX`]: says what only time shows.
    fn tick(&mut self, _now: u64, _notices: &mut Vec<Notice>) {}

    /// The same filter for another place, with nothing remembered.
    fn again(&self) -> Box<dyn Filter>;
}

/// A kind of filter.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// How configurations name it, and its options.
    pub forms: &'static [Form<Box<dyn Filter>>],
}

/// Every kind of filter.
pub const FILTERS: &[Row] = &[
    subtree::ROW,
    level::ROW,
    pattern::ROW,
    field::ROW,
    expression::ROW,
    rate::ROW,
    repeat::ROW,
    fields::ROW,
];

/// The values of some fields of a record, as a text that tells records apart.
pub(crate) fn key_of(record: &Record, fields: &[String]) -> String {
    let mut key = String::new();
    for (at, field) in fields.iter().enumerate() {
        key.push_str(if at == 0 { "" } else { ", " });
        if let Some(value) = record.get(field) {
            str_of(value, &mut key);
        }
    }
    key
}

/// A level and filters, one after the other: what stands before a handler, or at a logger.
#[derive(Debug)]
pub struct Sieve {
    /// Records below do not go on.
    pub level: Level,
    /// Asked in turn, until one says no.
    pub filters: Vec<Box<dyn Filter>>,
}

impl Default for Sieve {
    fn default() -> Self {
        Self {
            level: Level::NOTSET,
            filters: Vec::new(),
        }
    }
}

impl Sieve {
    /// Whether everything goes on unchanged.
    pub fn is_open(&self) -> bool {
        self.level == Level::NOTSET && self.filters.is_empty()
    }

    /// Whether a record goes on. One that has no level is below none.
    pub fn pass(
        &mut self,
        delivered: &mut Arc<Delivered>,
        now: u64,
        notices: &mut Vec<Notice>,
    ) -> bool {
        delivered
            .record
            .level()
            .is_none_or(|level| level >= self.level)
            && self
                .filters
                .iter_mut()
                .all(|filter| filter.pass(delivered, now, notices))
    }

    /// Lets every filter say what only time shows.
    pub fn tick(&mut self, now: u64, notices: &mut Vec<Notice>) {
        for filter in &mut self.filters {
            filter.tick(now, notices);
        }
    }
}

#[cfg(test)]
mod conformance;
