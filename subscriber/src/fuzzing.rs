//! What holds for any text at all, a promise for each reader of this crate.
//!
//! A promise panics where it is broken. `fuzz/` looks for texts that do so, and the tests here hold
//! every promise against the files that once did, and against seeds. Compiled for these two alone.

use jiff::tz::TimeZone;

use crate::config::units;
use crate::history::when;
use crate::levels::Levels;
use crate::view::moment::TimeFormat;
use crate::view::tui::command;

pub use crate::config::defaults::fuzzing::defaults;
pub use crate::config::fuzzing::{config_ini, config_json, config_toml, config_yaml};
pub use crate::format::fuzzing::formats;
pub use crate::query::fuzzing::query;

/// Nothing else depends on when it is.
const NOW: u64 = 1_800_000_000_000_000_000;

/// Bytes as texts of the command line and of the interactive view, a line each: times in a journal,
/// sizes, levels, forms of times, commands.
pub fn times(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    for line in text.lines() {
        let place = when::place(line, NOW, &zone);
        match when::must_be_place(line, NOW, &zone) {
            Ok(said) => assert_eq!(place, Some(said)),
            Err(problem) => assert!(place.is_none() && !problem.is_empty()),
        }
        assert!(units::bytes(line).is_none() || line.contains(|c: char| c.is_ascii_digit()));
        check_levels(line);
        if let Ok(form) = TimeFormat::parse(line) {
            assert_eq!(form.to_string(), line);
        }
        if let Err(problem) = command::parse(line) {
            assert!(!problem.is_empty());
        }
        assert!(command::complete(line).starts_with(line));
    }
}

fn check_levels(line: &str) {
    match Levels::parse(&[line.to_owned()]) {
        Ok(levels) => {
            let again = Levels::parse(&levels.to_args());
            assert_eq!(again.map(|again| again.to_args()), Ok(levels.to_args()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;
    use replay::replay;

    #[test]
    fn any_text_is_a_time_or_a_command_or_refused() {
        replay("texts", times);
    }

    #[test]
    fn any_yaml_is_a_configuration_or_refused() {
        replay("config_yaml", config_yaml);
    }

    #[test]
    fn any_json_is_a_configuration_or_refused() {
        replay("config_json", config_json);
    }

    #[test]
    fn any_toml_is_a_configuration_or_refused() {
        replay("config_toml", config_toml);
    }

    #[test]
    fn any_ini_is_a_configuration_or_refused() {
        replay("config_ini", config_ini);
    }

    #[test]
    fn any_file_of_defaults_is_understood_or_refused() {
        replay("config_toml", defaults);
    }

    #[test]
    fn any_text_is_a_query_or_refused() {
        replay("query", query);
    }

    #[test]
    fn any_text_is_a_format_or_refused() {
        replay("formats", formats);
    }
}
