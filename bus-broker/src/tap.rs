//! A tap: a receiver in this process, with a bounded queue like any subscriber's.
//!
//! Whoever receives messages offers them to the tap and never waits; what finds the queue full is
//! counted, and the taker is told how many messages that were. The bound is on bytes, because
//! messages differ so much in size. What was received in one turn is handed over in one piece: waking
//! the other thread for every message costs more than decoding it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use logbus_schemas::TopicFilter;
use logbus_schemas::dialect::Dialect;
use logbus_transport::Message;

/// Bytes that may wait in a tap.
const MAX_BYTES: usize = 64 << 20;
/// What a message costs besides its frames' bytes, about.
const OVERHEAD: usize = 256;

/// A message with where it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The message, as it came or made native.
    pub message: Message,
    /// The endpoint.
    pub from: Arc<str>,
    /// The dialect to read it in; `None` where it tells for itself.
    pub dialect: Option<&'static Dialect>,
}

/// The end into which messages are put.
#[derive(Debug, Clone)]
pub struct Tap {
    topics: Arc<[TopicFilter]>,
    queue: Sender<Load>,
    gauge: Arc<Gauge>,
}

/// The end from which they are taken.
#[derive(Debug)]
pub struct Taker {
    queue: Receiver<Load>,
    gauge: Arc<Gauge>,
    told: u64,
    /// What is left of the load in hand.
    messages: std::vec::IntoIter<Inbound>,
    /// How large it was; it has its room until the next is taken.
    size: usize,
}

/// What was handed over at once.
#[derive(Debug)]
struct Load {
    messages: Vec<Inbound>,
    size: usize,
}

#[derive(Debug, Default)]
struct Gauge {
    bytes: AtomicUsize,
    overflow: AtomicU64,
}

/// A tap on these topics (none: all).
pub fn tap(topics: &[TopicFilter]) -> (Tap, Taker) {
    let (sender, receiver) = unbounded();
    let gauge = Arc::<Gauge>::default();
    let tap = Tap {
        topics: topics.into(),
        queue: sender,
        gauge: gauge.clone(),
    };
    (
        tap,
        Taker {
            queue: receiver,
            gauge,
            told: 0,
            messages: Vec::new().into_iter(),
            size: 0,
        },
    )
}

impl Tap {
    /// What this tap subscribes to.
    pub fn prefixes(&self) -> Vec<Vec<u8>> {
        if self.topics.is_empty() {
            return vec![Vec::new()];
        }
        self.topics
            .iter()
            .map(|topic| topic.prefix().to_vec())
            .collect()
    }

    /// Puts messages into the queue, and counts those that have no room.
    pub fn offer(&self, mut messages: Vec<Inbound>) {
        let room = MAX_BYTES.saturating_sub(self.gauge.bytes.load(Ordering::Relaxed));
        let (offered, mut size) = (messages.len(), 0);
        messages.retain(|inbound| {
            let has_room = size + inbound.size() <= room;
            size += if has_room { inbound.size() } else { 0 };
            has_room
        });
        let refused = offered - messages.len();
        if refused > 0 {
            let overflow = &self.gauge.overflow;
            overflow.fetch_add(refused as u64, Ordering::Relaxed);
        }
        if messages.is_empty() {
            return;
        }
        self.gauge.bytes.fetch_add(size, Ordering::Relaxed);
        // The taker is gone only when all is over.
        drop(self.queue.send(Load { messages, size }));
    }

    pub(crate) fn wants(&self, first_frame: &[u8]) -> bool {
        self.topics.is_empty()
            || self
                .topics
                .iter()
                .any(|topic| first_frame.starts_with(topic.prefix()))
    }

    pub(crate) fn overflow(&self) -> u64 {
        self.gauge.overflow.load(Ordering::Relaxed)
    }
}

impl Inbound {
    fn size(&self) -> usize {
        self.message.len_bytes() + OVERHEAD
    }
}

impl Taker {
    /// The next message, waiting for it no longer than this; an error when there is none, or when
    /// every tap is gone.
    pub fn take(&mut self, longest: Duration) -> Result<Inbound, RecvTimeoutError> {
        loop {
            if let Some(inbound) = self.messages.next() {
                return Ok(inbound);
            }
            let done = std::mem::take(&mut self.size);
            self.gauge.bytes.fetch_sub(done, Ordering::Relaxed);
            let load = self.queue.recv_timeout(longest)?;
            self.size = load.size;
            self.messages = load.messages.into_iter();
        }
    }

    /// Messages that found the queue full since the last call.
    pub fn overflow(&mut self) -> u64 {
        let total = self.gauge.overflow.load(Ordering::Relaxed);
        total - std::mem::replace(&mut self.told, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_told_once() {
        let (tap, mut taker) = tap(&[]);
        let from: Arc<str> = "test".into();
        let inbound = |size| Inbound {
            message: Message::single(vec![0; size]),
            from: from.clone(),
            dialect: None,
        };
        let half = MAX_BYTES / 2 - OVERHEAD;
        tap.offer(vec![inbound(half)]);
        tap.offer(vec![inbound(half), inbound(half)]);
        assert_eq!((taker.overflow(), taker.overflow()), (1, 0));
        assert!(taker.take(Duration::ZERO).is_ok());
        // What the taker has in hand still counts.
        tap.offer(vec![inbound(1)]);
        assert_eq!(taker.overflow(), 1);
        assert!(taker.take(Duration::ZERO).is_ok());
        assert!(taker.take(Duration::ZERO).is_err());
        tap.offer(vec![inbound(1)]);
        assert_eq!(taker.overflow(), 0);
    }
}
