//! Python's `logging.Formatter` in its three styles: `%(message)s`, `{message}` and `$message`.
//!
//! A format is compiled once. Every attribute of a `LogRecord` and every extra has its place, and
//! what comes out is what CPython's formatter writes, byte for byte: the time only where it is
//! asked for, a traceback and a stack on lines of their own below. Where Python would raise, and
//! lose the record, something is shown all the same: a field that the record does not have as its
//! default or `-`, and one that its format cannot show as its `str()`.

use std::borrow::Cow;
use std::fmt;

use jiff::tz::TimeZone;
use logbus_schemas::python::percent::{self, Conversion, TemplateError};
use logbus_schemas::python::{brace, dollar, str_of};
use logbus_schemas::value::Map;
use logbus_schemas::{Record, Value, ValueRef};

use super::asctime::Asctime;
use super::{DEFAULT_FORMAT, Formatter, Row};
use crate::config::options::{Form, Kind, Options, Parameter, parameter};

const FORMAT: Parameter = parameter("format", Kind::Text, "the format of a line");
const DATEFMT: Parameter = parameter("datefmt", Kind::Text, "how asctime looks, for strftime");
const DEFAULTS: Parameter = parameter(
    "defaults",
    Kind::Map,
    "values of fields that a record does not have",
);
const ZONE: Parameter = parameter(
    "zone",
    Kind::Text,
    "local, UTC or a name such as Europe/Berlin; local",
);
const DEFAULT_TIME: Parameter = parameter(
    "default_time_format",
    Kind::Text,
    "how asctime looks without datefmt; %Y-%m-%d %H:%M:%S",
);
const DEFAULT_MSEC: Parameter = parameter(
    "default_msec_format",
    Kind::Text,
    "how time and milliseconds go together then; %s,%03d",
);
const OWN: &[Parameter] = &[FORMAT, DATEFMT, DEFAULTS, ZONE, DEFAULT_TIME, DEFAULT_MSEC];

pub(super) const PERCENT: Row = Row {
    name: "percent",
    summary: "Python's % style, as %(levelname)-8s %(message)s",
    forms: &[
        Form {
            class: "percent",
            parameters: OWN,
            read: |options| read_own(options, Style::percent, DEFAULT_FORMAT),
        },
        Form {
            class: "logging.Formatter",
            parameters: &[
                FORMAT,
                DATEFMT,
                parameter(
                    "style",
                    Kind::OneOf(&["%", "{", "$"]),
                    "which of the three styles; %",
                ),
                parameter(
                    "validate",
                    Kind::Bool,
                    "whether a format without fields is refused; true",
                ),
                DEFAULTS,
                parameter("fmt", Kind::Text, "the same as format"),
                parameter(
                    "converter",
                    Kind::Text,
                    "ext://time.gmtime or ext://time.localtime, the usual one",
                ),
                ZONE,
                DEFAULT_TIME,
                DEFAULT_MSEC,
            ],
            read: read_pythons,
        },
    ],
};

pub(super) const BRACE: Row = Row {
    name: "brace",
    summary: "Python's { style, as {levelname:<8} {message}",
    forms: &[Form {
        class: "brace",
        parameters: OWN,
        read: |options| {
            let usual = "{asctime} {levelname:<8} {name} {process} {message}";
            read_own(options, Style::brace, usual)
        },
    }],
};

pub(super) const DOLLAR: Row = Row {
    name: "dollar",
    summary: "Python's $ style, as $levelname $message",
    forms: &[Form {
        class: "dollar",
        parameters: OWN,
        read: |options| {
            let usual = "$asctime $levelname $name $process $message";
            read_own(options, Style::dollar, usual)
        },
    }],
};

/// A compiled format.
#[derive(Debug, Clone)]
pub struct PythonFormat {
    style: Style,
    asctime: Asctime,
    defaults: Map,
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

#[derive(Debug, Clone)]
enum Style {
    Percent(Vec<percent::Part>),
    Brace(Vec<brace::Part>),
    Dollar(Vec<dollar::Part>),
}

impl PythonFormat {
    /// Compiles a format in the `%` style, with everything else as usual.
    pub fn percent(format: &str) -> Result<Self, FormatError> {
        Ok(Self {
            style: Style::percent(format)?,
            asctime: Asctime::new(None),
            defaults: Map::default(),
        })
    }

    /// With times as strftime has them in this format, when there is one.
    pub fn with_datefmt(mut self, datefmt: Option<&str>) -> Self {
        self.asctime = Asctime::new(datefmt);
        self
    }

    /// Compiles a format in the `{` style, with everything else as usual.
    pub fn brace(format: &str) -> Result<Self, FormatError> {
        Ok(Self {
            style: Style::brace(format)?,
            asctime: Asctime::new(None),
            defaults: Map::default(),
        })
    }
}

impl Formatter for PythonFormat {
    fn format(&mut self, record: &Record, out: &mut String) {
        let Self {
            style,
            asctime,
            defaults,
        } = self;
        let mut fields = Fields {
            record,
            asctime,
            defaults,
        };
        let begin = out.len();
        match style {
            Style::Percent(parts) => fields.percent(parts, out),
            Style::Brace(parts) => fields.brace(parts, out),
            Style::Dollar(parts) => fields.dollar(parts, out),
        }
        for below in ["exc_text", "stack_info"] {
            let text = record.look(below).and_then(ValueRef::into_text);
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                if !out[begin..].ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(&text);
            }
        }
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}

/// A record as formats see it.
struct Fields<'a> {
    record: &'a Record,
    asctime: &'a mut Asctime,
    defaults: &'a Map,
}

/// What stands for a field.
enum Field<'a> {
    Text(Cow<'a, str>),
    Value(Cow<'a, Value>),
    /// Neither the record nor the defaults have it.
    Absent,
}

impl<'a> Fields<'a> {
    fn get(&mut self, name: &str) -> Field<'a> {
        match name {
            "message" => return Field::Text(self.record.get_message()),
            "asctime" => {
                let mut time = String::new();
                self.asctime.format(self.record, &mut time);
                return Field::Text(time.into());
            }
            _ => {}
        }
        let defaults = self.defaults;
        let value = self.record.look(name);
        match value.or_else(|| defaults.get(name).map(ValueRef::from)) {
            Some(ValueRef::Str(text)) => Field::Text(text.into()),
            Some(value) => Field::Value(value.to_value()),
            // The number says the name, too.
            None if name == "levelname" => match self.record.level_name() {
                Some(level) => Field::Text(level),
                None => Field::Absent,
            },
            None => Field::Absent,
        }
    }

    fn percent(&mut self, parts: &[percent::Part], out: &mut String) {
        for part in parts {
            match part {
                percent::Part::Literal(text) => out.push_str(text),
                percent::Part::Conversion(conversion) => {
                    let name = conversion.key.as_deref().unwrap_or_default();
                    if name == "asctime" && conversion.is_plain() {
                        self.asctime.format(self.record, out);
                        continue;
                    }
                    let field = self.get(name);
                    by_percent(conversion, &field, out);
                }
            }
        }
    }

    fn brace(&mut self, parts: &[brace::Part], out: &mut String) {
        for part in parts {
            let field = match part {
                brace::Part::Literal(text) => {
                    out.push_str(text);
                    continue;
                }
                brace::Part::Field(field) => field,
            };
            let (record, defaults) = (self.record, self.defaults);
            let size = |name: &str| {
                let value = record.get(name).or_else(|| defaults.get(name))?;
                usize::try_from(value.as_i64()?).ok()
            };
            let owned;
            let value = match self.get(&field.name) {
                Field::Value(value) => {
                    owned = value;
                    field.find(&owned)
                }
                Field::Text(text) => {
                    owned = Cow::Owned(Value::from(&*text));
                    field.find(&owned)
                }
                Field::Absent => None,
            };
            let mut shown = String::new();
            match &value {
                Some(value) if field.render(value, &size, &mut shown).is_ok() => {}
                other => {
                    let mut text = String::new();
                    match other {
                        Some(value) => str_of(value, &mut text),
                        None => text.push('-'),
                    }
                    shown.clear();
                    let is_padded = field.spec.text(&text, &mut shown).is_ok();
                    if !is_padded {
                        shown = text;
                    }
                }
            }
            out.push_str(&shown);
        }
    }

    fn dollar(&mut self, parts: &[dollar::Part], out: &mut String) {
        for part in parts {
            match part {
                dollar::Part::Literal(text) => out.push_str(text),
                dollar::Part::Name(name) => match self.get(name) {
                    Field::Text(text) => out.push_str(&text),
                    Field::Value(value) => str_of(&value, out),
                    Field::Absent => out.push('-'),
                },
            }
        }
    }
}

fn by_percent(conversion: &Conversion, field: &Field<'_>, out: &mut String) {
    let rendered = match field {
        Field::Absent => {
            conversion.pad_text("-", out);
            Ok(())
        }
        Field::Text(text) if conversion.kind == 's' => {
            conversion.pad_text(text, out);
            Ok(())
        }
        Field::Text(text) => conversion.render(&Value::from(&**text), out),
        Field::Value(value) => conversion.render(value, out),
    };
    if rendered.is_err() {
        let mut text = String::new();
        match field {
            Field::Value(value) => str_of(value, &mut text),
            Field::Text(shown) => text.push_str(shown),
            Field::Absent => {}
        }
        conversion.pad_text(&text, out);
    }
}

impl Style {
    fn percent(format: &str) -> Result<Self, FormatError> {
        let remedy = "write fields as %(message)s and a percent sign as %%";
        let template = percent::Template::parse(format)
            .map_err(|error| FormatError(said(&error, format, remedy)))?;
        let is_nameless = |part: &percent::Part| match part {
            percent::Part::Conversion(conversion) => conversion.key.is_none(),
            percent::Part::Literal(_) => false,
        };
        if template.parts.iter().any(is_nameless) {
            return Err(FormatError(format!(
                "{format:?} has a field without a name; write %(message)s in place of %s"
            )));
        }
        Ok(Style::Percent(template.parts))
    }

    fn brace(format: &str) -> Result<Self, FormatError> {
        let remedy = "write fields as {message} and a brace as {{";
        let template = brace::Template::parse(format)
            .map_err(|error| FormatError(said(&error, format, remedy)))?;
        Ok(Style::Brace(template.parts))
    }

    fn dollar(format: &str) -> Result<Self, FormatError> {
        let remedy = "write fields as $message or ${message} and a dollar sign as $$";
        let template = dollar::Template::parse(format)
            .map_err(|error| FormatError(said(&error, format, remedy)))?;
        Ok(Style::Dollar(template.parts))
    }

    fn has_fields(&self) -> bool {
        match self {
            Style::Percent(parts) => parts
                .iter()
                .any(|part| matches!(part, percent::Part::Conversion(_))),
            Style::Brace(parts) => parts
                .iter()
                .any(|part| matches!(part, brace::Part::Field(_))),
            Style::Dollar(parts) => parts
                .iter()
                .any(|part| matches!(part, dollar::Part::Name(_))),
        }
    }
}

fn said(error: &TemplateError, format: &str, remedy: &str) -> String {
    let (problem, at) = (error.problem, error.at);
    format!("{problem} at character {at} of {format:?}; {remedy}")
}

/// A style of ours.
fn read_own(
    options: &mut Options<'_>,
    compile: fn(&str) -> Result<Style, FormatError>,
    usual: &str,
) -> Option<Box<dyn Formatter>> {
    let format = options.text("format");
    let style = compiled(options, compile(format.as_deref().unwrap_or(usual)))?;
    finish(options, style)
}

/// Python's class, whose style is an option.
fn read_pythons(options: &mut Options<'_>) -> Option<Box<dyn Formatter>> {
    let format = options.text("fmt").or(options.text("format"));
    let style = options.one_of("style");
    let (compile, usual): (fn(&str) -> Result<Style, FormatError>, _) = match style {
        Some("{") => (Style::brace, "{message}"),
        Some("$") => (Style::dollar, "${message}"),
        _ => (Style::percent, "%(message)s"),
    };
    let format = format.as_deref().filter(|format| !format.is_empty());
    let style = compiled(options, compile(format.unwrap_or(usual)))?;
    // As Python's styles validate: a format without a field is a mistake.
    if options.bool("validate").unwrap_or(true) && !style.has_fields() {
        let format = format.unwrap_or_default();
        options.wrong(
            "format",
            format!("{format:?} has no field; write for example {usual}"),
        );
        return None;
    }
    finish(options, style)
}

fn compiled(options: &mut Options<'_>, style: Result<Style, FormatError>) -> Option<Style> {
    style.map_err(|error| options.wrong("format", error)).ok()
}

/// Everything that the styles have in common.
fn finish(options: &mut Options<'_>, style: Style) -> Option<Box<dyn Formatter>> {
    let datefmt = options
        .text("datefmt")
        .filter(|datefmt| !datefmt.is_empty());
    let mut asctime = Asctime::new(datefmt.as_deref());
    let default_time = options.text("default_time_format");
    let is_msec_null = options.is_null("default_msec_format");
    let default_msec = options.text("default_msec_format");
    if datefmt.is_none() {
        if let Some(format) = default_time {
            asctime = asctime.with_default(&format);
        }
        if is_msec_null || default_msec.as_deref() == Some("") {
            asctime = asctime.with_msec(None);
        } else if let Some(format) = default_msec {
            match percent::Template::parse(&format) {
                Ok(template) => asctime = asctime.with_msec(Some(template)),
                Err(error) => options.wrong(
                    "default_msec_format",
                    said(&error, &format, "write for example %s.%03d"),
                ),
            }
        }
    }
    if let Some(zone) = zone(options) {
        asctime = asctime.in_zone(zone);
    }
    let defaults = options.values("defaults").unwrap_or_default();
    Some(Box::new(PythonFormat {
        style,
        asctime,
        defaults,
    }))
}

fn zone(options: &mut Options<'_>) -> Option<TimeZone> {
    let converter = options.text_if_known("converter");
    match converter
        .as_deref()
        .map(|name| name.trim_start_matches("ext://"))
    {
        None | Some("time.localtime") => {}
        // C calls the zone of gmtime GMT.
        Some("time.gmtime") => return Some(TimeZone::posix("GMT0").unwrap_or(TimeZone::UTC)),
        Some(other) => {
            let text = format!("{other:?} does not run here; write ext://time.gmtime or zone: UTC");
            options.wrong("converter", text);
        }
    }
    match options.text("zone").as_deref() {
        None | Some("local") => None,
        Some("UTC" | "utc") => Some(TimeZone::UTC),
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let text =
                    format!("there is no time zone {name:?}; write for example Europe/Berlin");
                options.wrong("zone", text);
                None
            }
        },
    }
}

#[cfg(test)]
mod tests;
