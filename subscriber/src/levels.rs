//! The least level of what is let in: one for everything, and others for loggers and senders.
//!
//! As texts these are `warning`, `myapp.db=debug` and `worker-*=error`. What stands before the sign
//! means a logger and those below it, as loggers nest, or a sender that has a name which the pattern
//! fits (`item.rs` has the names). Of several that fit a record the longest decides, and of those
//! as long as one another the last. A record that says no level is never held back. This is not a
//! logger's or handler's own level, which are `dispatch.rs`'s and `lane.rs`'s.

use std::cell::LazyCell;
use std::fmt;

use logbus_schemas::Level;

use crate::glob::Glob;
use crate::item::Delivered;

/// Least levels; usually none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    /// For what no part is for.
    least: Option<Level>,
    /// The longer ones last.
    parts: Vec<Part>,
}

/// Some loggers or senders.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    pattern: Glob,
    least: Level,
}

/// Texts that are no levels: each of them, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelsError(String);

impl fmt::Display for LevelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LevelsError {}

impl Levels {
    /// Reads texts such as `warning` and `myapp.db=debug`, also several in one with commas.
    pub fn parse(texts: &[String]) -> Result<Self, LevelsError> {
        let mut levels = Self::default();
        let mut problems = Vec::new();
        let texts = texts.iter().flat_map(|text| text.split(','));
        for text in texts.map(str::trim).filter(|text| !text.is_empty()) {
            problems.extend(levels.add(text).err());
        }
        match problems.is_empty() {
            true => Ok(levels),
            false => Err(LevelsError(problems.join("; "))),
        }
    }

    /// Whether a record is let in.
    pub fn admits(&self, delivered: &Delivered) -> bool {
        let level = delivered.record.level();
        level.is_none() || level >= self.least_for(delivered)
    }

    /// The least level of a record that may be let in; none where every level may.
    pub fn least(&self) -> Option<Level> {
        let parts = self.parts.iter().map(|part| part.least);
        parts.chain([self.least?]).min()
    }

    /// The texts that say the same.
    pub fn to_args(&self) -> Vec<String> {
        let least = self.least.map(written);
        let parts = self.parts.iter();
        let parts = parts.map(|Part { pattern, least }| format!("{pattern}={}", written(*least)));
        least.into_iter().chain(parts).collect()
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let Some((pattern, level)) = text.rsplit_once('=') else {
            let level = text.parse().map_err(|error| format!("{error}"))?;
            self.least = Some(level);
            return Ok(());
        };
        let pattern = pattern.trim();
        if pattern.is_empty() {
            return Err(format!(
                "{text}: whose level? write for example myapp.db=debug"
            ));
        }
        let least = level.parse().map_err(|error| format!("{text}: {error}"))?;
        self.set(pattern, least);
        Ok(())
    }

    fn set(&mut self, pattern: &str, least: Level) {
        let pattern = Glob::new(pattern);
        self.parts.retain(|part| part.pattern != pattern);
        let length = |glob: &Glob| glob.as_str().chars().count();
        let place = self
            .parts
            .partition_point(|part| length(&part.pattern) <= length(&pattern));
        self.parts.insert(place, Part { pattern, least });
    }

    fn least_for(&self, delivered: &Delivered) -> Option<Level> {
        if self.parts.is_empty() {
            return self.least;
        }
        let logger = delivered.record.name().unwrap_or_default();
        let senders = LazyCell::new(|| delivered.sender_names());
        let fits = |part: &&Part| {
            is_within(logger, part.pattern.as_str())
                || senders.iter().any(|name| part.pattern.fits(name))
        };
        match self.parts.iter().rev().find(fits) {
            Some(part) => Some(part.least),
            None => self.least,
        }
    }
}

/// `warning,myapp.db=debug`: parsed again it is the same.
impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_args().join(","))
    }
}

/// Whether a logger is this one or below it.
fn is_within(logger: &str, parent: &str) -> bool {
    let below = logger.strip_prefix(parent);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A level as people write it: `warning`, or the number where it has no name.
fn written(level: Level) -> String {
    match level.name() {
        name if name.contains(' ') => level.0.to_string(),
        name => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Map, Record};
    use proptest::prelude::*;

    use super::*;
    use crate::item::tests::sent_by_web_3;

    fn levels(texts: &[&str]) -> Levels {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Levels::parse(&texts).unwrap()
    }

    /// The least level that a logger's records need, of those that have names.
    fn least(texts: &[&str], logger: &str) -> i64 {
        let levels = levels(texts);
        let is_let_in =
            |level: &i64| levels.admits(&sent_by_web_3(Record::new(logger, *level, "m")));
        (0..=50).step_by(10).find(is_let_in).unwrap()
    }

    #[test]
    fn a_text_without_a_sign_is_for_everything_and_the_last_one_counts() {
        assert_eq!(least(&[], "a"), 0);
        assert_eq!(least(&["warning"], "a"), 30);
        assert_eq!(least(&["debug", "error", ""], "a"), 40);
        assert_eq!(least(&["debug, 25"], "a"), 30);
    }

    #[test]
    fn what_some_part_may_let_in_everything_must_be_asked_for() {
        let least = |texts: &[&str]| levels(texts).least();
        assert_eq!(least(&["warning", "myapp.db=debug"]), Some(Level::DEBUG));
        assert_eq!(least(&["warning", "myapp.db=error"]), Some(Level::WARNING));
        assert_eq!(least(&["myapp.db=error"]), None);
    }

    #[test]
    fn a_logger_means_those_below_it_and_no_other() {
        let texts = ["warning", "myapp.db=debug"];
        for (logger, expected) in [
            ("myapp.db", 10),
            ("myapp.db.pool", 10),
            ("myapp.dbx", 30),
            ("myapp", 30),
        ] {
            assert_eq!(least(&texts, logger), expected, "{logger}");
        }
    }

    #[test]
    fn a_sender_may_be_called_by_any_of_its_names() {
        for (pattern, expected) in [
            ("web-*", 40),
            ("web-3:613", 40),
            ("alpha/*", 40),
            ("*beef", 40),
            ("web-4", 0),
            ("eb-*", 0),
        ] {
            assert_eq!(
                least(&[&format!("{pattern}=error")], "a"),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn the_longest_that_fits_decides_and_of_two_as_long_the_last() {
        let texts = ["warning", "a.b=info", "a=error", "web-*=critical"];
        assert_eq!(least(&texts, "a.b.c"), 50);
        assert_eq!(
            least(&[&texts[..], &["a.b.c.d=debug"]].concat(), "a.b.c.d"),
            10
        );
        assert_eq!(least(&["a.b=info", "a=error"], "a.b"), 20);
        assert_eq!(least(&["a.bcd=info", "web-?=error"], "a.bcd"), 40);
        assert_eq!(least(&["web-?=error", "a.bcd=info"], "a.bcd"), 20);
        assert_eq!(least(&["a=info", "a=error"], "a"), 40);
    }

    #[test]
    fn a_record_that_says_no_level_is_never_held_back() {
        let record = || Record::from(Map::from_iter([("msg", "x")]));
        for texts in [&["critical"][..], &["web-3=critical"]] {
            assert!(levels(texts).admits(&sent_by_web_3(record())));
        }
    }

    #[test]
    fn every_text_that_is_wrong_is_named_with_its_remedy() {
        let texts = ["loud", "a=info", "b=quiet", "=debug"].map(str::to_owned);
        let use_these = "use debug, info, warning, error, critical or a number such as 25";
        assert_eq!(
            Levels::parse(&texts).unwrap_err().to_string(),
            format!(
                "unknown level \"loud\": {use_these}; b=quiet: unknown level \"quiet\": \
                 {use_these}; =debug: whose level? write for example myapp.db=debug"
            )
        );
    }

    #[test]
    fn levels_are_written_as_people_write_them() {
        let levels = levels(&["abc=Level 25", "WARN", "a*=10"]);
        assert_eq!(levels.to_string(), "warning,a*=debug,abc=25");
        assert_eq!(Levels::default().to_string(), "");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(texts in prop::collection::vec(
            "(([a-c.*?= -]{1,3}=)?(info|warn|25|-1|Level 7))?", 0..6,
        )) {
            if let Ok(levels) = Levels::parse(&texts) {
                prop_assert_eq!(&Levels::parse(&levels.to_args()).unwrap(), &levels);
                prop_assert_eq!(&Levels::parse(&[levels.to_string()]).unwrap(), &levels);
            }
        }
    }
}
