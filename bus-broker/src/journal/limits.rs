//! What a journal is told: when it syncs, and how much of which topics it keeps.
//!
//! Values are read here from the texts of the command line: `interval=50ms`, `2GiB`, `30d`,
//! `audit=30d,2GiB`. A topic belongs to the longest prefix that names it, and what no prefix names
//! belongs to the journal's own limits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use logbus_schemas::TopicFilter;

/// When what was written is synced to disk, and so what an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before it is acknowledged: it survives a power cut.
    Always,
    /// This often: it survives the end of the program, and a power cut except for so much time.
    Interval(Duration),
    /// When the system likes to: it survives the end of the program.
    Never,
}

/// How much is kept of some topics. What is `None` has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes of entries.
    pub max_bytes: Option<u64>,
    /// Time since they came in.
    pub max_age: Option<Duration>,
    /// Bytes that stay free on the disk.
    pub min_free: Option<u64>,
}

/// The limits of the topics below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Which topics.
    pub topics: TopicFilter,
    /// How much of them.
    pub limits: Limits,
}

/// A text that is none of what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLimit(String);

impl fmt::Display for BadLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadLimit {}

impl Fsync {
    /// The word by which it is known.
    pub fn word(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::Interval(_) => "interval",
            Fsync::Never => "never",
        }
    }
}

impl FromStr for Fsync {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        match (text, text.strip_prefix("interval=")) {
            ("always", _) => Ok(Fsync::Always),
            ("never", _) => Ok(Fsync::Never),
            (_, Some(every)) => parse_age(every).map(Fsync::Interval),
            _ => Err(BadLimit(format!(
                "{text:?} is none of always, interval=50ms and never"
            ))),
        }
    }
}

impl FromStr for Keep {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let bad = |why: String| BadLimit(format!("{text:?}: {why}"));
        let (prefix, rest) = text
            .split_once('=')
            .ok_or_else(|| bad("write TOPIC=AGE,SIZE, such as audit=30d,2GiB".to_owned()))?;
        let topics = TopicFilter::parse(prefix).map_err(|error| bad(error.to_string()))?;
        let mut limits = Limits::default();
        for word in rest.split(',') {
            if let Some(free) = word.strip_prefix("free=") {
                limits.min_free = Some(parse_size(free)?);
            } else if let Ok(age) = parse_age(word) {
                limits.max_age = Some(age);
            } else {
                let size = parse_size(word);
                limits.max_bytes = Some(size.map_err(|_| {
                    bad(format!("{word:?} is neither an age such as 30d nor a size"))
                })?);
            }
        }
        Ok(Self { topics, limits })
    }
}

/// Reads a number of bytes: `512`, `64KiB`, `100MB`, `2GiB`.
pub fn parse_size(text: &str) -> Result<u64, BadLimit> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
        ("", 1),
    ];
    scaled(text, &units).ok_or_else(|| {
        BadLimit(format!(
            "{text:?} is no size; write one such as 512MiB or 2GB"
        ))
    })
}

/// Reads a time: `50ms`, `90s`, `15min`, `12h`, `30d`.
pub fn parse_age(text: &str) -> Result<Duration, BadLimit> {
    let units = [
        ("ms", 1),
        ("min", 60_000),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let millis = scaled(text, &units).filter(|millis| *millis > 0);
    millis.map(Duration::from_millis).ok_or_else(|| {
        BadLimit(format!(
            "{text:?} is no time; write one such as 50ms, 12h or 30d"
        ))
    })
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Which limits a topic has: a number for each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classes {
    keeps: Vec<Keep>,
    rest: Limits,
}

impl Classes {
    pub(crate) fn new(mut keeps: Vec<Keep>, rest: Limits) -> Self {
        // The longest prefix is asked first.
        keeps.sort_by_key(|keep| std::cmp::Reverse(keep.topics.prefix().len()));
        for keep in &mut keeps {
            keep.limits.min_free = keep.limits.min_free.or(rest.min_free);
        }
        Self { keeps, rest }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keeps.len() + 1
    }

    /// The class of a topic.
    pub(crate) fn of(&self, topic: &str) -> usize {
        let named = self
            .keeps
            .iter()
            .position(|keep| keep.topics.matches(topic));
        named.unwrap_or(self.keeps.len())
    }

    /// Its limits.
    pub(crate) fn limits(&self, class: usize) -> Limits {
        self.keeps.get(class).map_or(self.rest, |keep| keep.limits)
    }

    /// What people call it.
    pub(crate) fn name(&self, class: usize) -> String {
        let keep = self.keeps.get(class);
        keep.map_or_else(|| "*".to_owned(), |keep| keep.topics.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written_in_the_docs() {
        assert_eq!("always".parse(), Ok(Fsync::Always));
        let half = Fsync::Interval(Duration::from_millis(500));
        assert_eq!("interval=500ms".parse(), Ok(half));
        let keep: Keep = "audit=30d,2GiB,free=100MB".parse().unwrap();
        assert!(keep.topics.matches("audit.login") && !keep.topics.matches("auditor"));
        let expected = Limits {
            max_bytes: Some(2 << 30),
            max_age: Some(Duration::from_secs(30 * 86_400)),
            min_free: Some(100_000_000),
        };
        assert_eq!(keep.limits, expected);
    }

    #[test]
    fn what_is_no_limit_is_refused_by_name() {
        for text in [
            "audit",
            "audit=soon",
            "a..b=3d",
            "audit=30d,",
            "x=99999999TiB",
        ] {
            assert!(text.parse::<Keep>().is_err(), "{text}");
        }
        assert!("interval=0s".parse::<Fsync>().is_err());
        assert!("sometimes".parse::<Fsync>().is_err());
    }

    #[test]
    fn the_longest_prefix_decides() {
        let keeps = ["audit=1d", "audit.login=2d"].map(|text| text.parse().unwrap());
        let classes = Classes::new(keeps.to_vec(), Limits::default());
        let days = |topic| {
            let age = classes.limits(classes.of(topic)).max_age;
            age.map(|age| age.as_secs() / 86_400)
        };
        assert_eq!(days("audit.login.web"), Some(2));
        assert_eq!(days("audit.logout"), Some(1));
        assert_eq!(days("shop"), None);
        assert_eq!(classes.name(classes.of("shop")), "*");
    }
}
