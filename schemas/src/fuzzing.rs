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
    use proptest::prelude::*;
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

    /// Records of both codecs, with much that is rare in them.
    const RECORDS: &[&[u8]] = &[
        b"{\"name\": \"a\", \"msg\": \"%s of %d\", \"args\": [\"x\", 1], \"levelno\": 20, \"user\": {\"id\": [1, {}]}, \
          \"created\": 1795207453.7, \"levelname\": \"INFO\", \"n\\u0061me\": \"b\", \"exc_text\": \"a\\nb\\u00e9\"}\n",
        b" { \"message\" : \"\xc3\xa9\" , \"levelno\":-12345678901234567890,\"created\":1e999,\"process\":NaN,\"args\":null} ",
        b"{\"msg\": {\"name\": 1}, \"args\": -Infinity, \"levelname\": true, \"levelno\": 1.5, \"message\": 7}",
        b"\x87\xa4name\xa1a\xa3msg\xc4\x01x\xa4args\x92\x01\x81\xa1k\xc0\xa7levelno\xcc\xc8\xa7created\xcb\x41\xda\xc0\x00\x00\x00\x00\x00\
          \xa4user\xa1f\xa4name\xd9\x01b",
        b"\x86\x01\x02\xd9\x04name\xa1a\xc4\x03msg\xa1b\xa9levelname\xa2\xff\xfe\xa7message\xa2hi\xa7levelno\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    ];

    proptest! {
        #[test]
        fn a_record_with_a_byte_changed_is_read_in_one_way_or_refused(
            which in 0..RECORDS.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
        ) {
            let mut bytes = RECORDS[which].to_vec();
            codecs(&bytes);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            codecs(&bytes);
            bytes.truncate(if cut { at } else { bytes.len() });
            codecs(&bytes);
        }
    }
}
