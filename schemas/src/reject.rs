//! How a message that could not be read is kept: one JSON object a line, frames in base64.
//!
//! ```text
//! {"received":1795207453722582300,"from":"tcp://127.0.0.1:5556","reason":"…","frames_b64":["eyJ…"]}
//! ```
//!
//! Sending the frames again, in order, as one message, repeats what came. This module knows the
//! line only; who writes it to a file is not its business.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// When it came, in ns since 1970-01-01 00:00 UTC.
    #[serde(default)]
    pub received: u64,
    /// The endpoint at which it came.
    #[serde(default)]
    pub from: String,
    /// Why it was refused.
    #[serde(default)]
    pub reason: String,
    frames_b64: Vec<String>,
}

impl Reject {
    /// A message with what is known about it.
    pub fn new(received: u64, from: &str, reason: &str, frames: &[&[u8]]) -> Self {
        Self {
            received,
            from: from.to_owned(),
            reason: reason.to_owned(),
            frames_b64: frames.iter().map(|frame| STANDARD.encode(frame)).collect(),
        }
    }

    /// The line, with its line feed.
    pub fn to_line(&self) -> String {
        // Text and numbers only: this writer cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads a line; also one of a capture, which has the frames alone.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// The frames as they came.
    pub fn frames(&self) -> Result<Vec<Vec<u8>>, base64::DecodeError> {
        self.frames_b64
            .iter()
            .map(|frame| STANDARD.decode(frame))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_refused_can_be_sent_again(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
            reason in ".{0,20}",
        ) {
            let borrowed: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            let line = Reject::new(7, "tcp://127.0.0.1:5556", &reason, &borrowed).to_line();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(Reject::from_line(&line).unwrap().frames().unwrap(), frames);
        }
    }
}
