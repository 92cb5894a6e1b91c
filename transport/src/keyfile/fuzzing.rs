//! A key file's text, which its owner may have written by hand.

use super::find;
use crate::curve::{KEY_TEXT, KeyPair, PublicKey};

/// Bytes as a key file of each kind: refused, with the line where there is one and without a word of
/// what stands there, or a key that is written as it was read.
pub fn key_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for name in ["secret-key", "public-key"] {
        match find(text, name) {
            Ok((line, key)) => {
                assert!((1..=text.lines().count()).contains(&line));
                check_key(&key);
            }
            Err((line, problem)) => {
                assert!(line.is_none_or(|line| line <= text.lines().count()));
                assert!(problem.len() < KEY_TEXT, "{problem}");
            }
        }
    }
    check_key(text);
}

fn check_key(text: &str) {
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(pair) = KeyPair::from_secret(text) {
        assert_eq!(pair.secret_text(), text);
    }
}
