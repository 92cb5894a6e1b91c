//! Starting and stopping a broker.
//!
//! Every endpoint is opened before the thread starts, so that what cannot be had is said at once
//! and by name, and nothing is half open then.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use logbus_schemas::wire::WELCOME;
use logbus_transport::{
    Attachment, Endpoint, Error, ErrorKind, Inlet, Notices, Options, Outlet, OutletKind, Security,
    Waker, open_inlet, open_outlet,
};

use crate::config::Config;
use crate::durable::Durable;
use crate::entrance::{Entrance, describe};
use crate::fanout::Fanout;
use crate::hub::{Hub, Source, Stop};
use crate::listen::{self, ListenConfig, Listening};
use crate::pyzmq::PyzmqOutlets;
use crate::rights::{Guard, Side, SideGate};
use crate::stats::Summary;

/// A running broker; dropped, it stops at once.
#[derive(Debug)]
pub struct Broker {
    publishers: Vec<Arc<str>>,
    subscribers: Vec<Endpoint>,
    pyzmq_subscribers: Vec<Endpoint>,
    durable: Option<Box<Durable>>,
    stop: Arc<Stop>,
    waker: Waker,
    thread: Option<JoinHandle<Summary>>,
}

impl Broker {
    /// Opens every endpoint and starts to work.
    pub fn start(mut config: Config) -> Result<Self, Error> {
        let waker = Waker::new()?;
        let notices = Notices::default();
        let mut sources = open_sources(&config, &notices)?;
        let outlets = open_outlets(&config, &notices)?;
        let pyzmq = open_pyzmq_outlets(&config, &notices)?;
        let (more, listening) = open_listeners(&config, &waker)?;
        sources.extend(more);
        let publishers = sources.iter().map(|source| source.name.clone()).collect();
        let say = shared(std::mem::replace(&mut config.say, Box::new(|_| {})));
        let guard = config
            .security
            .as_ref()
            .map(|secured| Guard::new(secured.rights.clone(), notices.clone()));
        let (durable, source) = open_durable(&config, guard.clone(), &notices, &say)?;
        sources.extend(source);
        let subscribers = endpoints(&outlets);
        let pyzmq_subscribers = endpoints(&pyzmq);
        let stop = Arc::new(Stop::default());
        let taps = config.taps.clone();
        let fanout = Fanout::new(outlets, PyzmqOutlets::new(pyzmq), config.taps);
        let hub = Hub::new(
            sources,
            listening,
            fanout,
            durable.as_ref().map(Durable::intake),
            config.program,
            config.rejects,
            Box::new(move |line| say(line)),
        );
        let mut hub = hub.guarded_by(guard, notices);
        hub.subscribe_own(&taps)?;
        let (its_waker, its_stop) = (waker.clone(), stop.clone());
        let run = move || {
            logbus_process::block_signals();
            hub.run(&its_waker, &its_stop)
        };
        let thread = std::thread::Builder::new()
            .name("logbus-hub".to_owned())
            .spawn(run);
        let thread = thread.map_err(|error| Error {
            kind: ErrorKind::Broken,
            endpoint: None,
            source: Box::new(error),
        })?;
        Ok(Self {
            publishers,
            subscribers,
            pyzmq_subscribers,
            durable: durable.map(Box::new),
            stop,
            waker,
            thread: Some(thread),
        })
    }

    /// Where publishers find it, each socket with real ports, as entrances are written.
    pub fn publishers(&self) -> &[Arc<str>] {
        &self.publishers
    }

    /// Where subscribers find it, with real ports.
    pub fn subscribers(&self) -> &[Endpoint] {
        &self.subscribers
    }

    /// Where readers of text find it, with real ports.
    pub fn pyzmq_subscribers(&self) -> &[Endpoint] {
        &self.pyzmq_subscribers
    }

    /// Where durable publishers and readers find it, with real ports.
    pub fn durable(&self) -> &[Endpoint] {
        self.durable
            .as_ref()
            .map_or(&[], |durable| durable.endpoints())
    }

    /// Whether its thread still works; it ends by itself only when a socket breaks.
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Passes on what has come in and stops, within about `limit`.
    pub fn close(mut self, limit: Duration) -> Summary {
        self.finish(limit)
    }

    /// In the order in which records flow: what durable publishers sent goes to the hub, and what
    /// the hub has to the journal.
    fn finish(&mut self, limit: Duration) -> Summary {
        if let Some(durable) = &mut self.durable {
            durable.stop(limit / 2);
        }
        self.stop.ask(limit);
        self.waker.wake();
        let thread = self.thread.take();
        let summary = thread.and_then(|thread| thread.join().ok());
        Summary {
            journal: self.durable.take().map(|durable| durable.close()),
            ..summary.unwrap_or_default()
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.finish(Duration::ZERO);
        }
    }
}

/// For several threads.
fn shared(say: Box<dyn Fn(&str) + Send>) -> Arc<dyn Fn(&str) + Send + Sync> {
    let say = Mutex::new(say);
    Arc::new(move |line| say.lock().unwrap_or_else(PoisonError::into_inner)(line))
}

/// Opens the durable endpoint, if there is one, and with it a source for the hub.
fn open_durable(
    config: &Config,
    guard: Option<Guard>,
    notices: &Notices,
    say: &Arc<dyn Fn(&str) + Send + Sync>,
) -> Result<(Option<Durable>, Option<Source>), Error> {
    let Some(durable) = &config.durable else {
        return Ok((None, None));
    };
    let options = listening_options(config, Side::Both, notices);
    let (durable, inlet) = Durable::start(durable, &config.program, options, guard, say.clone())?;
    let names: Vec<String> = durable
        .endpoints()
        .iter()
        .map(ToString::to_string)
        .collect();
    let source = Source {
        inlet: Box::new(inlet),
        name: names.join(",").into(),
        dialect: None,
        is_kept: true,
        is_secured: false,
    };
    Ok((Some(durable), Some(source)))
}

/// Opens one socket for all of `places` that can share one.
fn open_each<P: Clone, T>(
    places: &[P],
    share: impl Fn(&P, &P) -> bool,
    mut open: impl FnMut(&[P]) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut opened = Vec::new();
    let mut left = places.to_vec();
    while !left.is_empty() {
        let mut same = vec![left.remove(0)];
        let (more, other): (Vec<P>, Vec<P>) =
            left.into_iter().partition(|place| share(place, &same[0]));
        same.extend(more);
        opened.push(open(&same)?);
        left = other;
    }
    Ok(opened)
}

/// What counts at every socket.
fn limits(config: &Config, notices: &Notices) -> Options {
    Options {
        max_frame: config.max_frame,
        max_connections: config.max_connections,
        max_subscriptions: config.max_subscriptions,
        handshake: config.handshake,
        notices: notices.clone(),
        ..Options::default()
    }
}

/// The options of sockets that listen at this side.
fn listening_options(config: &Config, side: Side, notices: &Notices) -> Options {
    let security = config.security.as_ref().map(|secured| Security::Server {
        own: secured.own.clone(),
        gate: SideGate::new(&secured.rights, side),
    });
    Options {
        security,
        tls: config.tls.clone(),
        ..limits(config, notices)
    }
}

/// The same of sockets that dial.
fn dialling_options(config: &Config, notices: &Notices) -> Options {
    let secured = config.security.as_ref();
    let security = secured.and_then(|secured| {
        Some(Security::Client {
            own: secured.own.clone(),
            server: secured.dialled?,
        })
    });
    Options {
        security,
        ..listening_options(config, Side::Publishers, notices)
    }
}

fn open_sources(config: &Config, notices: &Notices) -> Result<Vec<Source>, Error> {
    let entrances = config.publishers.iter().filter(|e| e.listener.is_none());
    let entrances: Vec<Entrance> = entrances.cloned().collect();
    let is_secured = config.security.is_some();
    // A socket that listens is a server of CURVE; one that dials is a client, at one endpoint.
    let share = |a: &Entrance, b: &Entrance| {
        a.shares_socket(b) && (!is_secured || (a.is_bound() && b.is_bound()))
    };
    open_each(&entrances, share, |entrances| {
        let attachments: Vec<Attachment> = entrances.iter().map(|e| e.attachment.clone()).collect();
        let first = &entrances[0];
        let options = match first.is_bound() {
            true => Options {
                max_rate: config.max_rate,
                ..listening_options(config, Side::Publishers, notices)
            },
            false => dialling_options(config, notices),
        };
        let mut inlet: Box<dyn Inlet> = open_inlet(first.kind(), &attachments, &options)?;
        if first.dialect.is_some() {
            inlet.subscribe(b"")?;
        }
        let described = inlet.endpoints().iter().map(|at| describe(first, at));
        let names: Vec<String> = described.collect();
        Ok(Source {
            inlet,
            name: names.join(",").into(),
            dialect: first.dialect,
            is_kept: false,
            is_secured: is_secured
                && first.is_bound()
                && first.attachment.endpoint().can_use_curve(),
        })
    })
}

/// Opens what is no socket of ZeroMQ or NNG, if there is any.
fn open_listeners(
    config: &Config,
    waker: &Waker,
) -> Result<(Vec<Source>, Option<Listening>), Error> {
    let entrances = config.publishers.iter().filter(|e| e.listener.is_some());
    let entrances: Vec<Entrance> = entrances.cloned().collect();
    if entrances.is_empty() {
        return Ok((Vec::new(), None));
    }
    let listen = ListenConfig {
        max_rate: config.max_rate,
        ..config.listen.clone()
    };
    let (sources, listening) = listen::open(&entrances, &listen, config.max_frame, waker)?;
    Ok((sources, Some(listening)))
}

fn open_outlets(config: &Config, notices: &Notices) -> Result<Vec<Box<dyn Outlet>>, Error> {
    let options = Options {
        send_queue: config.subscriber_queue,
        welcome: Some([WELCOME, config.program.as_bytes()].concat()),
        ..listening_options(config, Side::Subscribers, notices)
    };
    open_publishing(&config.subscribers, &options)
}

/// Nobody is greeted there: a greeting is one frame.
fn open_pyzmq_outlets(config: &Config, notices: &Notices) -> Result<Vec<Box<dyn Outlet>>, Error> {
    if let (Some(_), Some(place)) = (&config.security, config.pyzmq_subscribers.first()) {
        return Err(Error {
            kind: ErrorKind::Unsupported,
            endpoint: Some(place.endpoint().clone()),
            source: "readers of text have no rights by topic; leave pyzmq+ out where keys count"
                .into(),
        });
    }
    let options = Options {
        send_queue: config.subscriber_queue,
        ..listening_options(config, Side::Subscribers, notices)
    };
    let outlets = open_publishing(&config.pyzmq_subscribers, &options)?;
    match outlets.iter().find(|outlet| !outlet.multipart()) {
        Some(outlet) => Err(Error {
            kind: ErrorKind::Unsupported,
            endpoint: outlet.endpoints().first().cloned(),
            source: "pyzmq's readers take two frames, so they need a ZeroMQ endpoint".into(),
        }),
        None => Ok(outlets),
    }
}

fn open_publishing(
    attachments: &[Attachment],
    options: &Options,
) -> Result<Vec<Box<dyn Outlet>>, Error> {
    let share = |a: &Attachment, b: &Attachment| a.endpoint().same_transport(b.endpoint());
    open_each(attachments, share, |attachments| {
        open_outlet(OutletKind::Publish, attachments, options)
    })
}

fn endpoints(outlets: &[Box<dyn Outlet>]) -> Vec<Endpoint> {
    let each = outlets.iter().map(|outlet| outlet.endpoints());
    each.flatten().cloned().collect()
}
