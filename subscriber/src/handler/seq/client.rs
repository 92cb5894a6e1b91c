//! Posting to Seq, and what its answers mean.
//!
//! The rules are those of Datalust's documentation of HTTP ingestion and of its own forwarder's
//! code: 201 is success and may carry `MinimumLevelAccepted`; 400 refuses the whole request; 413 is
//! too much at once; 401 and 403 are about the key; everything else can be tried again. A body may
//! be anything: proxies answer, too.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use logbus_schemas::codec::json;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 << 10;
/// Characters of an answer that are quoted.
const QUOTED: usize = 200;

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// Taken, and the least level that the server wants, if it says.
    Taken(Option<String>),
    /// Something in it is no event (400).
    Refused(String),
    /// It is too large (413).
    TooLarge(String),
    /// The key is missing or not good for this (401, 403).
    Unauthorized(String),
    /// There is nothing at this path (404).
    Unknown(String),
    /// It may succeed later, after so long if the server says.
    Later(String, Option<Duration>),
}

/// A connection to a server.
pub(super) struct Client {
    agent: Agent,
    base: String,
    api_key: Option<String>,
    /// The server has no `/ingest/clef`: it is of before 2024.
    is_old: bool,
}

impl Client {
    /// A client for the server at a URL, which may have a path.
    pub(super) fn new(
        server: &str,
        api_key: Option<String>,
        timeout: Duration,
        ca_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let roots = match ca_file {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let named = || format!("cannot read certificates from {}", path.display());
                let pem = std::fs::read(path).with_context(named)?;
                let certificate = Certificate::from_pem(&pem).with_context(named)?;
                RootCerts::new_with_certs(&[certificate])
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(Duration::from_secs(5))))
            .user_agent(concat!("logsub/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        Ok(Self {
            agent: config.build().new_agent(),
            base: server.trim_end_matches('/').to_owned(),
            api_key,
            is_old: false,
        })
    }

    /// Posts events, a line each.
    pub(super) fn post(&mut self, body: &str) -> Answer {
        let answer = self.post_once(body);
        if let (Answer::Unknown(_), false) = (&answer, self.is_old) {
            self.is_old = true;
            let second = self.post_once(body);
            // Where neither is, the newer one is tried again next time.
            self.is_old = !matches!(second, Answer::Unknown(_));
            return second;
        }
        answer
    }

    fn post_once(&self, body: &str) -> Answer {
        let path = if self.is_old {
            "api/events/raw?clef"
        } else {
            "ingest/clef"
        };
        let mut request = self
            .agent
            .post(format!("{}/{path}", self.base))
            .header("Content-Type", "application/vnd.serilog.clef");
        if let Some(key) = &self.api_key {
            request = request.header("X-Seq-ApiKey", key);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return Answer::Later(error.to_string(), None),
        };
        let status = response.status().as_u16();
        let wait = response.headers().get("Retry-After");
        let wait = wait.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // An answer that breaks off has said the main thing.
        let text = response.body_mut().with_config().limit(MAX_ANSWER);
        let text = text.read_to_string().unwrap_or_default();
        judge(status, &text, wait.map(Duration::from_secs))
    }
}

fn judge(status: u16, text: &str, wait: Option<Duration>) -> Answer {
    let said = said(status, text);
    match status {
        200..=299 => Answer::Taken(field(text, "MinimumLevelAccepted")),
        400 => Answer::Refused(said),
        401 | 403 => Answer::Unauthorized(said),
        404 => Answer::Unknown(said),
        413 => Answer::TooLarge(said),
        _ => Answer::Later(said, wait),
    }
}

/// The status and the server's reason, on one line.
fn said(status: u16, text: &str) -> String {
    let reason = field(text, "Error").unwrap_or_else(|| text.to_owned());
    let line: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(QUOTED)
        .collect();
    match line.trim() {
        "" => format!("status {status}"),
        reason => format!("status {status}: {reason}"),
    }
}

/// A text in an object that an answer may be.
fn field(text: &str, name: &str) -> Option<String> {
    let (answer, _) = json::decode_dict(text.as_bytes()).ok()?;
    Some(answer.get(name)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_the_documentation_says() {
        assert_eq!(
            judge(201, "{\"MinimumLevelAccepted\":null}", None),
            Answer::Taken(None)
        );
        assert_eq!(
            judge(200, "{\"MinimumLevelAccepted\":\"Error\"}", None),
            Answer::Taken(Some("Error".into()))
        );
        assert_eq!(judge(204, "", None), Answer::Taken(None));
        assert_eq!(
            judge(400, "{\"Error\":\"no\\ngood\"}", None),
            Answer::Refused("status 400: no good".into())
        );
        let wait = Some(Duration::from_secs(7));
        assert_eq!(
            judge(429, "", wait),
            Answer::Later("status 429".into(), wait)
        );
        assert_eq!(
            judge(502, "<html>bad</html>", None),
            Answer::Later("status 502: <html>bad</html>".into(), None)
        );
    }
}
