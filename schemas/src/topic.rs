//! Topics: what records are published under, and what subscribers ask for.
//!
//! A topic is UTF-8 of at most 255 bytes: non-empty segments with dots between, as a logger's name
//! is, without control characters. [`Topic::new`] checks that once; after it nobody checks again.
//! A subscription is a topic and everything below it: prefix matching at the socket, exact
//! matching here.

use std::fmt;
use std::sync::Arc;

/// The longest topic, in bytes.
pub const MAX_TOPIC: usize = 255;

/// A valid topic; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// Why a text is not a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// No bytes at all.
    Empty,
    /// More than [`MAX_TOPIC`] bytes.
    TooLong,
    /// A dot at either end, or two in a row.
    EmptySegment,
    /// A control character.
    Control,
    /// Not UTF-8.
    NotUtf8,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TopicError::Empty => "a topic has at least one character",
            TopicError::TooLong => "a topic has at most 255 bytes",
            TopicError::EmptySegment => "a topic has text on both sides of every dot",
            TopicError::Control => "a topic has no control characters",
            TopicError::NotUtf8 => "a topic is UTF-8 text",
        })
    }
}

impl std::error::Error for TopicError {}

impl Topic {
    /// A topic from a text that is one.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        check(text).map(|()| Self(text.into()))
    }

    /// A topic from bytes off the wire.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TopicError> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| TopicError::NotUtf8)?)
    }

    /// The topic for a record of this name: the name where it is a topic, else the nearest one.
    /// Control characters become `_`, empty segments vanish, what is too long is cut at a
    /// character's border, and nothing at all becomes `root` (Python's name for the logger that
    /// has none).
    pub fn for_name(name: &str) -> Self {
        Self::new(name).unwrap_or_else(|_| Self(sanitize(name).into()))
    }

    /// This topic below `prefix` (itself a topic), cut where it gets too long.
    pub fn under(&self, prefix: &Topic) -> Self {
        Self::for_name(&format!("{prefix}.{self}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Lets a map that is keyed by topics be searched with a text.
impl std::borrow::Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn check(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_TOPIC {
        return Err(TopicError::TooLong);
    }
    // In one pass, because every message has a topic.
    let (mut has_control, mut has_empty, mut before) = (false, false, b'.');
    for byte in text.bytes() {
        has_control |= byte.is_ascii_control();
        has_empty |= byte == b'.' && before == b'.';
        before = byte;
    }
    if has_control || !text.is_ascii() && text.chars().any(char::is_control) {
        return Err(TopicError::Control);
    }
    if has_empty || before == b'.' {
        return Err(TopicError::EmptySegment);
    }
    Ok(())
}

fn sanitize(name: &str) -> String {
    let mut topic = String::with_capacity(name.len().min(MAX_TOPIC));
    for segment in name.split('.').filter(|segment| !segment.is_empty()) {
        if !topic.is_empty() {
            topic.push('.');
        }
        topic.extend(
            segment
                .chars()
                .map(|c| if c.is_control() { '_' } else { c }),
        );
        if topic.len() > MAX_TOPIC {
            break;
        }
    }
    topic.truncate(topic.floor_char_boundary(MAX_TOPIC));
    topic.truncate(topic.trim_end_matches('.').len());
    if topic.is_empty() {
        "root".to_owned()
    } else {
        topic
    }
}

/// What a subscriber asks for: one topic and everything below it, or every topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicFilter(Option<Topic>);

impl TopicFilter {
    /// Every topic.
    pub const ALL: TopicFilter = TopicFilter(None);

    /// Reads a topic; an empty text or `*` means every topic, and `myapp.*` what `myapp` means.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        match text.strip_suffix(".*").unwrap_or(text) {
            "" | "*" => Ok(Self::ALL),
            topic => Topic::new(topic).map(|topic| Self(Some(topic))),
        }
    }

    /// Whether `topic` is asked for: `myapp` means `myapp` and `myapp.db`, never `myapplication`.
    pub fn matches(&self, topic: &str) -> bool {
        let Some(wanted) = &self.0 else { return true };
        match topic.strip_prefix(wanted.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// The bytes to subscribe to at the socket, which matches by prefix and so lets a little more
    /// through than [`TopicFilter::matches`].
    pub fn prefix(&self) -> &[u8] {
        self.0
            .as_ref()
            .map_or(&[], |topic| topic.as_str().as_bytes())
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_ref().map_or("*", Topic::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_subscription_is_a_topic_and_what_is_below_it() {
        let filter = TopicFilter::parse("myapp").unwrap();
        assert!(filter.matches("myapp") && filter.matches("myapp.db.pool"));
        assert!(!filter.matches("myapplication") && !filter.matches("my"));
        assert!(TopicFilter::parse("").unwrap().matches("anything"));
        assert_eq!(TopicFilter::parse("myapp.*").unwrap(), filter);
    }

    #[test]
    fn a_name_that_is_no_topic_gets_the_nearest_one() {
        assert_eq!(Topic::for_name("").as_str(), "root");
        assert_eq!(Topic::for_name("...").as_str(), "root");
        assert_eq!(Topic::for_name("a..b.").as_str(), "a.b");
        assert_eq!(Topic::for_name("a\nb").as_str(), "a_b");
        assert_eq!(Topic::for_name("my app/db").as_str(), "my app/db");
        assert_eq!(Topic::for_name(&"x".repeat(999)).as_str().len(), MAX_TOPIC);
    }

    proptest! {
        #[test]
        fn every_name_has_a_topic(name in ".{0,300}") {
            let topic = Topic::for_name(&name);
            prop_assert_eq!(Topic::new(topic.as_str()), Ok(topic.clone()));
            if let Ok(same) = Topic::new(&name) {
                prop_assert_eq!(same.as_str(), name);
            }
        }

        #[test]
        fn the_socket_lets_through_whatever_matches(topic in "[a-c.]{1,6}", wanted in "[a-c.]{0,4}") {
            if let (Ok(topic), Ok(filter)) = (Topic::new(&topic), TopicFilter::parse(&wanted))
                && filter.matches(topic.as_str())
            {
                prop_assert!(topic.as_str().as_bytes().starts_with(filter.prefix()));
            }
        }
    }
}
