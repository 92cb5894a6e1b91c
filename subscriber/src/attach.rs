//! Finding the bus on this machine, or being it.
//!
//! A broker greets each new subscriber (`schemas/WIRE.md`, "Welcome"). Where one does, `logsub`
//! joins it; where nothing listens, it binds the four default endpoints itself. Binding decides
//! races: of several that try, one gets the port and the others join that one. This module opens
//! and closes; what comes through is `receive.rs`'s business.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use logbus_broker as broker;
use logbus_broker::{Broker, Entrance, Inbound, ListenConfig, Tap};
use logbus_schemas::wire::WELCOME;
use logbus_transport::{
    Attachment, Endpoint, Error, ErrorKind, Inlet, InletKind, Options, PollSet, open_inlet, wait,
};

use crate::config::Entrances;
use crate::format::visible;
use crate::keys::Ring;

/// How long something that listens may take to greet.
const GREETING: Duration = Duration::from_secs(1);
/// How often to try when somebody else is faster each time.
const TRIES: usize = 5;
/// How long a dedicated broker may take to come back before another takes its place.
const BROKER_RESTART: Duration = Duration::from_millis(600);

/// The default endpoints, parsed.
#[derive(Debug, Clone)]
pub struct Places {
    publishers: Endpoint,
    subscribers: Endpoint,
    nng_publishers: Endpoint,
    nng_subscribers: Endpoint,
    /// Where the bus listens besides.
    listen: Vec<Entrance>,
    listening: ListenConfig,
    keys: Ring,
}

/// How this program is attached to the bus.
pub enum Attached {
    /// Through a broker that is there.
    Joined {
        /// The subscription.
        inlet: Box<dyn Inlet>,
        /// The program that is the bus.
        owner: String,
    },
    /// By being the bus.
    Own(Broker),
}

impl Places {
    /// The endpoints that everything on a machine uses when nothing else is said. A port in
    /// `LOGBUS_PORT_BASE` moves all four, for more than one bus on a machine: publishers and
    /// subscribers over ZeroMQ, then over NNG, have that port and the three above it. With
    /// places to listen at besides this program must be the bus: it alone has them.
    pub fn standard(entrances: &Entrances) -> anyhow::Result<Self> {
        let places = Self {
            publishers: broker::DEFAULT_PUBLISHERS.parse()?,
            subscribers: broker::DEFAULT_SUBSCRIBERS.parse()?,
            nng_publishers: broker::DEFAULT_NNG_PUBLISHERS.parse()?,
            nng_subscribers: broker::DEFAULT_NNG_SUBSCRIBERS.parse()?,
            listen: entrances.listen.clone(),
            listening: entrances.listening.clone(),
            keys: entrances.keys.read()?,
        };
        let Ok(base) = std::env::var("LOGBUS_PORT_BASE") else {
            return Ok(places);
        };
        let base: u16 = base
            .parse()
            .ok()
            .filter(|base| *base > 0 && *base <= u16::MAX - 3)
            .with_context(|| format!("LOGBUS_PORT_BASE is {base:?}; set it to a port number"))?;
        Ok(Self {
            publishers: places.publishers.with_port(base),
            subscribers: places.subscribers.with_port(base + 1),
            nng_publishers: places.nng_publishers.with_port(base + 2),
            nng_subscribers: places.nng_subscribers.with_port(base + 3),
            ..places
        })
    }

    /// Joins the bus, or becomes it.
    pub fn attach(
        &self,
        tap: &Tap,
        say: &(impl Fn(&str) + Send + Clone + 'static),
    ) -> anyhow::Result<Attached> {
        for _ in 0..TRIES {
            if self.is_listened() {
                if let Some((inlet, owner)) = self.join(tap)? {
                    if let Some(entrance) = self.listen.first() {
                        let mut shown = String::new();
                        visible::on_one_line(&owner, &mut shown);
                        bail!("{shown} is the bus; give it --listen {entrance}, or stop it");
                    }
                    return Ok(Attached::Joined { inlet, owner });
                }
                if !self.is_listened() {
                    // What did not greet was a bus on its way out.
                    continue;
                }
                bail!(
                    "{} is held by something that is no broker{}; stop it, or name the endpoints \
                     with --connect or --bind",
                    self.subscribers,
                    match self.keys.dialling {
                        Some(_) => ", or by one whose keys do not fit",
                        None => ", or by one that asks for a key (--key and --server-key)",
                    }
                );
            }
            if let Some(broker) = self.be_the_bus(tap, say)? {
                return Ok(Attached::Own(broker));
            }
        }
        bail!(
            "{}: others bind this endpoint and leave it again",
            self.subscribers
        )
    }

    /// After the bus that was joined has gone: gives a dedicated broker the time to come back.
    pub fn wait_for_return(&self, owner: &str) {
        let deadline = Instant::now() + BROKER_RESTART;
        while owner == "bus-broker" && Instant::now() < deadline && !self.is_listened() {
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(50))));
        }
    }

    /// Whether anything listens where subscribers connect. On this machine that is known at once.
    fn is_listened(&self) -> bool {
        let address = SocketAddr::from(([127, 0, 0, 1], self.subscribers.port().unwrap_or(0)));
        TcpStream::connect_timeout(&address, GREETING).is_ok()
    }

    /// Subscribes at the broker; `None` when what listens there does not greet.
    fn join(&self, tap: &Tap) -> Result<Option<(Box<dyn Inlet>, String)>, Error> {
        let options = Options {
            watch_peers: true,
            security: self.keys.dialling.clone(),
            ..Options::default()
        };
        let place = [Attachment::Connect(self.subscribers.clone())];
        let mut inlet = open_inlet(InletKind::Subscribe, &place, &options)?;
        inlet.subscribe(WELCOME)?;
        for prefix in tap.prefixes() {
            inlet.subscribe(&prefix)?;
        }
        let deadline = Instant::now() + GREETING;
        while Instant::now() < deadline {
            while let Some(message) = inlet.receive()? {
                let first = message
                    .frames()
                    .first()
                    .map(|frame| &**frame)
                    .unwrap_or_default();
                if let Some(owner) = first.strip_prefix(WELCOME) {
                    let owner = String::from_utf8_lossy(owner).into_owned();
                    return Ok(Some((inlet, owner)));
                }
                // Records may come first: they are as good a greeting, and must not be lost.
                tap.offer(vec![Inbound {
                    message,
                    from: self.subscribers.to_string().into(),
                    dialect: None,
                }]);
            }
            let mut set = PollSet::new();
            inlet.poll(&mut set);
            wait(
                &mut set,
                Some(deadline.saturating_duration_since(Instant::now())),
            )?;
        }
        Ok(None)
    }

    /// Binds everything; `None` when somebody else was faster.
    fn be_the_bus(
        &self,
        tap: &Tap,
        say: &(impl Fn(&str) + Send + Clone + 'static),
    ) -> anyhow::Result<Option<Broker>> {
        if self.keys.dialling.is_some() && self.keys.listening.is_none() {
            bail!(
                "nothing listens at {}, and with a key but without --clients this can be no bus",
                self.subscribers
            );
        }
        let mut publishers: Vec<Entrance> = [&self.publishers, &self.nng_publishers]
            .map(|endpoint| Attachment::Bind(endpoint.clone()).into())
            .into();
        let mut subscribers = vec![
            Attachment::Bind(self.subscribers.clone()),
            Attachment::Bind(self.nng_subscribers.clone()),
        ];
        if self.keys.listening.is_some() {
            // Over NNG nobody shows a key.
            publishers.truncate(1);
            subscribers.truncate(1);
        }
        loop {
            let config = broker::Config {
                publishers: [publishers.as_slice(), &self.listen].concat(),
                subscribers: subscribers.clone(),
                taps: vec![tap.clone()],
                listen: self.listening.clone(),
                program: "logsub".to_owned(),
                say: Box::new(say.clone()),
                security: self.keys.listening.clone(),
                ..broker::Config::default()
            };
            self.keys.check(&config, say)?;
            let taken = match Broker::start(config) {
                Ok(broker) => return Ok(Some(broker)),
                Err(Error {
                    kind: ErrorKind::InUse,
                    endpoint: Some(taken),
                    ..
                }) if !self.is_listened_besides(&taken) => taken,
                Err(error) => return Err(error.into()),
            };
            if taken == self.subscribers {
                return Ok(None);
            }
            say(&format!(
                "{taken} is held by another program; {}",
                self.way_round(&taken)
            ));
            let bound = Attachment::Bind(taken.clone());
            subscribers.retain(|attachment| *attachment != bound);
            for entrance in &mut publishers {
                if entrance.attachment == bound {
                    *entrance = Attachment::Connect(taken.clone()).into();
                }
            }
        }
    }

    fn is_listened_besides(&self, endpoint: &Endpoint) -> bool {
        let mut places = self
            .listen
            .iter()
            .map(|entrance| entrance.attachment.endpoint());
        places.any(|place| place == endpoint)
    }

    fn way_round(&self, taken: &Endpoint) -> &'static str {
        if *taken == self.nng_subscribers {
            "subscribers cannot connect there"
        } else {
            "connecting to it as to a publisher that listens"
        }
    }
}
