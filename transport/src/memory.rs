//! The in-process twin: sockets whose network a test has in its hands.
//!
//! `memory://NAME` joins all inlets and outlets of that name. [`Network`] drops messages on
//! command, holds them back and lets them go, and breaks and mends the connection, so that what
//! the crates above do then can be tested without a process, a port or a pause. Subscriptions,
//! queues and refusals behave as those of ZeroMQ do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::socket::{
    Attachment, Error, ErrorKind, Flushed, Inlet, InletKind, Options, Outlet, PeerEvent, Sent,
    SubscriptionEvent, Transport, WhenFull,
};
use crate::wait::{PollSet, Waker};

pub(crate) const TRANSPORT: Transport = Transport {
    schemes: &["memory"],
    inlet: |kind, attachments, options| {
        Ok(Box::new(MemoryInlet::open(kind, attachments, options)?))
    },
    outlet: |_, attachments, options| Ok(Box::new(MemoryOutlet::open(attachments, options)?)),
};

static NETWORKS: LazyLock<Mutex<HashMap<String, Network>>> = LazyLock::new(Mutex::default);

/// Everything between the sockets of one name.
#[derive(Clone)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    inlets: Vec<InletState>,
    outlets: Vec<OutletState>,
    next_id: usize,
    drop_next: usize,
    is_holding: bool,
    held: VecDeque<Message>,
    is_down: bool,
    bound: bool,
}

struct InletState {
    id: usize,
    takes_all: bool,
    subscriptions: HashMap<Vec<u8>, usize>,
    queue: VecDeque<Message>,
    most: usize,
    events: Vec<PeerEvent>,
    waker: Waker,
}

struct OutletState {
    id: usize,
    events: Vec<SubscriptionEvent>,
    waker: Waker,
}

impl InletState {
    fn wants(&self, message: &Message) -> bool {
        let first = message
            .frames()
            .first()
            .map(|frame| &**frame)
            .unwrap_or_default();
        self.takes_all
            || self
                .subscriptions
                .keys()
                .any(|prefix| first.starts_with(prefix))
    }

    fn has_room(&self) -> bool {
        self.queue.len() < self.most
    }
}

impl State {
    fn tell_outlets(&mut self, event: &SubscriptionEvent) {
        if self.is_down {
            return;
        }
        for outlet in &mut self.outlets {
            outlet.events.push(event.clone());
            outlet.waker.wake();
        }
    }

    /// How many inlets subscribe to this.
    fn subscribers(&self, prefix: &[u8]) -> usize {
        self.inlets
            .iter()
            .filter(|inlet| inlet.subscriptions.contains_key(prefix))
            .count()
    }

    fn prefixes(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = self
            .inlets
            .iter()
            .flat_map(|inlet| inlet.subscriptions.keys().cloned())
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn deliver(&mut self, message: &Message) {
        for inlet in self.inlets.iter_mut().filter(|inlet| inlet.wants(message)) {
            if inlet.has_room() {
                inlet.queue.push_back(message.copy());
                inlet.waker.wake();
            }
        }
    }
}

impl Network {
    /// The network of `memory://NAME`.
    pub fn named(name: &str) -> Self {
        let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
        networks
            .entry(name.to_owned())
            .or_insert_with(|| Self(Arc::default()))
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses the next messages that are sent.
    pub fn drop_next(&self, messages: usize) {
        self.lock().drop_next = messages;
    }

    /// Holds back what is sent from now on.
    pub fn hold(&self) {
        self.lock().is_holding = true;
    }

    /// Delivers what was held back, and holds no more.
    pub fn release(&self) {
        let mut state = self.lock();
        state.is_holding = false;
        for message in std::mem::take(&mut state.held) {
            state.deliver(&message);
        }
    }

    /// Breaks every connection: subscriptions go, and what is sent is lost.
    pub fn disconnect(&self) {
        let mut state = self.lock();
        for prefix in state.prefixes() {
            state.tell_outlets(&SubscriptionEvent::Removed(prefix));
        }
        state.is_down = true;
        for inlet in &mut state.inlets {
            inlet.events.push(PeerEvent::Disconnected);
            inlet.waker.wake();
        }
    }

    /// Mends every connection: subscriptions come again.
    pub fn reconnect(&self) {
        let mut state = self.lock();
        state.is_down = false;
        for prefix in state.prefixes() {
            state.tell_outlets(&SubscriptionEvent::Added(prefix));
        }
        for inlet in &mut state.inlets {
            inlet.events.push(PeerEvent::Connected);
            inlet.waker.wake();
        }
    }

    fn join(attachments: &[Attachment]) -> Result<(Self, bool), Error> {
        let endpoint = attachments.first().map(Attachment::endpoint);
        let network = Self::named(endpoint.map_or("", Endpoint::address));
        let binds = matches!(attachments.first(), Some(Attachment::Bind(_)));
        let mut state = network.lock();
        if binds && state.bound {
            let source = "a socket of this process binds it".into();
            return Err(Error {
                kind: ErrorKind::InUse,
                endpoint: endpoint.cloned(),
                source,
            });
        }
        state.bound |= binds;
        state.next_id += 1;
        drop(state);
        Ok((network, binds))
    }
}

fn endpoints(attachments: &[Attachment]) -> Vec<Endpoint> {
    attachments
        .iter()
        .map(|attachment| attachment.endpoint().clone())
        .collect()
}

struct MemoryInlet {
    network: Network,
    id: usize,
    binds: bool,
    waker: Waker,
    endpoints: Vec<Endpoint>,
}

impl MemoryInlet {
    fn open(kind: InletKind, attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let (network, binds) = Network::join(attachments)?;
        let waker = Waker::new()?;
        let mut state = network.lock();
        let id = state.next_id;
        state.inlets.push(InletState {
            id,
            takes_all: kind == InletKind::Pull,
            subscriptions: HashMap::new(),
            queue: VecDeque::new(),
            most: options.receive_queue,
            events: vec![PeerEvent::Connected],
            waker: waker.clone(),
        });
        drop(state);
        Ok(Self {
            network,
            id,
            binds,
            waker,
            endpoints: endpoints(attachments),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut InletState) -> T) -> Option<T> {
        self.network
            .lock()
            .inlets
            .iter_mut()
            .find(|inlet| inlet.id == self.id)
            .map(work)
    }
}

impl Inlet for MemoryInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        self.waker.clear();
        let received = self.with(|inlet| (inlet.queue.pop_front(), inlet.queue.is_empty()));
        let (message, is_empty) = received.unwrap_or((None, true));
        if !is_empty {
            self.waker.wake();
        }
        Ok(message)
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        let is_first = self.network.lock().subscribers(prefix) == 0;
        self.with(|inlet| *inlet.subscriptions.entry(prefix.to_vec()).or_default() += 1);
        if is_first {
            self.network
                .lock()
                .tell_outlets(&SubscriptionEvent::Added(prefix.to_vec()));
        }
        Ok(())
    }

    fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        let is_gone = self.with(|inlet| match inlet.subscriptions.get_mut(prefix) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => inlet.subscriptions.remove(prefix).is_some(),
        });
        if is_gone == Some(true) && self.network.lock().subscribers(prefix) == 0 {
            self.network
                .lock()
                .tell_outlets(&SubscriptionEvent::Removed(prefix.to_vec()));
        }
        Ok(())
    }

    fn peer_events(&mut self) -> Vec<PeerEvent> {
        self.with(|inlet| std::mem::take(&mut inlet.events))
            .unwrap_or_default()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        self.waker.poll(set);
    }
}

impl Drop for MemoryInlet {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        state.bound &= !self.binds;
        let before = state.prefixes();
        state.inlets.retain(|inlet| inlet.id != self.id);
        let after = state.prefixes();
        for prefix in before.into_iter().filter(|prefix| !after.contains(prefix)) {
            state.tell_outlets(&SubscriptionEvent::Removed(prefix));
        }
    }
}

struct MemoryOutlet {
    network: Network,
    id: usize,
    binds: bool,
    waker: Waker,
    when_full: WhenFull,
    endpoints: Vec<Endpoint>,
}

impl MemoryOutlet {
    fn open(attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let (network, binds) = Network::join(attachments)?;
        let waker = Waker::new()?;
        let mut state = network.lock();
        let id = state.next_id;
        let prefixes = if state.is_down {
            Vec::new()
        } else {
            state.prefixes()
        };
        let events = prefixes.into_iter().map(SubscriptionEvent::Added).collect();
        state.outlets.push(OutletState {
            id,
            events,
            waker: waker.clone(),
        });
        drop(state);
        waker.wake();
        let when_full = options.when_full;
        Ok(Self {
            network,
            id,
            binds,
            waker,
            when_full,
            endpoints: endpoints(attachments),
        })
    }
}

impl Outlet for MemoryOutlet {
    fn send(&mut self, message: Message) -> Result<Sent, Error> {
        let mut state = self.network.lock();
        let is_full = state
            .inlets
            .iter()
            .any(|inlet| inlet.wants(&message) && !inlet.has_room());
        if is_full && self.when_full == WhenFull::Refuse && !state.is_down {
            return Ok(Sent::Busy(message));
        }
        if state.drop_next > 0 {
            state.drop_next -= 1;
        } else if state.is_holding {
            state.held.push_back(message);
        } else if !state.is_down {
            state.deliver(&message);
        }
        Ok(Sent::Taken)
    }

    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        self.waker.clear();
        let mut state = self.network.lock();
        let own = state.outlets.iter_mut().find(|outlet| outlet.id == self.id);
        Ok(own
            .map(|outlet| std::mem::take(&mut outlet.events))
            .unwrap_or_default())
    }

    fn multipart(&self) -> bool {
        true
    }

    fn set_when_full(&mut self, when_full: WhenFull) -> Result<(), Error> {
        self.when_full = when_full;
        Ok(())
    }

    fn is_flushed(&mut self) -> Option<bool> {
        Some(true)
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        self.waker.poll(set);
    }

    fn close(self: Box<Self>, _linger: Duration) -> Flushed {
        Flushed::Complete
    }
}

impl Drop for MemoryOutlet {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        state.bound &= !self.binds;
        state.outlets.retain(|outlet| outlet.id != self.id);
    }
}
