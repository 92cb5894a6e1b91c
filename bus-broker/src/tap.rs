//! A tap: a receiver in this process, with a bounded queue like any subscriber's.
//!
//! Whoever receives messages offers them to the tap and never waits; what finds the queue full is
//! counted, and the taker is told how many messages that were. The bound is on bytes, because
//! messages differ so much in size.

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
    queue: Sender<Inbound>,
    gauge: Arc<Gauge>,
}

/// The end from which they are taken.
#[derive(Debug)]
pub struct Taker {
    queue: Receiver<Inbound>,
    gauge: Arc<Gauge>,
    told: u64,
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

    /// Puts a message into the queue, or counts it.
    pub fn offer(&self, message: Message, from: &Arc<str>, dialect: Option<&'static Dialect>) {
        let size = message.len_bytes() + OVERHEAD;
        if self.gauge.bytes.load(Ordering::Relaxed) + size > MAX_BYTES {
            self.gauge.overflow.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.gauge.bytes.fetch_add(size, Ordering::Relaxed);
        // The taker is gone only when all is over.
        drop(self.queue.send(Inbound {
            message,
            from: from.clone(),
            dialect,
        }));
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

impl Taker {
    /// The next message, waiting for it no longer than this; an error when there is none, or when
    /// every tap is gone.
    pub fn take(&self, longest: Duration) -> Result<Inbound, RecvTimeoutError> {
        let inbound = self.queue.recv_timeout(longest)?;
        let size = inbound.message.len_bytes() + OVERHEAD;
        self.gauge.bytes.fetch_sub(size, Ordering::Relaxed);
        Ok(inbound)
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
        for _ in 0..3 {
            tap.offer(
                Message::single(vec![0; MAX_BYTES / 2 - OVERHEAD]),
                &from,
                None,
            );
        }
        assert_eq!((taker.overflow(), taker.overflow()), (1, 0));
        assert!(taker.take(Duration::ZERO).is_ok());
        tap.offer(Message::single(vec![1]), &from, None);
        assert_eq!(taker.overflow(), 0);
    }
}
