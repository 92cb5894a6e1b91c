//! Python's `logging.Filter`: a logger and everything below it.

use std::sync::Arc;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, Parameter, parameter};
use crate::item::{Delivered, Notice};

const NAME: Parameter = parameter("name", Kind::Text, "the logger; every one when empty");

pub(super) const ROW: Row = Row {
    name: "subtree",
    summary: "lets a logger and the loggers below it through",
    forms: &[
        Form {
            class: "subtree",
            parameters: &[NAME],
            read: |options| Some(Box::new(Subtree(options.text("name").unwrap_or_default()))),
        },
        Form {
            class: "logging.Filter",
            parameters: &[NAME],
            read: |options| Some(Box::new(Subtree(options.text("name").unwrap_or_default()))),
        },
    ],
};

#[derive(Debug, Clone)]
struct Subtree(String);

impl Filter for Subtree {
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        let name = delivered.record.name().unwrap_or_default();
        let below = name.strip_prefix(self.0.as_str());
        self.0.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
