//! What holds for any bytes at all, a promise for each reader of this crate.
//!
//! A promise panics where it is broken. `fuzz/` looks for bytes that do so, and the tests here hold
//! every promise against the files that once did, and against seeds. Compiled for these two alone.

mod strangers;
#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

use crate::endpoint::Endpoint;

pub use crate::keyfile::fuzzing::key_file;
pub use crate::sp::fuzzing::sp;
pub use crate::zap::fuzzing::zap;
pub use strangers::strangers;

/// Bytes as texts of endpoints, a line each: refused with a reason, or written as they were read.
pub fn endpoints(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for line in text.lines() {
        match line.parse::<Endpoint>() {
            Ok(endpoint) => check_endpoint(line, &endpoint),
            Err(error) => assert!(error.to_string().contains("is no endpoint")),
        }
    }
}

fn check_endpoint(text: &str, endpoint: &Endpoint) {
    assert_eq!(endpoint.to_string(), text);
    assert_eq!(
        endpoint.port().is_some(),
        endpoint.host_and_port().is_some()
    );
    let other = endpoint.with_port(7);
    assert_eq!(other.port(), endpoint.port().map(|_| 7));
    assert_eq!(other.to_string().parse(), Ok(other.clone()));
    assert_eq!(other.is_local(), endpoint.is_local());
}

#[cfg(test)]
mod tests {
    use super::*;
    use replay::replay;

    #[test]
    fn any_text_is_an_endpoint_or_refused() {
        replay("texts", endpoints);
    }

    #[test]
    fn any_key_file_is_read_or_refused() {
        replay("texts", key_file);
    }

    #[test]
    fn any_request_for_entry_is_answered() {
        replay("peers", zap);
    }

    #[test]
    fn any_peer_is_a_subscriber_or_hung_up_on() {
        replay("peers", sp);
    }

    #[test]
    fn strangers_at_a_socket_do_not_keep_friends_away() {
        replay("strangers", strangers);
    }
}
