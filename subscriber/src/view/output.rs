//! How a record is written: as a line for people, in a format for programs, or by a template.

use std::sync::Arc;

use logbus_process as process;
use logbus_schemas::Record;

use super::badge::Badge;
use super::line::{Lines, Look, Standing};
use super::moment::{Moment, TimeBase};
use super::styled::Styled;
use super::template::{Around, Template};
use crate::format::{Formatter, visible};
use crate::item::{Delivered, Notice};

/// A way of writing.
#[derive(Debug)]
pub enum Output {
    /// Lines for people.
    Text(Text),
    /// A format.
    Format(Format),
    /// A template.
    Template(Templated),
}

/// Lines for people.
#[derive(Debug)]
pub struct Text {
    lines: Lines,
    styled: Styled,
}

/// A format, and what of it a reader may see.
#[derive(Debug)]
pub struct Format {
    formatter: Box<dyn Formatter>,
    escape: Escape,
    text: String,
    /// Whether notices are records like others, in a format for programs.
    writes_notices: bool,
    /// Whether it shows fields, so that who sent a record and under which topic can be among them.
    has_fields: bool,
}

/// How strangers' text is made harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Its further lines are indented.
    Lines,
    /// As JSON writes such characters: it means the same.
    Json,
    /// Not at all: no terminal sees it.
    Not,
}

/// A template with its times.
#[derive(Debug)]
pub struct Templated {
    template: Template,
    moment: Moment,
}

impl Output {
    /// Lines for people.
    pub fn text(look: Look, moment: Moment) -> Self {
        Output::Text(Text {
            lines: Lines::new(look, moment),
            styled: Styled::default(),
        })
    }

    /// A format of the user's own, for people.
    pub fn formatted(formatter: Box<dyn Formatter>) -> Self {
        Self::format(formatter, Escape::Lines, false, false)
    }

    /// A format that is JSON, an object a line.
    pub fn json(formatter: Box<dyn Formatter>) -> Self {
        Self::format(formatter, Escape::Json, true, true)
    }

    /// A format for programs, which is escaped only where people see it; whether it shows fields, and
    /// not the message alone.
    pub fn program(formatter: Box<dyn Formatter>, has_fields: bool, is_terminal: bool) -> Self {
        let escape = if is_terminal {
            Escape::Lines
        } else {
            Escape::Not
        };
        Self::format(formatter, escape, true, has_fields)
    }

    /// A template.
    pub fn templated(template: Template, moment: Moment) -> Self {
        Output::Template(Templated { template, moment })
    }

    fn format(
        formatter: Box<dyn Formatter>,
        escape: Escape,
        writes_notices: bool,
        has_fields: bool,
    ) -> Self {
        Output::Format(Format {
            formatter,
            escape,
            text: String::new(),
            writes_notices,
            has_fields,
        })
    }

    /// Adds a record, without what stands behind it.
    pub fn record(
        &mut self,
        delivered: &Arc<Delivered>,
        badge: &Badge,
        widest: usize,
        standing: Standing,
        base: TimeBase,
        out: &mut String,
    ) {
        match self {
            Output::Text(Text { lines, styled }) => {
                styled.clear();
                lines.record(delivered, badge, widest, standing, styled);
                styled.write_ansi(out);
            }
            Output::Format(format) => {
                format.text.clear();
                if format.has_fields {
                    format.formatter.format(&named(delivered), &mut format.text);
                } else {
                    format.formatter.format(&delivered.record, &mut format.text);
                }
                format.escape.write(&format.text, out);
            }
            Output::Template(Templated { template, moment }) => {
                let mut time = String::new();
                moment.write(base.of(delivered), &mut time);
                let around = Around {
                    time,
                    sender: badge.name.to_string(),
                    is_late: standing.is_late,
                };
                template.write(delivered, around, out);
            }
        }
    }

    /// Adds a notice in a format for programs, with its reason where that is not the notice's own;
    /// `false` where people read it and it is told in their way.
    pub fn notice(&mut self, notice: &Notice, reason: Option<&str>, out: &mut String) -> bool {
        let Output::Format(format) = self else {
            return false;
        };
        if !format.writes_notices {
            return false;
        }
        format.text.clear();
        match reason {
            Some(reason) if format.has_fields => {
                let mut record = notice.to_record(process::now());
                record.set("reason", reason);
                format.formatter.format(&record, &mut format.text);
            }
            _ => format.formatter.notice(notice, &mut format.text),
        }
        format.escape.write(&format.text, out);
        true
    }
}

/// The record with its sender's name and its topic, where it says nothing of its own by these names.
fn named(delivered: &Delivered) -> Record {
    let mut record = delivered.record.clone();
    let sender = delivered.sender_name();
    for (key, value) in [("sender", &*sender), ("topic", delivered.topic.as_str())] {
        if !value.is_empty() && record.get(key).is_none() {
            record.set(key, value);
        }
    }
    record
}

impl Escape {
    fn write(self, text: &str, out: &mut String) {
        match self {
            Escape::Lines => visible::on_lines(text, out),
            Escape::Json => visible::in_json(text, out),
            Escape::Not => out.push_str(text),
        }
    }
}
