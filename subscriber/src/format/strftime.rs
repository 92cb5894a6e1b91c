//! `strftime` as Python's `time.strftime` has it on Linux: glibc's, in the C locale.
//!
//! Of the flags, `-` (no padding), `_` (spaces), `0` (zeros) and `^` (upper case), `#` (the
//! other case) are understood,
//! and widths (the manual page strftime(3)). What is no directive stays as it is.

use std::fmt::Write;

use jiff::Zoned;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Adds a moment as `format` shows it.
pub(crate) fn strftime(format: &str, moment: &Zoned, out: &mut String) {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at..];
        let length = Directive::read(directive).map_or(1, |(directive, length)| {
            if directive.add(moment, out) {
                length
            } else {
                out.push_str(&rest[at..at + length]);
                length
            }
        });
        if length == 1 {
            out.push('%');
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
}

/// A directive such as `%-d`.
struct Directive {
    flag: Option<char>,
    is_upper: bool,
    /// `#`: the other case.
    is_swapped: bool,
    width: Option<usize>,
    letter: char,
}

impl Directive {
    /// Reads a directive and its length in bytes.
    fn read(text: &str) -> Option<(Self, usize)> {
        let (mut flag, mut is_upper, mut is_swapped, mut width) = (None, false, false, None);
        for (at, c) in text.char_indices().skip(1) {
            match c {
                '_' | '-' => flag = Some(c),
                '0' if width.is_none() => flag = Some(c),
                '^' => is_upper = true,
                '#' => is_swapped = true,
                '0'..='9' => {
                    let digit = c as usize - '0' as usize;
                    width = Some((width.unwrap_or(0) * 10 + digit).min(1024));
                }
                // Other calendars and digits, which the C locale does not have.
                'E' | 'O' => {}
                letter => {
                    let directive = Self {
                        flag,
                        is_upper,
                        is_swapped,
                        width,
                        letter,
                    };
                    return Some((directive, at + letter.len_utf8()));
                }
            }
        }
        None
    }

    /// Adds what the directive stands for; `false` when it stands for nothing.
    fn add(&self, moment: &Zoned, out: &mut String) -> bool {
        let (year, hour) = (i64::from(moment.year()), i64::from(moment.hour()));
        let (day, weekday) = (i64::from(moment.day()), moment.weekday());
        let of_year = i64::from(moment.day_of_year());
        let from_sunday = i64::from(weekday.to_sunday_zero_offset());
        let from_monday = i64::from(weekday.to_monday_zero_offset());
        let week = moment.date().iso_week_date();
        match self.letter {
            'a' => self.text(&DAYS[from_sunday as usize][..3], out),
            'A' => self.text(DAYS[from_sunday as usize], out),
            'b' | 'h' => self.text(&month(moment)[..3], out),
            'B' => self.text(month(moment), out),
            'c' => self.compound("%a %b %e %H:%M:%S %Y", moment, out),
            'C' => self.number(year.div_euclid(100), 2, '0', out),
            'd' => self.number(day, 2, '0', out),
            'D' | 'x' => self.compound("%m/%d/%y", moment, out),
            'e' => self.number(day, 2, ' ', out),
            'F' => self.compound("%Y-%m-%d", moment, out),
            'g' => self.number(i64::from(week.year()).rem_euclid(100), 2, '0', out),
            'G' => self.number(i64::from(week.year()), 1, '0', out),
            'H' => self.number(hour, 2, '0', out),
            'I' => self.number((hour + 11) % 12 + 1, 2, '0', out),
            'j' => self.number(of_year, 3, '0', out),
            'k' => self.number(hour, 2, ' ', out),
            'l' => self.number((hour + 11) % 12 + 1, 2, ' ', out),
            'm' => self.number(i64::from(moment.month()), 2, '0', out),
            'M' => self.number(i64::from(moment.minute()), 2, '0', out),
            'n' => self.text("\n", out),
            'p' => self.text(if hour < 12 { "AM" } else { "PM" }, out),
            'P' => self.text(if hour < 12 { "am" } else { "pm" }, out),
            'r' => self.compound("%I:%M:%S %p", moment, out),
            'R' => self.compound("%H:%M", moment, out),
            's' => self.number(moment.timestamp().as_second(), 1, '0', out),
            'S' => self.number(i64::from(moment.second()), 2, '0', out),
            't' => self.text("\t", out),
            'T' | 'X' => self.compound("%H:%M:%S", moment, out),
            'u' => self.number(i64::from(weekday.to_monday_one_offset()), 1, '0', out),
            'U' => self.number((of_year + 6 - from_sunday) / 7, 2, '0', out),
            'V' => self.number(i64::from(week.week()), 2, '0', out),
            'w' => self.number(from_sunday, 1, '0', out),
            'W' => self.number((of_year + 6 - from_monday) / 7, 2, '0', out),
            'y' => self.number(year.rem_euclid(100), 2, '0', out),
            'Y' => self.number(year, 1, '0', out),
            'z' => self.offset(moment, out),
            'Z' => {
                let zone = moment.time_zone();
                let info = zone.to_offset_info(moment.timestamp());
                self.text(info.abbreviation(), out);
            }
            '%' => self.text("%", out),
            _ => return false,
        }
        true
    }

    fn number(&self, number: i64, digits: usize, fill: char, out: &mut String) {
        let fill = match self.flag {
            Some('_') => ' ',
            Some('-') => '-',
            Some(_) => '0',
            None => fill,
        };
        let text = number.to_string();
        if fill != '-' {
            let width = self.width.unwrap_or(digits);
            out.extend(std::iter::repeat_n(fill, width.saturating_sub(text.len())));
        }
        out.push_str(&text);
    }

    fn text(&self, text: &str, out: &mut String) {
        let fill = if self.flag == Some('0') { '0' } else { ' ' };
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        out.extend(std::iter::repeat_n(fill, missing));
        // What is in capitals has the other case in small letters.
        let is_capital = matches!(self.letter, 'p' | 'Z');
        if self.is_swapped && is_capital {
            out.push_str(&text.to_lowercase());
        } else if self.is_upper || self.is_swapped {
            out.push_str(&text.to_uppercase());
        } else {
            out.push_str(text);
        }
    }

    fn compound(&self, format: &str, moment: &Zoned, out: &mut String) {
        let mut text = String::new();
        strftime(format, moment, &mut text);
        self.text(&text, out);
    }

    fn offset(&self, moment: &Zoned, out: &mut String) {
        let seconds = moment.offset().seconds();
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        // Writing to a String does not fail.
        let _written = write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60);
    }
}

fn month(moment: &Zoned) -> &'static str {
    let at = usize::from(moment.month().unsigned_abs()).saturating_sub(1);
    MONTHS.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    const DIRECTIVES: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%+";

    #[test]
    fn times_look_as_in_python_whatever_the_directive() {
        let mut formats: Vec<String> = DIRECTIVES.chars().map(|c| format!("<%{c}>")).collect();
        let more = [
            "%-d.%-m.%y",
            "%_H",
            "%^a %^B",
            "%5d|%05e",
            "%10A",
            "%q",
            "100%",
            "%f",
            "%Ey",
            "%",
            "%#Z",
            "%#p",
            "%#a",
            "%#B",
        ];
        formats.extend(more.map(str::to_owned));
        let moments: Vec<i64> = (0..400).map(|n| 1_700_000_000 + n * 7_654_321).collect();
        let script = "import sys, time\nfor line in sys.stdin:\n    second, format = line.rstrip('\\n')\
                      .split(' ', 1)\n    print(repr(time.strftime(format, time.localtime(int(second)))))";
        let mut python = Command::new("python3")
            .args(["-c", script])
            .env("TZ", "Europe/Berlin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let cases = moments
            .iter()
            .enumerate()
            .map(|(at, second)| (*second, &formats[at % formats.len()]));
        let cases: Vec<(i64, &String)> = cases.collect();
        let input: String = cases
            .iter()
            .map(|(second, format)| format!("{second} {format}\n"))
            .collect();
        let mut stdin = python.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = python.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answers.lines().count(), cases.len());
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for ((second, format), expected) in cases.iter().zip(answers.lines()) {
            let moment = Timestamp::from_second(*second)
                .unwrap()
                .to_zoned(zone.clone());
            let mut text = String::new();
            strftime(format, &moment, &mut text);
            let shown = expected
                .trim_matches('\'')
                .replace("\\n", "\n")
                .replace("\\t", "\t");
            assert_eq!(text, shown, "{format} at {second}");
        }
    }
}
