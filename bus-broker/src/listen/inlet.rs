//! Hands messages from the listeners' thread to the hub, bounded in bytes.
//!
//! Whoever hands on takes [`Room`] first, and waits for it or does without. The room goes along
//! with the message and is free again when the hub has taken it. To the hub the other end is an
//! [`Inlet`] that has no subscriptions: all that comes in is taken.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use logbus_transport::{Endpoint, Error, Inlet, Message, PeerEvent, PollSet, Waker};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a message costs besides its bytes, about.
const OVERHEAD: usize = 256;

/// Bytes that may be held.
pub(super) type Room = Arc<OwnedSemaphorePermit>;

/// The end into which messages are put.
pub(super) struct Handoff {
    queue: Sender<(Message, Room)>,
    free: Arc<Semaphore>,
    all: usize,
    waker: Waker,
}

/// The end from which the hub takes them.
pub(super) struct ListenInlet {
    queue: Receiver<(Message, Room)>,
    waker: Waker,
    endpoints: [Endpoint; 1],
}

/// Both ends, for what listens there; `free` has `all` bytes when nothing is held.
pub(super) fn pair(
    endpoint: Endpoint,
    free: Arc<Semaphore>,
    all: usize,
) -> Result<(Handoff, ListenInlet), Error> {
    let (sender, receiver) = channel();
    let waker = Waker::new()?;
    let handoff = Handoff {
        queue: sender,
        free,
        all,
        waker: waker.clone(),
    };
    let inlet = ListenInlet {
        queue: receiver,
        waker,
        endpoints: [endpoint],
    };
    Ok((handoff, inlet))
}

impl Handoff {
    /// Waits for room for a message of so many bytes. More than all there is, is all there is.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        let permit = self.free.clone().acquire_many_owned(self.permits(bytes));
        permit.await.ok().map(Arc::new)
    }

    /// Room for so many messages of so many bytes together, if there is some now.
    pub(super) fn try_room(&self, messages: usize, bytes: usize) -> Option<Room> {
        let bytes = bytes.saturating_add(messages.saturating_mul(OVERHEAD));
        let permit = self
            .free
            .clone()
            .try_acquire_many_owned(self.permits(bytes));
        permit.ok().map(Arc::new)
    }

    /// Hands messages on, for which there is room.
    pub(super) fn put(&self, messages: impl IntoIterator<Item = Message>, room: &Room) {
        for message in messages {
            // Where the hub has gone, the whole program is about to.
            self.queue.send((message, room.clone())).ok();
        }
        self.waker.wake();
    }

    fn permits(&self, bytes: usize) -> u32 {
        let bytes = bytes.saturating_add(OVERHEAD).min(self.all);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

impl Inlet for ListenInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        let taken = self.queue.try_recv().or_else(|_| {
            // Empty, it seems: what comes from here on calls again.
            self.waker.clear();
            self.queue.try_recv()
        });
        Ok(taken.ok().map(|(message, _)| message))
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
