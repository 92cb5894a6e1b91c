//! Python's `%` style: a format such as `%(asctime)s %(levelname)-8s %(message)s`, compiled once.
//!
//! Every attribute of a `LogRecord` and every extra has its place. As in Python's
//! `Formatter.format`, a traceback and a stack follow on lines of their own. A field that a record
//! does not have shows as `-`, and one that its conversion cannot show as its `str()`, so that no
//! record is lost for its format.

use std::fmt;

use jiff::tz::TimeZone;
use logbus_schemas::python::percent::{Conversion, Part, Template};
use logbus_schemas::python::str_of;
use logbus_schemas::{Record, Value};

use super::asctime::Asctime;
use super::{DEFAULT_FORMAT, Row};
use crate::config::options::{Form, Kind, parameter};

pub(super) const ROW: Row = Row {
    name: "percent",
    summary: "Python's % style, as %(levelname)-8s",
    forms: &[Form {
        class: "percent",
        parameters: &[
            parameter(
                "format",
                Kind::Text,
                "the format, as %(levelname)-8s %(message)s",
            ),
            parameter("datefmt", Kind::Text, "how %(asctime)s looks, for strftime"),
        ],
        read: |options| {
            let format = options.text("format");
            let datefmt = options.text("datefmt");
            let format = format.as_deref().unwrap_or(DEFAULT_FORMAT);
            match PercentFormat::parse(format, datefmt.as_deref()) {
                Ok(format) => Some(Box::new(format)),
                Err(error) => {
                    options.wrong("format", error);
                    None
                }
            }
        },
    }],
};

/// A compiled format.
#[derive(Debug, Clone)]
pub struct PercentFormat {
    parts: Vec<Part>,
    asctime: Asctime,
}

/// A format that cannot be used: one line that says why and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError(String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormatError {}

impl PercentFormat {
    /// Compiles a format; `datefmt` is for strftime, and without it times look as in Python.
    pub fn parse(format: &str, datefmt: Option<&str>) -> Result<Self, FormatError> {
        let template = Template::parse(format).map_err(|error| {
            FormatError(format!(
                "{} at character {} of {format:?}; write fields as %(message)s and a percent sign \
                 as %%",
                error.problem, error.at
            ))
        })?;
        let nameless = template.parts.iter().any(|part| match part {
            Part::Conversion(conversion) => conversion.key.is_none(),
            Part::Literal(_) => false,
        });
        if nameless {
            return Err(FormatError(format!(
                "{format:?} has a field without a name; write %(message)s in place of %s"
            )));
        }
        if let Some(datefmt) = datefmt {
            Asctime::check(datefmt)
                .map_err(|error| FormatError(format!("date format {datefmt:?}: {error}")))?;
        }
        Ok(Self {
            parts: template.parts,
            asctime: Asctime::new(datefmt, TimeZone::system()),
        })
    }

    /// Adds a record's line, and the lines of its traceback and stack, without a last line feed.
    pub fn format(&mut self, record: &Record, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Conversion(conversion) => {
                    field(&mut self.asctime, conversion, record, out);
                }
            }
        }
        for below in ["exc_text", "stack_info"] {
            if let Some(text) = record.text(below).filter(|text| !text.is_empty()) {
                if !out.ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(text.trim_end_matches('\n'));
            }
        }
    }
}

fn field(asctime: &mut Asctime, conversion: &Conversion, record: &Record, out: &mut String) {
    let key = conversion.key.as_deref().unwrap_or_default();
    match key {
        "message" => conversion.pad_text(&record.get_message(), out),
        "asctime" => {
            let mut time = String::new();
            asctime.format(record, &mut time);
            conversion.pad_text(&time, out);
        }
        "levelname" => conversion.pad_text(&record.level_name().unwrap_or("-".into()), out),
        _ => match record.get(key) {
            None | Some(Value::Null) => conversion.pad_text("-", out),
            Some(value) => {
                if conversion.render(value, out).is_err() {
                    let mut text = String::new();
                    str_of(value, &mut text);
                    conversion.pad_text(&text, out);
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: &str, record: &Record) -> String {
        let mut out = String::new();
        PercentFormat::parse(format, None)
            .unwrap()
            .format(record, &mut out);
        out
    }

    #[test]
    fn attributes_and_extras_have_their_places() {
        let mut record = Record::new("myapp.db", 30, "pool is %d%% full");
        record.set("args", vec![Value::from(91)]);
        record.set("user", "fred");
        assert_eq!(
            line(
                "%(levelname)-8s|%(name)s|%(user)r|%(levelno)05d %(message)s",
                &record
            ),
            "WARNING |myapp.db|'fred'|00030 pool is 91% full"
        );
    }

    #[test]
    fn what_a_record_does_not_have_is_a_dash() {
        assert_eq!(
            line("%(process)5s %(nothing)d %(asctime)s", &Record::default()),
            "    - - -"
        );
    }

    #[test]
    fn a_field_that_its_conversion_cannot_show_is_shown_as_text() {
        let mut record = Record::new("a", 20, "m");
        record.set("process", "web");
        assert_eq!(line("%(process)d", &record), "web");
    }

    #[test]
    fn tracebacks_and_stacks_follow_below() {
        let mut record = Record::new("a", 40, "failed");
        record.set("exc_text", "Traceback\nZeroDivisionError\n");
        record.set("stack_info", "Stack");
        assert_eq!(
            line("%(message)s", &record),
            "failed\nTraceback\nZeroDivisionError\nStack"
        );
    }

    #[test]
    fn a_bad_format_is_named_with_its_place_and_the_remedy() {
        for (format, part) in [
            ("%(name", "without"),
            ("%s", "without a name"),
            ("%(a)y", "unknown"),
            ("100%", "%%"),
        ] {
            let error = PercentFormat::parse(format, None).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.lines().count() == 1,
                "{error}"
            );
        }
    }
}
