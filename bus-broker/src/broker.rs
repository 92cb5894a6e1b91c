//! Starting and stopping a broker.
//!
//! Every endpoint is opened before the thread starts, so that what cannot be had is said at once
//! and by name, and nothing is half open then.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use logbus_schemas::wire::WELCOME;
use logbus_transport::{
    Attachment, Endpoint, Error, ErrorKind, Inlet, Options, Outlet, OutletKind, Waker, open_inlet,
    open_outlet,
};

use crate::config::Config;
use crate::durable::{Durable, DurableConfig};
use crate::entrance::{Entrance, describe};
use crate::fanout::Fanout;
use crate::hub::{Hub, Source, Stop};
use crate::listen::{self, Listening};
use crate::pyzmq::PyzmqOutlets;
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
    pub fn start(config: Config) -> Result<Self, Error> {
        let waker = Waker::new()?;
        let mut sources = open_sources(&config)?;
        let outlets = open_outlets(&config)?;
        let pyzmq = open_pyzmq_outlets(&config)?;
        let (more, listening) = open_listeners(&config, &waker)?;
        sources.extend(more);
        let publishers = sources.iter().map(|source| source.name.clone()).collect();
        let say = shared(config.say);
        let (durable, source) = open_durable(
            config.durable.as_ref(),
            &config.program,
            config.max_frame,
            &say,
        )?;
        sources.extend(source);
        let subscribers = endpoints(&outlets);
        let pyzmq_subscribers = endpoints(&pyzmq);
        let stop = Arc::new(Stop::default());
        let taps = config.taps.clone();
        let fanout = Fanout::new(outlets, PyzmqOutlets::new(pyzmq), config.taps);
        let mut hub = Hub::new(
            sources,
            listening,
            fanout,
            durable.as_ref().map(Durable::intake),
            config.program,
            config.rejects,
            Box::new(move |line| say(line)),
        );
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
    config: Option<&DurableConfig>,
    program: &str,
    max_frame: usize,
    say: &Arc<dyn Fn(&str) + Send + Sync>,
) -> Result<(Option<Durable>, Option<Source>), Error> {
    let Some(config) = config else {
        return Ok((None, None));
    };
    let (durable, inlet) = Durable::start(config, program, max_frame, say.clone())?;
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
    while let Some(first) = left.first().cloned() {
        let (same, other): (Vec<P>, Vec<P>) =
            left.into_iter().partition(|place| share(place, &first));
        opened.push(open(&same)?);
        left = other;
    }
    Ok(opened)
}

fn open_sources(config: &Config) -> Result<Vec<Source>, Error> {
    let options = Options {
        max_frame: config.max_frame,
        ..Options::default()
    };
    let entrances = config.publishers.iter().filter(|e| e.listener.is_none());
    let entrances: Vec<Entrance> = entrances.cloned().collect();
    open_each(&entrances, Entrance::shares_socket, |entrances| {
        let attachments: Vec<Attachment> = entrances.iter().map(|e| e.attachment.clone()).collect();
        let first = &entrances[0];
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
    let (sources, listening) = listen::open(&entrances, &config.listen, config.max_frame, waker)?;
    Ok((sources, Some(listening)))
}

fn open_outlets(config: &Config) -> Result<Vec<Box<dyn Outlet>>, Error> {
    let options = Options {
        send_queue: config.subscriber_queue,
        welcome: Some([WELCOME, config.program.as_bytes()].concat()),
        ..Options::default()
    };
    open_publishing(&config.subscribers, &options)
}

/// Nobody is greeted there: a greeting is one frame.
fn open_pyzmq_outlets(config: &Config) -> Result<Vec<Box<dyn Outlet>>, Error> {
    let options = Options {
        send_queue: config.subscriber_queue,
        ..Options::default()
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
