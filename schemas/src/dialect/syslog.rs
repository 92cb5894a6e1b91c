//! A syslog message's parts, in the three forms in which it travels as text.
//!
//! ```text
//! <34>2026-11-20T21:43:21.245069+00:00 web1 su[77]: failed        rsyslog's RSYSLOG_ForwardFormat
//! <34>Nov 20 21:43:21 web1 su[77]: failed                         RFC 3164
//! <34>1 2026-11-20T21:43:21.245Z web1 su 77 ID47 [a b="c"] failed  RFC 5424
//! ```
//!
//! A part that does not look as it should stays in the text that follows it, so nothing is lost.
//! What the parts mean for a record is `rsyslog.rs`'s business.

use super::timestamp::Timestamp;
use crate::value::{Map, Value};

/// Elements of structured data, and parameters of one, that are taken apart; with more, all of it
/// stays in the text. A bound on the time that a sender can claim.
const MANY: usize = 100;

/// The parts; `None` where the sender gave none.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Syslog<'a> {
    /// Facility times 8 plus severity.
    pub(super) priority: u8,
    /// Seconds since 1970-01-01 00:00 UTC.
    pub(super) created: Option<f64>,
    /// The time as it was written, where year and zone would have to be guessed.
    pub(super) time: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    /// The program.
    pub(super) tag: Option<&'a str>,
    /// The process, mostly a number.
    pub(super) process: Option<&'a str>,
    pub(super) message_id: Option<&'a str>,
    /// Structured data: its elements, each with its parameters.
    pub(super) data: Map,
    pub(super) text: &'a str,
}

/// Reads a message that begins with a priority; `None` where it does not.
pub(super) fn parse(text: &str) -> Option<Syslog<'_>> {
    let (priority, rest) = split_priority(text)?;
    let parts = rfc5424(rest).or_else(|| dated(rest));
    Some(Syslog {
        priority,
        ..parts.unwrap_or(Syslog {
            text: rest,
            ..Syslog::default()
        })
    })
}

impl Syslog<'_> {
    /// Whether it says when: a line of another kind can begin like a priority, but hardly go on so.
    pub(super) fn is_dated(&self) -> bool {
        self.created.is_some() || self.time.is_some()
    }
}

/// `<N>` with N below 192: 24 facilities with 8 severities each.
fn split_priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let priority = is_number.then(|| digits.parse::<u8>().ok()).flatten()?;
    (priority < 192).then_some((priority, rest))
}

fn rfc5424(text: &str) -> Option<Syslog<'_>> {
    let mut words = text.strip_prefix("1 ")?.splitn(6, ' ');
    let mut next = || {
        words
            .next()
            .map(|word| Some(word).filter(|word| *word != "-"))
    };
    let (time, host, tag, process, message_id) = (next()?, next()?, next()?, next()?, next()?);
    let rest = words.next().unwrap_or_default();
    let created = match time {
        Some(time) => Some(Timestamp::parse(time)?.with_fraction()),
        None => None,
    };
    let (data, text) = split_data(rest).unwrap_or((Map::default(), rest));
    Some(Syslog {
        created,
        host,
        tag,
        process,
        message_id,
        data,
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
        ..Syslog::default()
    })
}

/// A time, a host, a tag, a text: `RSYSLOG_ForwardFormat` and RFC 3164, which differ in their time.
fn dated(text: &str) -> Option<Syslog<'_>> {
    let (created, time, rest) = match split_rfc3164_time(text) {
        Some((time, rest)) => (None, Some(time), rest),
        None => {
            let (time, rest) = text.split_once(' ')?;
            (Some(Timestamp::parse(time)?.with_fraction()), None, rest)
        }
    };
    let (host, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (tag, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let (tag, process) = split_tag(tag);
    Some(Syslog {
        created,
        time,
        host: Some(host).filter(|host| !host.is_empty()),
        tag,
        process,
        text,
        ..Syslog::default()
    })
}

/// `Nov 20 21:43:21 `, the day padded with a space.
fn split_rfc3164_time(text: &str) -> Option<(&str, &str)> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (time, rest) = text.split_at_checked(15)?;
    let rest = rest.strip_prefix(' ')?;
    let is_time = time
        .bytes()
        .zip(b"Aaa dd dd:dd:dd")
        .all(|(byte, form)| match form {
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_lowercase(),
            b'd' => byte.is_ascii_digit() || byte == b' ',
            _ => byte == *form,
        });
    let is_month = || MONTHS.find(&time[..3]).is_some_and(|at| at % 3 == 0);
    (is_time && is_month()).then_some((time, rest))
}

/// `su[77]:` is program and process, `su:` and `su` are a program.
fn split_tag(tag: &str) -> (Option<&str>, Option<&str>) {
    let tag = tag.strip_suffix(':').unwrap_or(tag);
    let parts = tag.strip_suffix(']').and_then(|tag| tag.split_once('['));
    match parts {
        Some((program, process)) if !program.is_empty() => (Some(program), Some(process)),
        _ => (Some(tag).filter(|tag| !tag.is_empty()), None),
    }
}

/// RFC 5424's structured data and the text behind it.
fn split_data(text: &str) -> Option<(Map, &str)> {
    let mut data = Map::default();
    let mut rest = text;
    if let Some(behind) = rest.strip_prefix('-') {
        rest = behind;
    } else {
        while rest.starts_with('[') {
            rest = split_element(rest, &mut data)?;
        }
    }
    let is_end = rest.is_empty() || rest.starts_with(' ');
    let is_any = rest.len() < text.len() || text.is_empty();
    (is_end && is_any).then(|| (data, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// `[id name="value" name="value"]`, and what follows. An element comes once (RFC 5424, 6.3.2).
fn split_element<'a>(text: &'a str, data: &mut Map) -> Option<&'a str> {
    let text = text.strip_prefix('[')?;
    let (id, mut rest) = text.split_at(text.find([' ', ']'])?);
    let mut parameters = Map::default();
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            let is_new = data.get(id).is_none() && data.len() < MANY;
            data.set(id, parameters);
            return is_new.then_some(behind);
        }
        if parameters.len() >= MANY {
            return None;
        }
        let (name, behind) = rest.strip_prefix(' ')?.split_once("=\"")?;
        let (value, behind) = split_quoted(behind)?;
        add(&mut parameters, name, value);
        rest = behind;
    }
}

/// The value up to the closing quote: a backslash keeps `"`, `\` and `]` from having a meaning.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\' | ']')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            _ => value.push(c),
        }
    }
    None
}

/// A parameter may come more than once; then it is a list.
fn add(parameters: &mut Map, name: &str, value: String) {
    let all = match parameters.remove(name) {
        None => Value::from(value),
        Some(Value::List(mut list)) => {
            list.push(value.into());
            Value::List(list)
        }
        Some(first) => Value::List(vec![first, value.into()]),
    };
    parameters.set(name, all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rsyslogs_form_is_read() {
        let text = "<38>2026-11-20T21:43:21.245069+00:00 web1 su[77]: failed: <x>";
        let expected = Syslog {
            priority: 38,
            created: Some(1_795_211_001.245069),
            host: Some("web1"),
            tag: Some("su"),
            process: Some("77"),
            text: "failed: <x>",
            ..Syslog::default()
        };
        assert_eq!(parse(text), Some(expected));
    }

    #[test]
    fn rfc_3164_says_no_year_and_no_zone() {
        let expected = Syslog {
            priority: 13,
            time: Some("Nov  2 21:43:21"),
            host: Some("web1"),
            tag: Some("app"),
            text: "hello",
            ..Syslog::default()
        };
        assert_eq!(parse("<13>Nov  2 21:43:21 web1 app: hello"), Some(expected));
    }

    #[test]
    fn rfc_5424_has_data() {
        let text = r#"<165>1 2003-10-11T22:14:15.003Z web1 evntslog - ID47 [ex@1 iut="3" ip="a" ip="\"b\]"][y] BOM"#;
        let parts = parse(text).unwrap();
        assert_eq!(parts.created, Some(1_065_910_455.003));
        assert_eq!((parts.tag, parts.process), (Some("evntslog"), None));
        assert_eq!((parts.message_id, parts.text), (Some("ID47"), "BOM"));
        let ips = Value::List(vec!["a".into(), "\"b]".into()]);
        let element = Map::from_iter([("iut", Value::from("3")), ("ip", ips)]);
        let data = Map::from_iter([("ex@1", element), ("y", Map::default())]);
        assert_eq!(parts.data, data);
        assert_eq!(parse("<1>1 - - - - - -").unwrap().text, "");
        assert_eq!(parse("<1>1 - - - - - - \u{feff}x").unwrap().text, "x");
    }

    #[test]
    fn a_part_that_is_not_as_it_should_be_stays_in_the_text() {
        let text_of = |text| parse(text).map(|parts| parts.text);
        assert_eq!(text_of("<13>hello there you"), Some("hello there you"));
        assert_eq!(
            text_of("<13>1 yesterday a b c d - x"),
            Some("1 yesterday a b c d - x")
        );
        assert_eq!(text_of("<13>1 - a b c d [x y] z"), Some("[x y] z"));
        assert_eq!(text_of("<13>1 - a b c d [x][x] z"), Some("[x][x] z"));
        let many: String = (0..=MANY).map(|n| format!("[x{n}]")).collect();
        assert_eq!(
            parse(&format!("<13>1 - a b c d {many}")).unwrap().text,
            many
        );
        assert_eq!(text_of("<13>1 - a b c d"), Some(""));
        for none in ["", "hello", "<>x", "<192>x", "<1", "<+1>x"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_left(text in "(<[0-9]{1,3}>)?(1 |Nov 20 21:43:21 )?([-\\[\\]\"= \\\\]|\\PC){0,40}") {
            if let Some(parts) = parse(&text) {
                prop_assert!(parts.priority < 192 && text.ends_with(parts.text));
            }
        }
    }
}
