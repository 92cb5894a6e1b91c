//! When a file is rotated by the clock, and what it is called then.
//!
//! The rules are those of Python's `TimedRotatingFileHandler`
//! (docs.python.org/3/library/logging.handlers.html#timedrotatingfilehandler) to the second, summer
//! time included, so that shippers find the names they know. Times are seconds since 1970-01-01
//! 00:00 UTC; the clock is the caller's.

use jiff::tz::{Dst, TimeZone};
use jiff::{Timestamp, Zoned};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// How often, and at what time of day.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    when: When,
    /// Seconds from one rotation to the next.
    interval: i64,
    /// The time of day, in seconds.
    at: Option<i64>,
    is_utc: bool,
    zone: TimeZone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Second,
    Minute,
    Hour,
    Day,
    Midnight,
    /// Monday is 0.
    Weekday(i64),
}

impl Schedule {
    /// Reads Python's `when`: `S`, `M`, `H`, `D`, `W0` to `W6` or `midnight`, in any case.
    pub(super) fn new(
        when: &str,
        interval: u64,
        at: Option<i64>,
        is_utc: bool,
    ) -> Result<Self, String> {
        let (when, unit) = match when.to_uppercase().as_str() {
            "S" => (When::Second, 1),
            "M" => (When::Minute, 60),
            "H" => (When::Hour, HOUR),
            "D" => (When::Day, DAY),
            "MIDNIGHT" => (When::Midnight, DAY),
            other => match other.strip_prefix('W').map(str::parse) {
                Some(Ok(day @ 0..=6)) => (When::Weekday(day), 7 * DAY),
                _ => {
                    return Err(format!(
                        "{when:?} is no time to rotate at; write S, M, H, D, W0 (Monday) to W6 or \
                         midnight"
                    ));
                }
            },
        };
        let interval = i64::try_from(interval)
            .ok()
            .filter(|interval| *interval > 0);
        let interval = interval.and_then(|interval| interval.checked_mul(unit));
        Ok(Self {
            when,
            interval: interval.ok_or("the interval must be a number above 0")?,
            at,
            is_utc,
            zone: if is_utc {
                TimeZone::UTC
            } else {
                TimeZone::system()
            },
        })
    }

    #[cfg(test)]
    pub(super) fn in_zone(mut self, zone: TimeZone) -> Self {
        if !self.is_utc {
            self.zone = zone;
        }
        self
    }

    /// The first rotation after `now` of a file last written at `now`: `computeRollover`.
    pub(super) fn first(&self, now: i64) -> i64 {
        let target = match self.when {
            When::Midnight => None,
            When::Weekday(day) => Some(day),
            _ => return now + self.interval,
        };
        let Some(local) = self.local(now) else {
            return now + self.interval;
        };
        let second = i64::from(local.hour()) * HOUR
            + i64::from(local.minute()) * 60
            + i64::from(local.second());
        let mut day = i64::from(local.weekday().to_monday_zero_offset());
        let mut wait = self.at.unwrap_or(DAY) - second;
        if wait < 0 {
            wait += DAY;
            day = (day + 1) % 7;
        }
        let mut next = now + wait;
        if let Some(target) = target
            && day != target
        {
            let days = if day < target {
                target - day
            } else {
                7 - day + target
            };
            next += days * DAY;
            next += self.dst_shift(now, next);
        }
        next
    }

    /// The rotation after the one that is done at `now`: what `doRollover` computes.
    pub(super) fn next(&self, now: i64) -> i64 {
        let mut next = self.first(now);
        while next <= now {
            next += self.interval;
        }
        if matches!(self.when, When::Midnight | When::Weekday(_)) {
            next += self.dst_shift(now, next);
        }
        next
    }

    /// The suffix of the file that is rotated at `now` and was due at `due`.
    pub(super) fn suffix(&self, due: i64, now: i64) -> String {
        let mut begin = due - self.interval;
        if !self.is_utc {
            match (self.is_dst(now), self.is_dst(begin)) {
                (true, false) => begin += HOUR,
                (false, true) => begin -= HOUR,
                _ => {}
            }
        }
        let Some(begin) = self.local(begin) else {
            return "rotated".to_owned();
        };
        let format = match self.when {
            When::Second => "%Y-%m-%d_%H-%M-%S",
            When::Minute => "%Y-%m-%d_%H-%M",
            When::Hour => "%Y-%m-%d_%H",
            _ => "%Y-%m-%d",
        };
        begin.strftime(format).to_string()
    }

    /// What to add to `next` when it lies on the other side of a change of summer time than `now`.
    fn dst_shift(&self, now: i64, next: i64) -> i64 {
        match (self.is_utc, self.is_dst(now), self.is_dst(next)) {
            (false, false, true) => -HOUR,
            (false, true, false) => HOUR,
            _ => 0,
        }
    }

    fn is_dst(&self, second: i64) -> bool {
        let Ok(moment) = Timestamp::from_second(second) else {
            return false;
        };
        // Also of a UTC schedule Python asks the local clock.
        let info = self.zone.to_offset_info(moment);
        info.dst() == Dst::Yes
    }

    fn local(&self, second: i64) -> Option<Zoned> {
        let moment = Timestamp::from_second(second).ok()?;
        Some(moment.to_zoned(self.zone.clone()))
    }
}

/// Whether a suffix is one that rotation by the clock gives, as Python's `extMatch` says, with a
/// number or a compressor's ending behind it or without.
pub(super) fn is_suffix(suffix: &str) -> bool {
    suffix.split('.').next().is_some_and(|part| {
        let shape: String = part
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        [
            "0000-00-00",
            "0000-00-00_00",
            "0000-00-00_00-00",
            "0000-00-00_00-00-00",
        ]
        .contains(&shape.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// Python's own handler with the clock in our hands: for each case the first rotation, and
    /// then, for a series of moments, the suffix and the next rotation.
    const ORACLE: &str = r#"
import datetime, json, logging.handlers as handlers, os, sys, tempfile, time
clock = [0]
class Clock:
    def __getattr__(self, name):
        return (lambda: clock[0]) if name == "time" else getattr(time, name)
handlers.time = Clock()
for line in sys.stdin:
    case = json.loads(line)
    at = case["at"]
    at = None if at is None else datetime.time(at // 3600, at // 60 % 60, at % 60)
    with tempfile.TemporaryDirectory() as folder:
        clock[0] = case["now"]
        handler = handlers.TimedRotatingFileHandler(
            os.path.join(folder, "a"), case["when"], case["interval"], utc=case["utc"], atTime=at, delay=True
        )
        answer = [handler.rolloverAt]
        for step in case["steps"]:
            clock[0] = handler.rolloverAt + step
            open(os.path.join(folder, "a"), "w").close()
            handler.doRollover()
            (name,) = os.listdir(folder)
            os.remove(os.path.join(folder, name))
            answer += [name[2:], handler.rolloverAt]
        print(json.dumps(answer))
"#;

    #[test]
    fn rotations_are_when_python_rotates_and_are_called_what_python_calls_them() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut cases = Vec::new();
        for (at, when) in ["S", "M", "H", "D", "midnight", "W0", "W3", "W6"]
            .iter()
            .enumerate()
        {
            for round in 0..12_i64 {
                // Around changes of summer time, and elsewhere.
                let now = 1_774_700_000 + round * 2_629_743 + at as i64 * 40_009;
                let time = [None, Some(0), Some(8_100), Some(49_500)][round as usize % 4];
                let time = time.filter(|_| when.len() > 1);
                cases.push((*when, 1 + round as u64 % 3, now, time, round % 5 == 0));
            }
        }
        let steps = [0, 5, 90, 4_000, 90_000, 900_000, 3];
        let mut input = String::new();
        for (when, interval, now, at, utc) in &cases {
            let at = at.map_or("null".to_owned(), |at| at.to_string());
            input.push_str(&format!(
                "{{\"when\":\"{when}\",\"interval\":{interval},\"now\":{now},\"at\":{at},\"utc\":{utc},\"steps\":{steps:?}}}\n"
            ));
        }
        let mut python = Command::new("python3")
            .args(["-c", ORACLE])
            .env("TZ", "Europe/Berlin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = python.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = python.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answers.lines().count(), cases.len());
        for (case, answer) in cases.iter().zip(answers.lines()) {
            let (when, interval, now, at, utc) = *case;
            let schedule = Schedule::new(when, interval, at, utc)
                .unwrap()
                .in_zone(zone.clone());
            let expected: Vec<serde_json::Value> = serde_json::from_str(answer).unwrap();
            let mut due = schedule.first(now);
            assert_eq!(expected[0].as_i64(), Some(due), "{case:?}");
            for (step, pair) in steps.iter().zip(expected[1..].chunks(2)) {
                let now = due + step;
                assert_eq!(
                    pair[0].as_str(),
                    Some(&*schedule.suffix(due, now)),
                    "{case:?}"
                );
                assert!(is_suffix(&schedule.suffix(due, now)));
                due = schedule.next(now);
                assert_eq!(pair[1].as_i64(), Some(due), "{case:?} {step}");
            }
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (when, interval) in [("X", 1), ("W7", 1), ("W", 1), ("H", 0), ("", 1)] {
            assert!(
                Schedule::new(when, interval, None, false).is_err(),
                "{when}"
            );
        }
        assert!(!is_suffix("1") && !is_suffix("2026-1-1") && is_suffix("2026-11-20.gz"));
    }
}
