//! `%(asctime)s`: when a record was created.
//!
//! As Python's `Formatter.formatTime` does: what strftime makes of the date format, else the
//! default one, `%Y-%m-%d %H:%M:%S`, with `,` and the milliseconds behind. The text of the last
//! second is kept, because records come many to a second.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use logbus_schemas::python::percent::Template;
use logbus_schemas::{Record, Value};

use super::strftime::strftime;

const DEFAULT_TIME: &str = "%Y-%m-%d %H:%M:%S";
const DEFAULT_MSEC: &str = "%s,%03d";

/// How times are shown.
#[derive(Debug, Clone)]
pub(super) struct Asctime {
    format: String,
    /// Puts the time and the milliseconds together; without it there are none.
    msec: Option<Template>,
    zone: TimeZone,
    last: Option<(i64, String)>,
}

impl Asctime {
    /// As `datefmt` says, else as usual.
    pub(super) fn new(datefmt: Option<&str>) -> Self {
        Self {
            format: datefmt.unwrap_or(DEFAULT_TIME).to_owned(),
            msec: match datefmt {
                Some(_) => None,
                None => Template::parse(DEFAULT_MSEC).ok(),
            },
            zone: TimeZone::system(),
            last: None,
        }
    }

    /// With another usual format.
    pub(super) fn with_default(mut self, format: &str) -> Self {
        self.format = format.to_owned();
        self
    }

    /// With the milliseconds in another way, or without.
    pub(super) fn with_msec(mut self, msec: Option<Template>) -> Self {
        self.msec = msec;
        self
    }

    /// In another time zone.
    pub(super) fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Adds the time of a record; `-` where it has none.
    pub(super) fn format(&mut self, record: &Record, out: &mut String) {
        let created = record.created().filter(|created| created.is_finite());
        let Some(created) = created else {
            return out.push('-');
        };
        let second = created.floor() as i64;
        if self.last.as_ref().is_none_or(|(last, _)| *last != second) {
            let Some(text) = self.render(second) else {
                return out.push('-');
            };
            self.last = Some((second, text));
        }
        let Some((_, text)) = &self.last else {
            return;
        };
        let Some(msec) = &self.msec else {
            return out.push_str(text);
        };
        let millis = record.get("msecs").and_then(|msecs| msecs.as_f64());
        let millis = millis.unwrap_or((created - created.floor()) * 1000.0);
        let parts = [
            Value::from(text.as_str()),
            Value::from(millis.clamp(0.0, 999.999)),
        ];
        match msec.render_list(&parts) {
            Ok(whole) => out.push_str(&whole),
            Err(_) => out.push_str(text),
        }
    }

    fn render(&self, second: i64) -> Option<String> {
        let moment = Timestamp::from_second(second)
            .ok()?
            .to_zoned(self.zone.clone());
        let mut text = String::new();
        strftime(&self.format, &moment, &mut text);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Option<&str>, created: f64) -> String {
        let mut record = Record::new("a", 20, "m");
        record.set("created", created);
        let mut out = String::new();
        let mut asctime = Asctime::new(format).in_zone(TimeZone::UTC);
        asctime.format(&record, &mut out);
        out
    }

    #[test]
    fn times_look_as_in_python() {
        assert_eq!(shown(None, 1795207453.7225823), "2026-11-20 20:44:13,722");
        assert_eq!(shown(Some("%H:%M"), 1795207453.7), "20:44");
    }

    #[test]
    fn a_time_that_is_none_is_a_dash() {
        for created in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert_eq!(shown(None, created), "-");
        }
        let mut out = String::new();
        Asctime::new(None).format(&Record::default(), &mut out);
        assert_eq!(out, "-");
    }
}
