//! What holds for any bytes at all, a promise for each reader of this crate.
//!
//! Bytes are read or refused; what is read can be written and is then the same; and what comes out
//! is bounded by what went in. A promise panics where it is broken. `fuzz/` looks for bytes that do
//! so, and the tests here hold every promise against the files that once did, and against seeds.
//! Compiled for these two alone.

mod account;
mod messages;
mod templates;
#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

pub use account::ledger;
pub use messages::{codecs, dialects, durable, pickle, seq};
pub use templates::templates;

#[cfg(test)]
mod tests {
    use super::*;
    use replay::replay;

    #[test]
    fn any_bytes_are_a_record_of_a_codec_or_refused() {
        replay("codecs", codecs);
    }

    #[test]
    fn any_message_is_read_in_some_dialect_or_refused() {
        replay("dialects", dialects);
    }

    #[test]
    fn any_pickle_is_read_or_refused() {
        replay("pickle", pickle);
    }

    #[test]
    fn any_event_of_seqs_clients_is_read_or_refused() {
        replay("seq", seq);
    }

    #[test]
    fn any_command_of_a_durable_endpoint_is_read_or_refused() {
        replay("durable", durable);
    }

    #[test]
    fn any_headers_at_all_leave_an_account_that_adds_up() {
        replay("ledger", ledger);
    }

    #[test]
    fn any_template_is_filled_in_or_refused() {
        replay("templates", templates);
    }
}
