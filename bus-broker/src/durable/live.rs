//! What durable publishers sent, on its way to PUB/SUB subscribers: to the hub it is one more
//! source.
//!
//! Messages come here when they are in the journal. The hub takes them as it takes all others; for
//! what it does not take in time there is bounded room, and what finds none is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use logbus_transport::{Endpoint, Error, Inlet, Message, PeerEvent, PollSet, Waker};

/// Bytes that may wait for the hub.
const MAX_BYTES: usize = 64 << 20;

/// The end into which messages are put.
pub(super) struct LiveOutlet {
    queue: Sender<Message>,
    gauge: Arc<Gauge>,
    waker: Waker,
}

/// The end from which the hub takes them.
pub(crate) struct LiveInlet {
    queue: Receiver<Message>,
    gauge: Arc<Gauge>,
    waker: Waker,
    endpoints: Vec<Endpoint>,
}

#[derive(Default)]
struct Gauge {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

/// Both ends, for a durable endpoint that listens there.
pub(super) fn live(endpoints: &[Endpoint]) -> Result<(LiveOutlet, LiveInlet), Error> {
    let (sender, receiver) = channel();
    let waker = Waker::new()?;
    let gauge = Arc::<Gauge>::default();
    let outlet = LiveOutlet {
        queue: sender,
        gauge: gauge.clone(),
        waker: waker.clone(),
    };
    let inlet = LiveInlet {
        queue: receiver,
        gauge,
        waker,
        endpoints: endpoints.to_vec(),
    };
    Ok((outlet, inlet))
}

impl LiveOutlet {
    /// Passes a message on, or counts it.
    pub(super) fn put(&self, message: Message) {
        let size = message.len_bytes();
        if self.gauge.bytes.load(Ordering::Relaxed) + size > MAX_BYTES {
            self.gauge.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.gauge.bytes.fetch_add(size, Ordering::Relaxed);
        // Where the hub has gone, the whole program is about to.
        self.queue.send(message).ok();
    }

    /// Calls the hub.
    pub(super) fn call(&self) {
        self.waker.wake();
    }

    /// Messages that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.gauge.lost.load(Ordering::Relaxed)
    }
}

impl Inlet for LiveInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        let taken = self.queue.try_recv().or_else(|_| {
            // Empty, it seems: what comes from here on calls again.
            self.waker.clear();
            self.queue.try_recv()
        });
        let message = taken.ok();
        if let Some(message) = &message {
            let size = message.len_bytes();
            self.gauge.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        Ok(message)
    }

    fn subscribe(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn unsubscribe(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn peer_events(&mut self) -> Vec<PeerEvent> {
        Vec::new()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        self.waker.poll(set);
    }
}
