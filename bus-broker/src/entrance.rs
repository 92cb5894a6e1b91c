//! Entrances: where messages come in, and how they are to be read there.
//!
//! ```text
//! tcp://127.0.0.1:5556            SUB; every message says by itself which dialect it is in
//! pull+tcp://127.0.0.1:5560       PULL, for senders that push
//! text+tcp://127.0.0.1:5561       SUB; every message is read in the dialect `text`
//! rsyslog+pull+ipc:///run/r.sock  both
//! pickle+tcp://127.0.0.1:9020     a listener, which is neither ZeroMQ nor NNG
//! ```
//!
//! Behind the words stands an endpoint of `logbus-transport`, or the scheme of a listener and
//! where it listens. A text becomes an [`Entrance`] here
//! and nowhere else.

use std::fmt;

use logbus_schemas::dialect::{self, Dialect};
use logbus_transport::{Attachment, Endpoint, EndpointError, InletKind};

use crate::listen::{self, Listener};

/// The word before an endpoint at which senders push.
const PULL: &str = "pull";

/// Where messages come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// The endpoint, and what the socket does there.
    pub attachment: Attachment,
    /// Whether senders push there; else they publish.
    pub is_pull: bool,
    /// The dialect of everything that comes in there; `None` where messages tell for themselves.
    pub dialect: Option<&'static Dialect>,
    /// What listens there, where that is neither ZeroMQ nor NNG.
    pub listener: Option<&'static Listener>,
}

impl Entrance {
    /// Reads `[DIALECT+][pull+]ENDPOINT` or `LISTENER://HOST:PORT`, a place to listen at.
    pub fn listen(text: &str) -> Result<Self, EndpointError> {
        let listener = text
            .split_once("://")
            .and_then(|(scheme, address)| Some((listen::of_scheme(scheme)?, address)));
        match listener {
            Some((listener, address)) => Ok(Self {
                listener: Some(listener),
                ..listen::place(address)?.into()
            }),
            None => Self::parse(text, Attachment::Bind),
        }
    }

    /// Reads `[DIALECT+][pull+]ENDPOINT`, a place to dial: there somebody listens who sends.
    pub fn connect(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text, Attachment::Connect)
    }

    /// Whether this is an endpoint and nothing else.
    pub fn is_plain(&self) -> bool {
        !self.is_pull && self.dialect.is_none() && self.listener.is_none()
    }

    /// Whether somebody comes in there, rather than being dialled.
    pub fn is_bound(&self) -> bool {
        matches!(self.attachment, Attachment::Bind(_))
    }

    /// The socket that it needs.
    pub(crate) fn kind(&self) -> InletKind {
        if self.is_pull {
            InletKind::Pull
        } else {
            InletKind::Forward
        }
    }

    /// Whether one socket can serve both.
    pub(crate) fn shares_socket(&self, other: &Entrance) -> bool {
        self.is_pull == other.is_pull
            && self.dialect == other.dialect
            && self
                .attachment
                .endpoint()
                .same_transport(other.attachment.endpoint())
    }

    fn parse(text: &str, attach: fn(Endpoint) -> Attachment) -> Result<Self, EndpointError> {
        let mut rest = text;
        let dialect = first_word(rest).and_then(|(word, behind)| {
            let dialect = dialect::named(word)?;
            rest = behind;
            Some(dialect)
        });
        let mut is_pull = false;
        if let Some((PULL, behind)) = first_word(rest) {
            (is_pull, rest) = (true, behind);
        }
        Ok(Self {
            attachment: attach(rest.parse()?),
            is_pull,
            dialect,
            listener: None,
        })
    }
}

/// What stands before the first `+` of a scheme, and what stands behind it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let scheme = text.find("://").unwrap_or(text.len());
    let plus = text[..scheme].find('+')?;
    Some((&text[..plus], &text[plus + 1..]))
}

impl From<Attachment> for Entrance {
    fn from(attachment: Attachment) -> Self {
        Self {
            attachment,
            is_pull: false,
            dialect: None,
            listener: None,
        }
    }
}

/// As it is written, with the endpoint given.
pub(crate) fn describe(entrance: &Entrance, endpoint: &Endpoint) -> String {
    if let Some(listener) = entrance.listener {
        return format!("{}://{}", listener.scheme, endpoint.address());
    }
    let dialect = entrance.dialect.map(|dialect| dialect.name);
    let pull = entrance.is_pull.then_some(PULL);
    let words = dialect.into_iter().chain(pull);
    words.map(|word| format!("{word}+")).collect::<String>() + &endpoint.to_string()
}

impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&describe(self, self.attachment.endpoint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_pull: bool, dialect: Option<&str>) {
        let entrance = Entrance::listen(text).unwrap();
        assert_eq!(entrance.is_pull, is_pull);
        assert_eq!(entrance.dialect.map(|dialect| dialect.name), dialect);
        assert_eq!(entrance.to_string(), text);
    }

    #[test]
    fn words_before_an_endpoint_say_how_it_is_read() {
        check("tcp://127.0.0.1:5556", false, None);
        check("nng+tcp://127.0.0.1:5556", false, None);
        check("pull+tcp://127.0.0.1:5556", true, None);
        check("pull+nng+ipc:///run/x+y.sock", true, None);
        check("native+pull+tcp://127.0.0.1:1", true, Some("native"));
    }

    #[test]
    fn a_listener_is_an_entrance_of_its_own() {
        for row in listen::LISTENERS {
            let text = format!("{}://127.0.0.1:9020", row.scheme);
            let entrance = Entrance::listen(&text).unwrap();
            assert_eq!(entrance.listener, Some(row));
            assert_eq!(entrance.to_string(), text);
            assert!(!entrance.is_plain());
        }
        assert!(Entrance::listen("seq+http://127.0.0.1").is_err());
        assert!(Entrance::connect("seq+http://127.0.0.1:5341").is_err());
    }

    #[test]
    fn what_is_none_is_refused_by_name() {
        for text in ["loud+tcp://127.0.0.1:1", "pull+5556", "pull+pull+tcp://a:1"] {
            let error = Entrance::listen(text).unwrap_err().to_string();
            assert!(error.contains("is no"), "{error}");
        }
    }
}
