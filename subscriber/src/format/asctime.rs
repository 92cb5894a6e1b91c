//! `%(asctime)s`: when a record was created, in local time.
//!
//! As Python's `Formatter.formatTime` does: `%Y-%m-%d %H:%M:%S` with `,` and milliseconds behind,
//! or what strftime makes of a format of one's own. The text of the last second is kept, because
//! records come many to a second.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use logbus_schemas::Record;

const DEFAULT: &str = "%Y-%m-%d %H:%M:%S";

/// How times are shown.
#[derive(Debug, Clone)]
pub(crate) struct Asctime {
    format: Option<String>,
    zone: TimeZone,
    last: Option<(i64, String)>,
}

impl Asctime {
    pub(crate) fn new(format: Option<&str>, zone: TimeZone) -> Self {
        Self {
            format: format.map(str::to_owned),
            zone,
            last: None,
        }
    }

    /// Whether jiff can render this format at all.
    pub(crate) fn check(format: &str) -> Result<(), String> {
        let moment = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        jiff::fmt::strtime::format(format, &moment)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Adds the time of a record; `-` where it has none.
    pub(crate) fn format(&mut self, record: &Record, out: &mut String) {
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
        if let Some((_, text)) = &self.last {
            out.push_str(text);
        }
        if self.format.is_none() {
            let millis = record.get("msecs").and_then(|msecs| msecs.as_f64());
            let millis = millis.unwrap_or((created - created.floor()) * 1000.0);
            out.push_str(&format!(",{:03}", millis.clamp(0.0, 999.0) as u32));
        }
    }

    fn render(&self, second: i64) -> Option<String> {
        let moment = Timestamp::from_second(second)
            .ok()?
            .to_zoned(self.zone.clone());
        let format = self.format.as_deref().unwrap_or(DEFAULT);
        jiff::fmt::strtime::format(format, &moment).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Option<&str>, created: f64) -> String {
        let mut record = Record::new("a", 20, "m");
        record.set("created", created);
        let mut out = String::new();
        Asctime::new(format, TimeZone::UTC).format(&record, &mut out);
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
        Asctime::new(None, TimeZone::UTC).format(&Record::default(), &mut out);
        assert_eq!(out, "-");
    }
}
