//! Receiving: from the sockets into a bounded queue.
//!
//! One thread owns every socket of this program (when it is the bus itself, the broker's thread
//! does), and never does anything that can wait: a publisher that connects is served at once, how
//! slow a handler may ever be. Without endpoints of its own it joins the bus or becomes it, and
//! when the bus goes it does so again. The next step is `decode.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use logbus_broker::{Broker, Entrance, Inbound, Tap};
use logbus_schemas::dialect;
use logbus_schemas::wire::WELCOME;
use logbus_transport::{
    Attachment, Endpoint, Error, Inlet, InletKind, Options, PeerEvent, PollSet, Security, Waker,
    open_inlet, wait,
};

use crate::attach::{Attached, Places};
use crate::config::Entrances;
use crate::format::visible;

/// Items in one batch at most.
pub const BATCH: usize = 1024;
/// Messages taken from one socket before the others get their turn.
const TURN_MESSAGES: usize = 512;
/// How long the last messages are waited for at the end.
const DRAIN: Duration = Duration::from_millis(500);

/// The receiving side, running.
pub struct Receiving {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// What the thread works on.
enum Source {
    /// Sockets of its own.
    Inlets(Vec<Named>),
    /// A broker of its own, for what sockets alone cannot take in.
    Broker(Broker),
    /// The bus of this machine.
    Bus(Box<(Places, Attached)>),
}

struct Named {
    inlet: Box<dyn Inlet>,
    name: Arc<str>,
    /// Whether the operator wants to hear of its connections: it dials where somebody listens.
    is_dialling: bool,
}

/// Why a round of receiving ended.
#[derive(PartialEq, Eq)]
enum End {
    Stopped,
    BusGone,
}

impl Receiving {
    /// Opens what was asked for and starts to receive into `tap`. Says in one line what it is
    /// attached to.
    pub fn start<S>(entrances: &Entrances, tap: Tap, say: S) -> anyhow::Result<Self>
    where
        S: Fn(&str) + Send + Clone + 'static,
    {
        let source = open(entrances, &tap, &say)?;
        let (stop, waker) = (Arc::<AtomicBool>::default(), Waker::new()?);
        let worker = Worker {
            tap,
            say,
            stop: stop.clone(),
            waker: waker.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("logsub-receive".to_owned())
            .spawn(move || worker.run(source))
            .context("cannot start a thread")?;
        Ok(Self {
            stop,
            waker,
            thread,
        })
    }

    /// Takes what has come in and closes the sockets.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        // A panic there has been printed; what was received until then is in the queue.
        drop(self.thread.join());
    }
}

/// Opens what messages come in at, and says in one line what that is.
fn open<S>(entrances: &Entrances, tap: &Tap, say: &S) -> anyhow::Result<Source>
where
    S: Fn(&str) + Send + Clone + 'static,
{
    if entrances.own.is_empty() {
        let places = Places::standard(entrances)?;
        let attached = places.attach(tap, say)?;
        say(&describe(&attached));
        return Ok(Source::Bus(Box::new((places, attached))));
    }
    let keys = entrances.keys.read()?;
    let config = logbus_broker::Config {
        publishers: [entrances.own.as_slice(), &entrances.listen].concat(),
        subscribers: Vec::new(),
        taps: vec![tap.clone()],
        listen: entrances.listening.clone(),
        program: "logsub".to_owned(),
        say: Box::new(say.clone()),
        security: keys.listening.clone(),
        ..logbus_broker::Config::default()
    };
    keys.check(&config, say)?;
    let is_plain = entrances.listen.is_empty() && entrances.own.iter().all(Entrance::is_plain);
    // Rights are the broker's business.
    let has_clients = keys.listening.is_some() && entrances.own.iter().any(Entrance::is_bound);
    if is_plain && !has_clients {
        let own = entrances
            .own
            .iter()
            .map(|entrance| entrance.attachment.clone());
        let inlets = open_each(own.collect(), tap, keys.dialling.as_ref(), say)?;
        return Ok(Source::Inlets(inlets));
    }
    if keys.dialling.is_some() && keys.listening.is_none() {
        bail!("entrances with pull+ or a dialect, and listeners, need --clients beside a key");
    }
    let broker = Broker::start(config)?;
    say(&format!("receiving at {}", list(broker.publishers())));
    Ok(Source::Broker(broker))
}

fn list(places: &[impl ToString]) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    places.join(" and ")
}

fn describe(attached: &Attached) -> String {
    match attached {
        Attached::Joined { inlet, owner } => {
            let mut shown = String::new();
            visible::on_one_line(owner, &mut shown);
            format!("joined the bus of {shown} at {}", list(inlet.endpoints()))
        }
        Attached::Own(broker) => format!(
            "this is the bus: publishers connect to {}, subscribers to {}",
            list(broker.publishers()),
            list(broker.subscribers())
        ),
    }
}

/// One socket for each transport and, with keys, for each place that is dialled, subscribed to what `tap` wants.
fn open_each(
    mut left: Vec<Attachment>,
    tap: &Tap,
    dialling: Option<&Security>,
    say: &impl Fn(&str),
) -> Result<Vec<Named>, Error> {
    let mut opened = Vec::new();
    while !left.is_empty() {
        let first = left.remove(0);
        let (more, other): (Vec<_>, Vec<_>) = left.into_iter().partition(|a| {
            // A socket with a key dials one endpoint.
            let can_share = dialling.is_none() || !(dials(a) || dials(&first));
            a.endpoint().same_transport(first.endpoint()) && can_share
        });
        let same: Vec<_> = std::iter::once(first).chain(more).collect();
        let is_dialling = same.iter().any(dials);
        let options = Options {
            watch_peers: is_dialling,
            security: dialling.filter(|_| is_dialling).cloned(),
            ..Options::default()
        };
        let mut inlet = open_inlet(InletKind::Subscribe, &same, &options)?;
        // Messages of foreign senders may have no topic to match; theirs is in the record.
        let topicless = dialect::topicless_prefixes().map(<[u8]>::to_vec);
        for prefix in tap.prefixes().into_iter().chain(topicless) {
            inlet.subscribe(&prefix)?;
        }
        let name = list(inlet.endpoints());
        say(&format!("receiving at {name}"));
        opened.push(Named {
            inlet,
            name: name.into(),
            is_dialling,
        });
        left = other;
    }
    Ok(opened)
}

fn dials(attachment: &Attachment) -> bool {
    matches!(attachment, Attachment::Connect(_))
}

struct Worker<S> {
    tap: Tap,
    say: S,
    stop: Arc<AtomicBool>,
    waker: Waker,
}

impl<S: Fn(&str) + Send + Clone + 'static> Worker<S> {
    fn run(self, source: Source) {
        let result = match source {
            Source::Inlets(mut inlets) => self.pump(&mut inlets, false).map(|_| ()),
            Source::Broker(broker) => self.be_the_bus(broker),
            Source::Bus(bus) => {
                let (places, attached) = *bus;
                self.follow(&places, attached)
            }
        };
        if let Err(error) = result {
            (self.say)(&format!("receiving has stopped: {error}"));
        }
    }

    /// Stays with the bus, whoever is it.
    fn follow(&self, places: &Places, mut attached: Attached) -> Result<(), Error> {
        loop {
            match attached {
                Attached::Own(broker) => {
                    self.be_the_bus(broker)?;
                    return Ok(());
                }
                Attached::Joined { inlet, owner } => {
                    let name = places_name(&*inlet);
                    let mut joined = [Named {
                        inlet,
                        name,
                        is_dialling: false,
                    }];
                    if self.pump(&mut joined, true)? == End::Stopped {
                        return Ok(());
                    }
                    places.wait_for_return(&owner);
                }
            }
            attached = match places.attach(&self.tap, &self.say) {
                Ok(attached) => attached,
                Err(error) => {
                    (self.say)(&format!("lost the bus: {error}"));
                    return Ok(());
                }
            };
            (self.say)(&describe(&attached));
        }
    }

    /// The broker's own thread does the work; this one waits for the end.
    fn be_the_bus(&self, broker: Broker) -> Result<(), Error> {
        while !self.stop.load(Ordering::Relaxed) && broker.is_running() {
            let mut set = PollSet::new();
            self.waker.poll(&mut set);
            wait(&mut set, Some(Duration::from_secs(1)))?;
            self.waker.clear();
        }
        let troubles = broker.close(DRAIN).troubles;
        if !troubles.is_empty() {
            let each = troubles.iter();
            let each: Vec<String> = each
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            (self.say)(&format!("at the listeners: {}", each.join(", ")));
        }
        Ok(())
    }

    /// Receives until told to stop or, where that counts, until the connection breaks.
    fn pump(&self, inlets: &mut [Named], is_bus: bool) -> Result<End, Error> {
        loop {
            let is_more = self.receive_some(inlets)?;
            if self.stop.load(Ordering::Relaxed) {
                self.drain(inlets)?;
                return Ok(End::Stopped);
            }
            if self.hear_peers(inlets) && is_bus {
                self.drain(inlets)?;
                return Ok(End::BusGone);
            }
            if !is_more {
                let mut set = PollSet::new();
                for named in inlets.iter() {
                    named.inlet.poll(&mut set);
                }
                self.waker.poll(&mut set);
                wait(&mut set, None)?;
                self.waker.clear();
            }
        }
    }

    /// Tells of connections that came and went; says whether any broke.
    fn hear_peers(&self, inlets: &mut [Named]) -> bool {
        let mut is_broken = false;
        for named in inlets {
            for event in named.inlet.peer_events() {
                is_broken |= event == PeerEvent::Disconnected;
                let what = match event {
                    PeerEvent::Connected => "connected to",
                    PeerEvent::Disconnected => "dialling again after losing",
                    PeerEvent::Refused => "keys do not fit at",
                };
                if named.is_dialling {
                    (self.say)(&format!("{what} {}", named.name));
                }
            }
        }
        is_broken
    }

    fn drain(&self, inlets: &mut [Named]) -> Result<(), Error> {
        let deadline = Instant::now() + DRAIN;
        while self.receive_some(inlets)? && Instant::now() < deadline {}
        Ok(())
    }

    /// Takes a bounded number of messages from each socket; says whether there may be more.
    fn receive_some(&self, inlets: &mut [Named]) -> Result<bool, Error> {
        let mut is_more = false;
        for named in inlets {
            let (mut taken, mut gathered) = (0, Vec::new());
            while taken < TURN_MESSAGES
                && let Some(message) = named.inlet.receive()?
            {
                taken += 1;
                if !message
                    .frames()
                    .first()
                    .is_some_and(|frame| frame.starts_with(WELCOME))
                {
                    gathered.push(Inbound {
                        message,
                        from: named.name.clone(),
                        dialect: None,
                    });
                }
            }
            self.tap.offer(gathered);
            is_more |= taken == TURN_MESSAGES;
        }
        Ok(is_more)
    }
}

fn places_name(inlet: &dyn Inlet) -> Arc<str> {
    inlet
        .endpoints()
        .first()
        .map(Endpoint::to_string)
        .unwrap_or_default()
        .into()
}
