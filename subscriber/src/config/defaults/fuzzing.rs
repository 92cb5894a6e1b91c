//! A user's own defaults, up to the command line that they complete.

use super::*;

/// Bytes as a file of defaults: refused with problems, each with its place, or what the command line
/// has where nothing was typed.
pub fn defaults(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut problems = Problems::default();
    let Some(node) = toml::read(&Source::new("own.toml", text), &mut problems) else {
        return assert!(!problems.errors.is_empty());
    };
    let plain = Cli::command();
    let Ok(typed) = plain.clone().try_get_matches_from(["logsub"]) else {
        return;
    };
    match with(&node, &plain, &typed) {
        Ok((command, places)) => {
            assert!(places.len() <= node.entries().unwrap_or(&[]).len());
            // Two defaults may not go with each other, which clap says.
            if let Ok(matches) = command.try_get_matches_from(["logsub"]) {
                assert!(Cli::from_arg_matches(&matches).is_ok());
            }
        }
        Err(problems) => assert!(!problems.errors.is_empty() && !problems.line().is_empty()),
    }
}
