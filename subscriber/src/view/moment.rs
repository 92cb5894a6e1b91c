//! The time column: which of a record's times is shown, and how.

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::format::strftime::strftime;
use crate::item::Delivered;

/// Which of a record's times counts: for the column and for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TimeBase {
    /// When it was created, by its sender's clock
    #[default]
    Sender,
    /// The same, by this machine's clock as far as the difference is known
    Corrected,
    /// When it came
    Received,
}

/// Differences between clocks that cannot be told from a message's way, in ns.
const NOISE: i64 = 5_000_000;

/// Times that are farther from 1970 than this, in s, have no room in ns; they are none.
const FARTHEST: f64 = 9.2e9;

impl TimeBase {
    /// The time of a record, in ns since 1970-01-01 00:00 UTC.
    pub fn of(self, delivered: &Delivered) -> i64 {
        let received = delivered.received as i64;
        let created = delivered
            .record
            .created()
            .filter(|created| created.abs() < FARTHEST);
        let Some(created) = created.map(|created| (created * 1e9) as i64) else {
            return received;
        };
        match self {
            TimeBase::Sender => created,
            TimeBase::Corrected => match delivered.offset {
                Some(offset) if offset.abs() >= NOISE => created.saturating_add(offset),
                _ => created,
            },
            TimeBase::Received => received,
        }
    }

    /// Where a record stands in the order. Nothing is created after it came, whatever its sender's
    /// clock says: so a clock that is ahead does not hold up all others.
    pub fn place(self, delivered: &Delivered) -> i64 {
        self.of(delivered).min(delivered.received as i64)
    }
}

/// How times look. The text of the last second is kept, because records come many to a second.
#[derive(Debug, Clone)]
pub struct Moment {
    format: TimeFormat,
    zone: TimeZone,
    last: Option<(i64, String)>,
    /// The time before, for the time between.
    before: Option<i64>,
}

/// The forms of times.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// `10:38:59.126`.
    #[default]
    Short,
    /// `2026-11-21 10:38:59.126`.
    Full,
    /// `2026-11-21T10:38:59.126+01:00` (RFC 3339).
    Iso,
    /// Seconds since the record before: `+0.126`.
    Delta,
    /// None at all.
    None,
    /// As strftime has it.
    Strftime(String),
}

impl TimeFormat {
    /// The form of this name, else one for strftime.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "short" => TimeFormat::Short,
            "full" => TimeFormat::Full,
            "iso" => TimeFormat::Iso,
            "delta" => TimeFormat::Delta,
            "none" => TimeFormat::None,
            format if format.contains('%') => TimeFormat::Strftime(format.to_owned()),
            _ => {
                return Err("write short, full, iso, delta, none or a format such as %H:%M".into());
            }
        })
    }
}

impl std::fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TimeFormat::Short => "short",
            TimeFormat::Full => "full",
            TimeFormat::Iso => "iso",
            TimeFormat::Delta => "delta",
            TimeFormat::None => "none",
            TimeFormat::Strftime(format) => format,
        })
    }
}

impl Moment {
    /// Times in a zone.
    pub fn new(format: TimeFormat, zone: TimeZone) -> Self {
        Self {
            format,
            zone,
            last: None,
            before: None,
        }
    }

    /// How they look.
    pub fn format(&self) -> &TimeFormat {
        &self.format
    }

    /// Their zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether there is a time column at all.
    pub fn is_shown(&self) -> bool {
        self.format != TimeFormat::None
    }

    /// Adds a time, in ns since 1970-01-01 00:00 UTC.
    pub fn write(&mut self, time: i64, out: &mut String) {
        let millis = time.div_euclid(1_000_000);
        if self.format == TimeFormat::Delta {
            let before = self.before.replace(millis).unwrap_or(millis);
            return out.push_str(&format!("{:+9.3}", (millis - before) as f64 / 1e3));
        }
        let second = millis.div_euclid(1000);
        if self.last.as_ref().is_none_or(|(last, _)| *last != second) {
            self.last = Some((second, self.render(second)));
        }
        let Some((_, text)) = &self.last else {
            return;
        };
        match self.format {
            TimeFormat::Strftime(_) => out.push_str(text),
            _ => {
                // The zone, where there is one, stands behind the milliseconds.
                let zone = if self.format == TimeFormat::Iso {
                    "+00:00".len()
                } else {
                    0
                };
                let at = text.len().saturating_sub(zone);
                out.push_str(&text[..at]);
                push_millis(millis.rem_euclid(1000), out);
                out.push_str(&text[at..]);
            }
        }
    }

    fn render(&self, second: i64) -> String {
        let mut text = String::new();
        let Ok(moment) = Timestamp::from_second(second) else {
            return "-".to_owned();
        };
        let moment = moment.to_zoned(self.zone.clone());
        let format = match &self.format {
            TimeFormat::Short => "%H:%M:%S",
            TimeFormat::Full => "%Y-%m-%d %H:%M:%S",
            TimeFormat::Strftime(format) => format,
            TimeFormat::Delta | TimeFormat::None => "",
            TimeFormat::Iso => {
                strftime("%Y-%m-%dT%H:%M:%S", &moment, &mut text);
                let seconds = moment.offset().seconds();
                let minutes = seconds.abs() / 60;
                let sign = if seconds < 0 { '-' } else { '+' };
                text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
                return text;
            }
        };
        strftime(format, &moment, &mut text);
        text
    }
}

fn push_millis(millis: i64, out: &mut String) {
    let digit = |value: i64| char::from(b'0' + (value % 10) as u8);
    out.extend(['.', digit(millis / 100), digit(millis / 10), digit(millis)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use logbus_schemas::{Record, Topic};

    fn shown(format: &str, time: i64) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let mut out = String::new();
        Moment::new(TimeFormat::parse(format).unwrap(), zone).write(time, &mut out);
        out
    }

    #[test]
    fn times_look_as_they_are_asked_for() {
        let time = 1_795_207_453_072_258_300;
        assert_eq!(shown("short", time), "21:44:13.072");
        assert_eq!(shown("full", time), "2026-11-20 21:44:13.072");
        assert_eq!(shown("iso", time), "2026-11-20T21:44:13.072+01:00");
        let mut west = String::new();
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        Moment::new(TimeFormat::Iso, zone).write(time, &mut west);
        assert_eq!(west, "2026-11-20T15:44:13.072-05:00");
        assert_eq!(shown("%H:%M", time), "21:44");
        assert_eq!(shown("short", -1), "00:59:59.999");
        assert!(TimeFormat::parse("long").is_err());
    }

    #[test]
    fn the_time_between_is_counted_from_the_record_before() {
        let mut moment = Moment::new(TimeFormat::Delta, TimeZone::UTC);
        let mut out = String::new();
        for time in [5_000_000_000, 5_120_000_000, 4_000_000_000] {
            moment.write(time, &mut out);
        }
        assert_eq!(out, "   +0.000   +0.120   -1.120");
    }

    #[test]
    fn a_clock_that_is_ahead_or_wrong_does_not_move_a_record_behind_its_coming() {
        let mut record = Record::new("a", 20, "m");
        record.set("created", 9e9);
        let mut delivered = Delivered {
            record,
            topic: Topic::for_name("a"),
            origin: None,
            sender: None,
            received: 2_000_000_000,
            offset: Some(-8_999_999_999_000_000_000),
        };
        assert_eq!(TimeBase::Sender.place(&delivered), 2_000_000_000);
        assert_eq!(TimeBase::Corrected.of(&delivered), 1_000_000_000);
        assert_eq!(TimeBase::Received.of(&delivered), 2_000_000_000);
        for none in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            delivered.record.set("created", none);
            assert_eq!(TimeBase::Sender.of(&delivered), 2_000_000_000);
        }
    }
}
