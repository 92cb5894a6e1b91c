//! A client's file, which its owner may have written by hand.

use super::clients;

/// Bytes as a client's file: it is refused with a place in it, or gives a key and topics.
pub fn clients(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match clients::parse("web1", text) {
        Ok((key, _)) => assert_eq!(key.to_string().parse(), Ok(key)),
        Err((at, problem)) => {
            assert!(!problem.is_empty() && at.is_none_or(|at| at <= text.len()));
        }
    }
}
