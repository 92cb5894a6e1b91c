//! Points in time as text: RFC 3339, and the little that senders write differently.
//!
//! Read are a date, a `T` or a space, a time with or without seconds and a fraction of any length,
//! and an offset: `Z`, `+01:00`, `+0100` or `+01`. A time without an offset is taken as UTC, since
//! nothing here knows any other zone. A second 60 is the one after 59.

/// The moment in seconds since 1970-01-01 00:00 UTC, or `None` for a text that is no such time.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let offset_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(offset_at);
    let (seconds, fraction) = seconds_of_day(time.trim_end())?;
    let whole = day_of(date)? * 86_400 + seconds - seconds_of_offset(offset)?;
    Some(whole as f64 + fraction)
}

/// The days since 1970-01-01.
fn day_of(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    (parts.next().is_none() && (1..=days).contains(&day)).then(|| days_before(year, month) + day)
}

/// The days from 1970-01-01 to the eve of a month's first day: H. Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `days_from_civil`. Years begin in March there, so that a leap day
/// comes last.
fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day = (153 * month + 2) / 5;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_469
}

/// The whole seconds since midnight, and what is beyond them.
fn seconds_of_day(time: &str) -> Option<(i64, f64)> {
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((time, digits)) => (time, fraction(digits)?),
        None => (time, 0.0),
    };
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    let is_time = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    is_time.then_some((hour * 3600 + minute * 60 + second, fraction))
}

fn fraction(digits: &str) -> Option<f64> {
    let is_fraction = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_fraction.then(|| format!("0.{digits}").parse().ok())?
}

fn seconds_of_offset(offset: &str) -> Option<i64> {
    let sign = match offset.chars().next() {
        None => return Some(0),
        Some('Z' | 'z') => return (offset.len() == 1).then_some(0),
        Some('-') => -1,
        Some(_) => 1,
    };
    let digits = offset[1..].replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() {
        0
    } else {
        number(minutes, 2)?
    };
    let hours = number(hours, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_their_senders_write_them() {
        let noon = 1_772_280_000.0;
        for text in [
            "2026-02-28T12:00:00Z",
            "2026-02-28 12:00",
            "2026-02-28T13:00:00.000+01:00",
            "2026-02-28t06:30:00-0530",
            "2026-02-28T10:00:00 -02",
            " 2026-02-28T11:59:60z ",
        ] {
            assert_eq!(parse(text), Some(noon), "{text}");
        }
        assert_eq!(
            parse("2026-11-20 20:44:18.042099+00:00"),
            Some(1_795_207_458.042099)
        );
        assert_eq!(
            parse("2016-06-07T03:44:57.8532799Z"),
            Some(1_465_271_097.853_279_9)
        );
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Some(-0.5));
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400.0));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "ceci n'est pas un timestamp",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-28T24:00:00Z",
            "2026-02-28T12:00:00.Z",
            "2026-02-28T12:00:00+1",
            "2026-02-28",
            "2026-0é-28T12:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "[-0-9T:.Z+é ]{0,30}|\\PC{0,30}") {
            parse(&text);
        }
    }
}
