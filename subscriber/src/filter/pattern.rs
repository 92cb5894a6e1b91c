//! Records whose message, or another field, fits a regular expression.

use std::sync::Arc;

use logbus_schemas::python::str_of;
use regex::{Regex, RegexBuilder};

use super::{Filter, Row};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::item::{Delivered, Notice};

/// Bytes that a compiled expression may take.
const MAX_SIZE: usize = 1 << 20;

pub(super) const ROW: Row = Row {
    name: "regex",
    summary: "lets records through whose message or another field fits a regular expression",
    forms: &[Form {
        class: "regex",
        parameters: &[
            parameter(
                "pattern",
                Kind::Text,
                "the expression; it may fit anywhere in the text",
            ),
            parameter(
                "field",
                Kind::Text,
                "the field that it is held against; message",
            ),
            parameter(
                "invert",
                Kind::Bool,
                "let those through that do not fit; false",
            ),
        ],
        read: |options| Some(Box::new(Pattern::read(options)?)),
    }],
};

#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    field: String,
    invert: bool,
}

impl Pattern {
    fn read(options: &mut Options<'_>) -> Option<Self> {
        let pattern = options.required_text("pattern");
        let field = options
            .text("field")
            .unwrap_or_else(|| "message".to_owned());
        let invert = options.bool("invert").unwrap_or(false);
        match compile(&pattern?) {
            Ok(regex) => Some(Self {
                regex,
                field,
                invert,
            }),
            Err(problem) => {
                options.wrong("pattern", problem);
                None
            }
        }
    }
}

/// Compiles an expression, or says in one line what is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(MAX_SIZE).build();
    built.map_err(|error| {
        let said = error.to_string();
        let last = said.lines().last().unwrap_or_default();
        let problem = last.trim_start_matches("error: ");
        format!("{pattern:?} is no regular expression: {problem}")
    })
}

impl Filter for Pattern {
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        let record = &delivered.record;
        let fits = match (self.field.as_str(), record.get(&self.field)) {
            ("message", _) => self.regex.is_match(&record.get_message()),
            (_, Some(value)) => match value.as_str() {
                Some(text) => self.regex.is_match(text),
                None => {
                    let mut text = String::new();
                    str_of(value, &mut text);
                    self.regex.is_match(&text)
                }
            },
            (_, None) => false,
        };
        fits != self.invert
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
