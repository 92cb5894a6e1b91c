//! Levels: numbers with names.
//!
//! The numbers and names are those of Python's documentation, "Logging Levels"
//! (docs.python.org/3/library/logging.html#logging-levels): NOTSET 0, DEBUG 10, INFO 20,
//! WARNING 30, ERROR 40, CRITICAL 50. A number without a name is `Level 25`, as
//! `logging.getLevelName` says. "At or above" compares numbers, so custom levels need no table.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A level, as its number (`levelno`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub i64);

impl Level {
    /// The level that filters nothing.
    pub const NOTSET: Level = Level(0);
    /// Detail for diagnosing.
    pub const DEBUG: Level = Level(10);
    /// Things work as expected.
    pub const INFO: Level = Level(20);
    /// Something unexpected; the software still works.
    pub const WARNING: Level = Level(30);
    /// Some function could not be performed.
    pub const ERROR: Level = Level(40);
    /// The program itself may be unable to go on.
    pub const CRITICAL: Level = Level(50);

    /// The name, or `Level N` for a number that has none.
    pub fn name(self) -> Cow<'static, str> {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => Cow::Borrowed(name),
            None => Cow::Owned(format!("Level {}", self.0)),
        }
    }
}

/// Names and numbers. Where one number has two names, the first is the one that is printed.
const NAMES: &[(&str, i64)] = &[
    ("CRITICAL", 50),
    ("FATAL", 50),
    ("ERROR", 40),
    ("WARNING", 30),
    ("WARN", 30),
    ("INFO", 20),
    ("DEBUG", 10),
    ("NOTSET", 0),
];

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// What a level could not be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown level {:?}: use debug, info, warning, error, critical or a number such as 25",
            self.0
        )
    }
}

impl std::error::Error for UnknownLevel {}

/// Reads a name in any case, a number, or `Level N`.
impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((_, number)) = NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
        {
            return Ok(Level(*number));
        }
        let digits = text.strip_prefix("Level ").unwrap_or(text);
        digits
            .parse()
            .map(Level)
            .map_err(|_| UnknownLevel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_number_is_named_as_python_names_it() {
        assert_eq!(Level(25).name(), "Level 25");
        assert_eq!("Level 25".parse(), Ok(Level(25)));
        assert_eq!("25".parse(), Ok(Level(25)));
    }

    #[test]
    fn names_are_read_in_any_case_and_aliases_print_the_first_name() {
        assert_eq!("warn".parse(), Ok(Level::WARNING));
        assert_eq!("Fatal".parse::<Level>().unwrap().to_string(), "CRITICAL");
    }

    #[test]
    fn an_unknown_name_says_what_would_be_right() {
        let error = "loud".parse::<Level>().unwrap_err().to_string();
        assert!(
            error.contains("\"loud\"") && error.contains("debug"),
            "{error}"
        );
    }

    #[test]
    fn at_or_above_compares_numbers() {
        assert!(Level(25) >= Level::INFO && Level(25) < Level::WARNING);
    }
}
