//! Points in time as other programs write them: ISO 8601 with a date, a time and a zone.
//!
//! This is RFC 3339's form (`2026-11-20T21:43:21.245069+01:00`), and Logbook's, which writes
//! microseconds without leading zeros. A time without a zone is refused, and so are the times of
//! old syslog (`Nov 20 21:43:21`), which lack a year as well: what would have to be guessed is no
//! time.

/// A point in time, to the second, and the digits that stood behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timestamp<'a> {
    /// Seconds since 1970-01-01 00:00 UTC.
    seconds: i64,
    /// The digits of the fraction, as written.
    fraction: &'a str,
}

impl<'a> Timestamp<'a> {
    /// Reads all of `text`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
        let (fraction, zone) = split_fraction(rest)?;
        Some(Self {
            seconds: days_of(date)? * 86_400 + seconds_of(time)? - offset_of(zone)?,
            fraction,
        })
    }

    /// Seconds since 1970 where the digits are a decimal fraction.
    pub(super) fn with_fraction(&self) -> f64 {
        let digits = self.fraction.get(..6).unwrap_or(self.fraction);
        let shift = 10_i64.pow(6 - digits.len() as u32);
        self.with_micros(digits.parse().map_or(0, |micros: i64| micros * shift))
    }

    /// Seconds since 1970 where the digits are a number of microseconds without leading zeros;
    /// `None` where they are none.
    pub(super) fn with_unpadded_micros(&self) -> Option<f64> {
        match self.fraction {
            "" => Some(self.with_micros(0)),
            digits if digits.len() <= 6 => digits.parse().ok().map(|n| self.with_micros(n)),
            _ => None,
        }
    }

    /// One division at the end gives the double that is nearest, as Python's `timestamp()` does.
    fn with_micros(&self, micros: i64) -> f64 {
        (self.seconds * 1_000_000 + micros) as f64 / 1e6
    }
}

/// The digits behind a point, where there is one, and what follows.
fn split_fraction(text: &str) -> Option<(&str, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else {
        return Some(("", text));
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    (end > 0).then(|| rest.split_at(end))
}

/// Days from 1970-01-01 to `YYYY-MM-DD`, by the algorithm `days_from_civil` of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms".
fn days_of(date: &str) -> Option<i64> {
    let (year, month, day) = three(date, '-')?;
    if !(1..=12).contains(&month) || !(1..=days_in(month, year)).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the odd day of a leap year is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn days_in(month: i64, year: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since midnight of `HH:MM:SS`. A leap second is the first of the next minute.
fn seconds_of(time: &str) -> Option<i64> {
    let (hours, minutes, seconds) = three(time, ':')?;
    (hours < 24 && minutes < 60 && seconds <= 60).then(|| hours * 3600 + minutes * 60 + seconds)
}

/// Seconds by which a zone is ahead of UTC.
fn offset_of(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| sign * (hours * 3600 + minutes * 60))
}

fn three(text: &str, between: char) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(between).map(number);
    let three = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(three)
}

/// Digits only: `parse` would take a sign as well.
fn number(digits: &str) -> Option<i64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(text: &str) -> Option<f64> {
        Timestamp::parse(text).map(|time| time.with_fraction())
    }

    #[test]
    fn times_with_a_zone_are_seconds_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), Some(-0.5));
        let expected = Some(1_795_211_001.245069);
        assert_eq!(seconds("2026-11-20T21:43:21.245069+00:00"), expected);
        assert_eq!(seconds("2026-11-20T23:13:21.245069123+01:30"), expected);
        assert_eq!(seconds("2024-02-29T00:00:00-05:00"), Some(1_709_182_800.0));
    }

    #[test]
    fn unpadded_microseconds_are_a_number() {
        let micros = |text| Timestamp::parse(text).unwrap().with_unpadded_micros();
        assert_eq!(micros("1970-01-01T00:00:01.12345Z"), Some(1.012345));
        assert_eq!(micros("1970-01-01T00:00:01.847536Z"), Some(1.847536));
        assert_eq!(micros("1970-01-01T00:00:01Z"), Some(1.0));
        assert_eq!(micros("1970-01-01T00:00:01.1234567Z"), None);
    }

    #[test]
    fn what_would_have_to_be_guessed_is_no_time() {
        for text in [
            "",
            "2026-11-20T21:43:21",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T21:43:21.Z",
            "2026-11-20T21:43:21Z!",
            "+026-11-20T21:43:21Z",
            "Nov 20 21:43:21",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,40}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.Z+]{8,20}") {
            if let Some(time) = Timestamp::parse(&text) {
                prop_assert!(time.with_fraction().is_finite());
            }
        }
    }
}
