//! Places in a journal as people write them: a time, how long ago, or an offset.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::config::units;

/// A place in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An entry.
    Offset(u64),
    /// What came then or later, in ns since 1970-01-01 00:00 UTC.
    Time(u64),
}

/// Reads `10m`, `2026-11-20T08:00` with or without an offset, and `offset:17`; `None` for any other
/// text. A number needs a unit, because a number alone may mean anything.
pub fn place(text: &str, now: u64, zone: &TimeZone) -> Option<Place> {
    let text = text.trim();
    if let Some(offset) = text.strip_prefix("offset:") {
        return offset.trim().parse().ok().map(Place::Offset);
    }
    let time = match text.ends_with(|last: char| last.is_ascii_alphabetic()) {
        true => ago(text, now).or_else(|| moment(text, zone)),
        false => moment(text, zone),
    };
    time.map(Place::Time)
}

/// The same where a text may be nothing else, as behind `--since`.
pub fn must_be_place(text: &str, now: u64, zone: &TimeZone) -> Result<Place, String> {
    place(text, now, zone).ok_or_else(|| {
        format!("{text:?} is no time; write for example 10m, 2h or 2026-11-20T08:00")
    })
}

fn ago(text: &str, now: u64) -> Option<u64> {
    let nanos = units::time(text)?.as_nanos();
    Some(now.saturating_sub(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

/// A date, or a date and a time; without an offset they are those of `zone`.
fn moment(text: &str, zone: &TimeZone) -> Option<u64> {
    // Bare digits would pass for a date, too.
    if text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let at: Timestamp = match (text.parse::<Timestamp>(), text.parse::<Zoned>()) {
        (Ok(at), _) => at,
        (_, Ok(zoned)) => zoned.timestamp(),
        _ => {
            let civil: DateTime = text.parse().ok()?;
            civil.to_zoned(zone.clone()).ok()?.timestamp()
        }
    };
    u64::try_from(at.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000_000_000;

    fn check(text: &str, expected: Option<Place>) {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(place(text, NOW, &zone), expected, "{text}");
    }

    #[test]
    fn a_place_is_a_time_ago_a_date_or_an_offset() {
        let seconds = |seconds: u64| Some(Place::Time(seconds * 1_000_000_000));
        check("10m", seconds(1_800_000_000 - 600));
        check("2h", seconds(1_800_000_000 - 7200));
        check("1.5d", seconds(1_800_000_000 - 129_600));
        check("2026-11-20T08:00:00Z", seconds(1_795_161_600));
        check("2026-11-20T08:00", seconds(1_795_161_600 - 3600));
        check("2026-11-20 08:00:00", seconds(1_795_161_600 - 3600));
        check("2026-11-20", seconds(1_795_132_800 - 3600));
        check("2026-11-20T08:00:00+02:00", seconds(1_795_161_600 - 7200));
        check("offset:17", Some(Place::Offset(17)));
    }

    #[test]
    fn what_may_be_an_expression_is_no_place() {
        for text in [
            "",
            "500",
            "10",
            "20261120",
            "timeout",
            "(10m)",
            "10 minutes",
            "offset:",
            "2026",
            "s",
        ] {
            check(text, None);
        }
    }
}
