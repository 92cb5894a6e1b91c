//! What a broker is told: where publishers and subscribers find it, and its limits.

use std::sync::Arc;
use std::time::Duration;

use logbus_transport::{Attachment, Endpoint, KeyPair, PublicKey, Rate, Tls};

use crate::durable::DurableConfig;
use crate::entrance::Entrance;
use crate::listen::ListenConfig;
use crate::reject::RejectFile;
use crate::rights::Rights;
use crate::tap::Tap;

/// Where publishers connect to over ZeroMQ.
pub const DEFAULT_PUBLISHERS: &str = "tcp://127.0.0.1:5556";
/// Where subscribers connect to over ZeroMQ.
pub const DEFAULT_SUBSCRIBERS: &str = "tcp://127.0.0.1:5557";
/// Where publishers connect to over NNG.
pub const DEFAULT_NNG_PUBLISHERS: &str = "nng+tcp://127.0.0.1:13232";
/// Where subscribers connect to over NNG.
pub const DEFAULT_NNG_SUBSCRIBERS: &str = "nng+tcp://127.0.0.1:13233";

/// How a broker's ZeroMQ endpoints are secured.
#[derive(Debug, Clone)]
pub struct Secured {
    /// The broker's own keys.
    pub own: KeyPair,
    /// Who may do what.
    pub rights: Arc<Rights>,
    /// Whom the broker expects where it dials; there it is not secured when `None`.
    pub dialled: Option<PublicKey>,
}

/// The settings of a [`crate::Broker`].
pub struct Config {
    /// Where publishers find it, or where it finds a publisher that binds.
    pub publishers: Vec<Entrance>,
    /// Where subscribers find it.
    pub subscribers: Vec<Attachment>,
    /// Where `python -m zmq.log` and its like find lines of text; ZeroMQ only.
    pub pyzmq_subscribers: Vec<Attachment>,
    /// Receivers in this process.
    pub taps: Vec<Tap>,
    /// Messages held for a subscriber that does not take them as fast as they come.
    pub subscriber_queue: usize,
    /// Bytes of the largest frame that is taken in; a peer that sends more is disconnected.
    pub max_frame: usize,
    /// The durable endpoint and its journal, where there is one.
    pub durable: Option<DurableConfig>,
    /// Connections that a listening socket has at once.
    pub max_connections: usize,
    /// Subscriptions of one connection, where clients have keys.
    pub max_subscriptions: usize,
    /// The most that one publisher may send, except at the durable endpoint, where it waits anyway.
    pub max_rate: Rate,
    /// How long a client may take to come in.
    pub handshake: Duration,
    /// Keys and rights; without them everybody who can connect is served.
    pub security: Option<Secured>,
    /// The files of NNG endpoints over TLS.
    pub tls: Option<Tls>,
    /// What listeners among the entrances are told.
    pub listen: ListenConfig,
    /// The name under which records of foreign senders go on.
    pub program: String,
    /// Where messages that cannot be read are kept. With a tap they go to the tap instead.
    pub rejects: Option<RejectFile>,
    /// Told what an operator should know, a line at a time, a bounded number of lines a minute.
    pub say: Box<dyn Fn(&str) + Send>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            publishers: bind_all(&[DEFAULT_PUBLISHERS, DEFAULT_NNG_PUBLISHERS])
                .into_iter()
                .map(Entrance::from)
                .collect(),
            subscribers: bind_all(&[DEFAULT_SUBSCRIBERS, DEFAULT_NNG_SUBSCRIBERS]),
            pyzmq_subscribers: Vec::new(),
            taps: Vec::new(),
            subscriber_queue: 1000,
            max_frame: 64 << 20,
            durable: None,
            max_connections: 1000,
            max_subscriptions: 1000,
            max_rate: Rate::default(),
            handshake: Duration::from_secs(10),
            security: None,
            tls: None,
            listen: ListenConfig::default(),
            program: "bus-broker".to_owned(),
            rejects: None,
            say: Box::new(|_| {}),
        }
    }
}

fn bind_all(endpoints: &[&str]) -> Vec<Attachment> {
    let parsed = endpoints
        .iter()
        .filter_map(|text| text.parse::<Endpoint>().ok());
    parsed.map(Attachment::Bind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_endpoints_are_endpoints() {
        let config = Config::default();
        assert_eq!((config.publishers.len(), config.subscribers.len()), (2, 2));
    }
}
