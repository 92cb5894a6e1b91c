//! A record as a syslog message.
//!
//! RFC 5424: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [structured data] MSG`, where MSG
//! begins with a byte order mark unless it is ASCII, as section 6.4 and the Logging Cookbook
//! ("Inserting a BOM into messages sent to a SysLogHandler") have it. RFC 3164: `<PRI>Mmm dd
//! hh:mm:ss HOST TAG[PID]: MSG`. Python's own: `<PRI>MSG` and a NUL.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use logbus_schemas::python::str_of;
use logbus_schemas::{Level, Record, Value};

use crate::format::severity;

/// Characters of one value in the structured data.
const MAX_VALUE: usize = 1024;

/// A facility's number (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facility(u8);

const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("security", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("console", 14),
    ("solaris-cron", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Facility {
    pub(super) const USER: Self = Self(1);

    /// By name, also as Python's constants are called.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.rsplit('.').next()?.to_lowercase();
        let name = name.strip_prefix("log_").unwrap_or(&name);
        let found = FACILITIES.iter().find(|(known, _)| *known == name);
        found.map(|(_, number)| Self(*number))
    }

    pub(super) fn numbered(number: i64) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|number| *number < 24)
            .map(Self)
    }
}

/// Which rules a message follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Rfc5424,
    Rfc3164,
    Python,
}

/// How records become messages.
#[derive(Debug, Clone)]
pub(super) struct Rendering {
    pub(super) facility: Facility,
    pub(super) format: Format,
    pub(super) app_name: Option<String>,
    pub(super) host: String,
    pub(super) sd_id: String,
}

impl Rendering {
    /// The message of a record whose text is rendered already.
    pub(super) fn message(&self, record: &Record, text: &str, now: u64) -> Vec<u8> {
        let level = record.level().unwrap_or(Level::INFO);
        let priority = u16::from(self.facility.0) * 8 + u16::from(severity(level));
        let mut out = format!("<{priority}>");
        match self.format {
            Format::Rfc5424 => self.rfc5424(record, text, now, &mut out),
            Format::Rfc3164 => self.rfc3164(record, text, now, &mut out),
            Format::Python => {
                out.push_str(text);
                out.push('\0');
            }
        }
        out.into_bytes()
    }

    fn rfc5424(&self, record: &Record, text: &str, now: u64, out: &mut String) {
        let app = self.app_name(record);
        let process = process_id(record);
        let logger = record.name().unwrap_or_default();
        // Writing to a String does not fail.
        let _written = write!(
            out,
            "1 {:.6} {} {} {} {} ",
            created(record, now),
            word(&self.host, 255),
            word(&app, 48),
            word(&process, 128),
            word(logger, 32),
        );
        self.structured_data(record, out);
        if !text.is_empty() {
            out.push(' ');
            if !text.is_ascii() {
                out.push('\u{feff}');
            }
            out.push_str(text);
        }
    }

    fn rfc3164(&self, record: &Record, text: &str, now: u64, out: &mut String) {
        let local = created(record, now).to_zoned(TimeZone::system());
        let app = self.app_name(record);
        let tag: String = app
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "_-./".contains(*c))
            .take(32)
            .collect();
        let _written = write!(
            out,
            "{} {} {}[{}]: ",
            local.strftime("%b %e %H:%M:%S"),
            word(&self.host, 255),
            if tag.is_empty() { "python" } else { &tag },
            word(&process_id(record), 32),
        );
        // A line of an old server is one line.
        out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }

    fn app_name(&self, record: &Record) -> String {
        let given = self.app_name.as_deref().or(record.text("processName"));
        given.unwrap_or_default().to_owned()
    }

    /// Extras as parameters of one element; its values are escaped as section 6.3.3 says.
    fn structured_data(&self, record: &Record, out: &mut String) {
        let begin = out.len();
        for (key, value) in record.extras() {
            if value.is_null() {
                continue;
            }
            let mut text = String::new();
            match value {
                Value::Str(value) => text.push_str(value),
                other => str_of(other, &mut text),
            }
            let _written = write!(out, " {}=\"", name(key));
            for c in text.chars().take(MAX_VALUE) {
                if matches!(c, '"' | '\\' | ']') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push('"');
        }
        match out.len() == begin {
            true => out.push('-'),
            false => {
                out.insert_str(begin, &format!("[{}", name(&self.sd_id)));
                out.push(']');
            }
        }
    }
}

fn created(record: &Record, now: u64) -> Timestamp {
    let micros = record
        .created()
        .filter(|created| created.is_finite())
        .map_or((now / 1000) as i64, |created| {
            (created * 1e6).round() as i64
        });
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn process_id(record: &Record) -> String {
    let mut text = String::new();
    if let Some(process) = record.get("process").filter(|process| !process.is_null()) {
        str_of(process, &mut text);
    }
    text
}

/// Printable ASCII without spaces, or `-` for nothing (section 6).
fn word(text: &str, most: usize) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let word: String = text.chars().take(most).map(printable).collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

/// A name in structured data: without `=`, `]` and quotes, 32 characters at most.
fn name(text: &str) -> String {
    let word = word(text, 32);
    word.chars()
        .map(|c| if matches!(c, '=' | ']' | '"') { '_' } else { c })
        .collect()
}
