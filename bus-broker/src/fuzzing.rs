//! What holds for any bytes at all, a promise for each reader of this crate.
//!
//! A promise panics where it is broken. `fuzz/` looks for bytes that do so, and the tests here hold
//! every promise against the files that once did, and against seeds. Compiled for these two alone.

use std::str::FromStr;

use crate::entrance::Entrance;
use crate::journal::Keep;

pub use crate::journal::fuzzing::{entries, journal};
pub use crate::listen::fuzzing::{pickle_tcp, seq_http};
pub use crate::rights::fuzzing::clients;

/// Bytes as texts of the command line, a line each: entrances, and limits of a journal.
pub fn options(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for line in text.lines() {
        for read in [Entrance::listen, Entrance::connect] {
            match read(line) {
                Ok(entrance) => assert_eq!(read(&entrance.to_string()), Ok(entrance)),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        if let Err(error) = Keep::from_str(line) {
            assert!(!error.to_string().is_empty());
        }
        assert!(
            crate::parse_age(line).is_ok_and(|age| !age.is_zero())
                || crate::parse_age(line).is_err()
        );
        assert!(crate::parse_size(line).is_ok() || crate::parse_size(line).is_err());
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
    fn any_text_is_an_entrance_or_a_limit_or_refused() {
        replay("texts", options);
    }

    #[test]
    fn whole_entries_are_found_between_any_bytes() {
        replay("entries", entries);
    }

    #[test]
    fn any_file_is_imported_and_any_damage_is_survived() {
        replay("journal", journal);
    }

    #[test]
    fn any_connection_of_a_socket_handler_is_served_to_its_end() {
        replay("listen", pickle_tcp);
    }

    #[test]
    fn any_connection_of_seqs_clients_is_served_to_its_end() {
        replay("listen", seq_http);
    }

    #[test]
    fn any_clients_file_is_read_or_refused() {
        replay("texts", clients);
    }
}
