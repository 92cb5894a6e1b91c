//! Level names as Seq's clients spell them, and Python's numbers for them.
//!
//! The spellings are those that Seq itself takes for a level (the table of its `seqcli`), with
//! what syslog and Python add. Of syslog's eight, notice lies between information and warning, and
//! whatever is worse than critical has its number and keeps its name.

use crate::level::Level;

/// Python's number, the name in the record, and the spellings, in lower case.
const LEVELS: &[(i64, &str, &[&str])] = &[
    (5, "TRACE", &["t", "tr", "trc", "trce", "trace"]),
    (5, "VERBOSE", &["v", "ver", "vrb", "verb", "verbose"]),
    (
        10,
        "DEBUG",
        &["d", "de", "dbg", "deb", "dbug", "debu", "debug"],
    ),
    (
        20,
        "INFO",
        &["i", "in", "inf", "info", "information", "informational"],
    ),
    (25, "NOTICE", &["notice"]),
    (30, "WARNING", &["w", "wa", "war", "wrn", "warn", "warning"]),
    (40, "ERROR", &["e", "er", "err", "erro", "eror", "error"]),
    (
        50,
        "CRITICAL",
        &["c", "cr", "crt", "cri", "crit", "critical"],
    ),
    (50, "CRITICAL", &["f", "fa", "ftl", "fat", "fatl", "fatal"]),
    (50, "ALERT", &["alert"]),
    (50, "EMERGENCY", &["emerg", "emergency", "panic"]),
];

/// A level's number and its name. A name that is in no table stands as it is, at the level of
/// information, as Seq has it; so does a number.
pub(super) fn level_of(name: &str) -> (Level, &str) {
    let lower = name.trim().to_ascii_lowercase();
    let row = LEVELS
        .iter()
        .find(|(_, _, spellings)| spellings.contains(&lower.as_str()));
    match row {
        Some((number, name, _)) => (Level(*number), name),
        None => (name.parse().unwrap_or(Level::INFO), name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_meaning() {
        let spellings: Vec<&str> = LEVELS
            .iter()
            .flat_map(|(_, _, each)| each.iter().copied())
            .collect();
        for (number, name, each) in LEVELS {
            for spelling in *each {
                assert_eq!(level_of(&spelling.to_uppercase()), (Level(*number), *name));
                assert_eq!(
                    spellings.iter().filter(|other| *other == spelling).count(),
                    1
                );
            }
        }
    }

    #[test]
    fn serilogs_and_pythons_names_are_pythons_levels() {
        let names = ["Debug", "Information", "Warning", "Error", "Fatal"];
        let levels = names.map(|name| level_of(name).0);
        assert_eq!(
            levels,
            [
                Level::DEBUG,
                Level::INFO,
                Level::WARNING,
                Level::ERROR,
                Level::CRITICAL
            ]
        );
        assert_eq!(level_of("CRITICAL"), (Level::CRITICAL, "CRITICAL"));
        assert_eq!(level_of("Level 25"), (Level(25), "Level 25"));
        assert_eq!(level_of("Loud"), (Level::INFO, "Loud"));
    }
}
