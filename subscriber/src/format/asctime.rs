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
#[cfg(test)]
const DEFAULT_MSEC: &str = "%s,%03d";

/// How times are shown.
#[derive(Debug, Clone)]
pub(super) struct Asctime {
    format: String,
    msec: Msec,
    zone: TimeZone,
    last: Option<(i64, String)>,
}

/// How the time and the milliseconds go together.
#[derive(Debug, Clone)]
enum Msec {
    /// There are none.
    None,
    /// As Python's `default_msec_format` has them, `%s,%03d`. Rendered as a template it takes as long as all the rest of a line.
    Usual,
    Of(Template),
}

impl Asctime {
    /// As `datefmt` says, else as usual.
    pub(super) fn new(datefmt: Option<&str>) -> Self {
        Self {
            format: datefmt.unwrap_or(DEFAULT_TIME).to_owned(),
            msec: match datefmt {
                Some(_) => Msec::None,
                None => Msec::Usual,
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
        self.msec = msec.map_or(Msec::None, Msec::Of);
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
        let millis = || {
            let said = record.look("msecs").and_then(|msecs| msecs.as_f64());
            let said = said.filter(|millis| !millis.is_nan());
            let millis = said.unwrap_or((created - created.floor()) * 1000.0);
            millis.clamp(0.0, 999.999)
        };
        match &self.msec {
            Msec::None => out.push_str(text),
            Msec::Usual => {
                let millis = millis() as u16;
                let digit = |unit: u16| char::from(b'0' + (millis / unit % 10) as u8);
                out.push_str(text);
                out.extend([',', digit(100), digit(10), digit(1)]);
            }
            Msec::Of(template) => {
                let parts = [Value::from(text.as_str()), Value::from(millis())];
                let whole = template.render_list(&parts);
                out.push_str(whole.as_deref().unwrap_or(text));
            }
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
    fn the_usual_milliseconds_are_what_their_template_makes_of_them() {
        for msecs in [
            0.0,
            0.999,
            7.0,
            45.6,
            722.582,
            999.0,
            999.9999,
            -3.0,
            f64::NAN,
        ] {
            let mut record = Record::new("a", 20, "m");
            record.set("created", 1795207453.7225823);
            record.set("msecs", msecs);
            let usual = Asctime::new(None).in_zone(TimeZone::UTC);
            let template = Template::parse(DEFAULT_MSEC).ok();
            let mut texts = [String::new(), String::new()];
            usual.clone().format(&record, &mut texts[0]);
            usual.with_msec(template).format(&record, &mut texts[1]);
            assert_eq!(texts[0], texts[1], "{msecs}");
        }
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
