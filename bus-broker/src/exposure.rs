//! What a configuration lets in that nobody asks for a key.
//!
//! Without keys, what other machines reach is exposed. With keys, everything is that does not ask for
//! one: keys at one door and none at the next would promise what is not so.

use std::fmt;

use logbus_transport::{Attachment, Endpoint};

use crate::config::Config;

/// An endpoint that is open to anybody, and how it could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    place: String,
    has_keys: bool,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.has_keys {
            true => write!(f, "{} asks nobody for a key", self.place),
            false => write!(
                f,
                "{} is open to other machines, and everybody who can connect is served",
                self.place
            ),
        }
    }
}

/// Every endpoint that is open to anybody.
pub fn exposed(config: &Config) -> Vec<Exposed> {
    let has_keys = config.security.is_some();
    let dials_safely = config
        .security
        .as_ref()
        .is_some_and(|secured| secured.dialled.is_some());
    let is_exposed = |attachment: &Attachment, is_socket: bool| {
        let endpoint: &Endpoint = attachment.endpoint();
        let asks = is_socket && (has_keys && endpoint.can_use_curve() || endpoint.is_tls());
        match attachment {
            Attachment::Bind(_) => !asks && (has_keys || !endpoint.is_local()),
            Attachment::Connect(_) => has_keys && !(asks && dials_safely),
        }
    };
    let entrances = config.publishers.iter();
    let entrances = entrances
        .filter(|entrance| is_exposed(&entrance.attachment, entrance.listener.is_none()))
        .map(ToString::to_string);
    let subscribers = config.subscribers.iter().chain(&config.pyzmq_subscribers);
    let subscribers = subscribers
        .filter(|attachment| is_exposed(attachment, true))
        .map(|attachment| attachment.endpoint().to_string());
    let durable = config.durable.iter().flat_map(|durable| &durable.endpoints);
    let durable = durable
        .filter(|endpoint| is_exposed(&Attachment::Bind((*endpoint).clone()), true))
        .map(ToString::to_string);
    let places = entrances.chain(subscribers).chain(durable);
    places.map(|place| Exposed { place, has_keys }).collect()
}

#[cfg(test)]
mod tests {
    use logbus_transport::KeyPair;

    use super::*;
    use crate::entrance::Entrance;
    use crate::{DurableConfig, JournalConfig, Rights, Secured};

    fn shown(publishers: &[&str], subscribers: &[&str]) -> Vec<String> {
        let entrances = publishers.iter().map(|text| Entrance::listen(text));
        let places = subscribers.iter().map(|text| text.parse());
        let config = Config {
            publishers: entrances.collect::<Result<_, _>>().unwrap(),
            subscribers: places
                .map(|place| Attachment::Bind(place.unwrap()))
                .collect(),
            ..Config::default()
        };
        exposed(&config).iter().map(|e| e.place.clone()).collect()
    }

    #[test]
    fn without_keys_what_other_machines_reach_is_exposed() {
        assert!(exposed(&Config::default()).is_empty());
        let publishers = [
            "tcp://127.0.0.1:1",
            "tcp://*:1",
            "seq+http://0.0.0.0:5341",
            "pull+tcp://[::1]:2",
            "nng+ipc:///x",
        ];
        let subscribers = ["nng+tcp://0.0.0.0:1", "ipc:///y"];
        assert_eq!(
            shown(&publishers, &subscribers),
            [
                "tcp://*:1",
                "seq+http://0.0.0.0:5341",
                "nng+tcp://0.0.0.0:1"
            ]
        );
    }

    #[test]
    fn with_keys_the_durable_endpoint_asks_for_one_as_the_others_do() {
        let clients = tempfile::tempdir().unwrap();
        let durable = DurableConfig {
            endpoints: ["tcp://*:1", "ipc:///x"]
                .map(|at| at.parse().unwrap())
                .into(),
            journal: JournalConfig::new(clients.path()),
        };
        let mut config = Config {
            publishers: Vec::new(),
            subscribers: Vec::new(),
            durable: Some(durable),
            ..Config::default()
        };
        let open: Vec<String> = exposed(&config).iter().map(|e| e.place.clone()).collect();
        assert_eq!(open, ["tcp://*:1"]);
        config.security = Some(Secured {
            own: KeyPair::generate().unwrap(),
            rights: Rights::open(clients.path()).unwrap(),
            dialled: None,
        });
        assert!(exposed(&config).is_empty());
    }
}
