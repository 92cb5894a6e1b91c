//! Endpoints: where a socket listens or dials.
//!
//! ```text
//! tcp://127.0.0.1:5556     ZeroMQ over TCP; * for every interface, [::1] for IPv6, port 0 for any
//! ipc:///run/logbus.sock   ZeroMQ over a Unix socket
//! nng+tcp://127.0.0.1:13232, nng+ipc:///run/logbus-nng.sock    the same over NNG
//! nng+tls+tcp://127.0.0.1:13234    NNG over TLS
//! ```
//!
//! A text becomes an [`Endpoint`] here and nowhere else; after that nobody checks again.

use std::fmt;
use std::str::FromStr;

use crate::socket::{TRANSPORTS, Transport};

/// The longest path of a Unix socket on Linux: `sun_path` less its terminating zero (unix(7)).
const MAX_PATH: usize = 107;

/// Where a socket listens or dials.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    scheme: &'static str,
    address: String,
}

impl Endpoint {
    /// How it begins, e.g. `nng+tcp`.
    pub fn scheme(&self) -> &str {
        self.scheme
    }

    /// What stands behind `://`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether one socket can serve both.
    pub fn same_transport(&self, other: &Endpoint) -> bool {
        std::ptr::eq(self.transport(), other.transport())
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        self.is_tcp()
            .then(|| self.address.rsplit_once(':')?.1.parse().ok())
            .flatten()
    }

    /// The same with another port; itself where there is none.
    pub fn with_port(&self, port: u16) -> Endpoint {
        match self.address.rsplit_once(':') {
            Some((host, _)) if self.is_tcp() => Endpoint {
                scheme: self.scheme,
                address: format!("{host}:{port}"),
            },
            _ => self.clone(),
        }
    }

    /// Whether [`crate::Security`] counts there: it is ZeroMQ.
    pub fn can_use_curve(&self) -> bool {
        matches!(self.scheme, "tcp" | "ipc")
    }

    /// Whether it is NNG over TLS.
    pub fn is_tls(&self) -> bool {
        self.scheme == "nng+tls+tcp"
    }

    /// Whether only this machine reaches it. A name counts as another machine's, but for
    /// `localhost`; a path is this machine's.
    pub fn is_local(&self) -> bool {
        let Some((host, _)) = self.address.rsplit_once(':').filter(|_| self.is_tcp()) else {
            return true;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The host and the port, where there are some.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        let (host, _) = self.address.rsplit_once(':')?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Some((host, self.port()?))
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.scheme.ends_with("tcp")
    }

    pub(crate) fn transport(&self) -> &'static Transport {
        let row = TRANSPORTS
            .iter()
            .find(|row| row.schemes.contains(&self.scheme));
        // Every endpoint got its scheme from a row.
        row.unwrap_or(&TRANSPORTS[0])
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    problem: String,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no endpoint: {}; write tcp://HOST:PORT or ipc://PATH for ZeroMQ, \
             nng+tcp://HOST:PORT, nng+tls+tcp://HOST:PORT or nng+ipc://PATH for NNG",
            self.text, self.problem
        )
    }
}

impl std::error::Error for EndpointError {}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| EndpointError {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Endpoint, String> {
    let Some((scheme, address)) = text.split_once("://") else {
        return Err("it has no scheme".to_owned());
    };
    let scheme = TRANSPORTS
        .iter()
        .flat_map(|row| row.schemes)
        .find(|known| **known == scheme)
        .ok_or_else(|| format!("{scheme:?} is no known scheme"))?;
    if address.contains('\0') {
        return Err("it holds a zero byte".to_owned());
    }
    if scheme.ends_with("tcp") {
        check_tcp(address)?;
    } else {
        check_path(address)?;
    }
    Ok(Endpoint {
        scheme,
        address: address.to_owned(),
    })
}

fn check_tcp(address: &str) -> Result<(), String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err("it has no port".to_owned());
    };
    if port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("{port:?} is no port"));
    }
    if port.parse::<u16>().is_err() {
        return Err(format!("port {port} is above 65535"));
    }
    let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
        return Err(format!("{host:?} is no host"));
    }
    if !is_bracketed && host.contains([':', '[', ']']) {
        return Err("an IPv6 address stands in brackets, as [::1]".to_owned());
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    match path.len() {
        0 => Err("it has no path".to_owned()),
        1 if path == "*" => Err("* is no path".to_owned()),
        1..=MAX_PATH => Ok(()),
        long => Err(format!(
            "its path has {long} bytes; a Unix socket's has at most {MAX_PATH}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endpoints_print_as_they_were_written() {
        for text in [
            "tcp://127.0.0.1:5556",
            "tcp://*:0",
            "tcp://[::1]:5556",
            "ipc:///run/logbus.sock",
            "nng+tcp://localhost:13232",
            "nng+ipc:///tmp/x",
            "nng+tls+tcp://localhost:13234",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bad_endpoint_is_named_with_its_problem_and_the_right_forms() {
        for (text, problem) in [
            ("127.0.0.1:5556", "no scheme"),
            ("http://x:1", "\"http\" is no known scheme"),
            ("tcp://localhost", "no port"),
            ("tcp://localhost:http", "\"http\" is no port"),
            ("tcp://localhost:70000", "above 65535"),
            ("tcp://::1:5556", "in brackets"),
            ("ipc://", "no path"),
            ("ipc://*", "* is no path"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{error}");
            assert!(error.contains("tcp://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn the_transport_is_told_by_the_scheme() {
        let parse = |text: &str| text.parse::<Endpoint>().unwrap();
        assert!(parse("tcp://a:1").same_transport(&parse("ipc:///x")));
        assert!(!parse("tcp://a:1").same_transport(&parse("nng+tcp://a:1")));
        assert_eq!(
            parse("tcp://[::1]:5").with_port(7).to_string(),
            "tcp://[::1]:7"
        );
    }

    #[test]
    fn what_other_machines_reach_is_told_from_what_they_do_not() {
        let parse = |text: &str| text.parse::<Endpoint>().unwrap();
        for text in [
            "tcp://127.0.0.2:1",
            "tcp://[::1]:1",
            "tcp://localhost:1",
            "ipc:///x",
        ] {
            assert!(parse(text).is_local(), "{text}");
        }
        for text in [
            "tcp://*:1",
            "tcp://0.0.0.0:1",
            "tcp://[::]:1",
            "tcp://eth0:1",
        ] {
            assert!(!parse(text).is_local(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_endpoint_or_an_error(text in ".{0,40}", scheme in "tcp|ipc|nng.tcp|") {
            for text in [text.clone(), format!("{scheme}://{text}")] {
                if let Ok(endpoint) = text.parse::<Endpoint>() {
                    prop_assert_eq!(endpoint.to_string(), text);
                }
            }
        }
    }
}
