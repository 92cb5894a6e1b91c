//! The key that clients of Seq show.
//!
//! It is a secret: nothing here writes it anywhere, and comparing takes a time that says nothing
//! of where two keys differ.

use std::fmt;
use std::str::FromStr;

/// A key that is set.
#[derive(Clone)]
pub struct ApiKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptyKey;

impl ApiKey {
    /// Whether what a client shows is this key.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        let key = self.0.as_bytes();
        let differences = shown.iter().zip(key).fold(0, |all, (a, b)| all | (a ^ b));
        shown.len() == key.len() && differences == 0
    }
}

impl FromStr for ApiKey {
    type Err = EmptyKey;

    fn from_str(text: &str) -> Result<Self, EmptyKey> {
        match text {
            "" => Err(EmptyKey),
            key => Ok(Self(key.to_owned())),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl fmt::Display for EmptyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an API key is not empty; leave it out to need none")
    }
}

impl std::error::Error for EmptyKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_itself_and_is_not_shown() {
        let key: ApiKey = "s3cret".parse().unwrap();
        assert!(key.is(b"s3cret"));
        for other in ["", "s3cre", "s3cret2", "s3creT"] {
            assert!(!key.is(other.as_bytes()));
        }
        assert!(!format!("{key:?}").contains("s3cret"));
        assert!("".parse::<ApiKey>().is_err());
    }
}
