//! Messages on their way to a server: kept while it is away, sent in their order.
//!
//! The queue is bounded in bytes. A message leaves it when it was sent whole; one that broke off is
//! sent again, whole, over the next connection. A connection that failed is tried again at growing
//! distances, so that a flush never waits long. An outage is said once, and its end with what it
//! cost. Handlers for servers are a [`Wire`] and a format.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use logbus_process as process;

use super::Say;

/// Bytes that are kept while the server is away.
const MAX_KEPT: usize = 16 << 20;
/// The first and the longest wait between two attempts.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A connection, or what stands for one.
pub(super) trait Wire: Send {
    /// Connects, where that is not done yet. Takes no longer than some seconds.
    fn connect(&mut self) -> io::Result<()>;
    /// Sends one message, whole or not at all as far as the other side can tell.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;
    /// Gives the connection up.
    fn disconnect(&mut self);
}

/// The queue; see the head of this file.
pub(super) struct Outbox<W> {
    wire: W,
    /// Where to, as people write it.
    address: String,
    say: Say,
    queue: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
    /// Of those: since the outage began.
    dropped_now: u64,
    failures: u32,
    next_try: Instant,
}

struct Message {
    bytes: Vec<u8>,
    /// Records in it.
    records: u64,
}

impl<W: Wire> Outbox<W> {
    pub(super) fn new(wire: W, name: &str, address: &str, say: &Say) -> Self {
        let (name, outer) = (name.to_owned(), say.clone());
        Self {
            wire,
            address: address.to_owned(),
            say: std::sync::Arc::new(move |line: &str| outer(&format!("{name}: {line}"))),
            queue: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            dropped_now: 0,
            failures: 0,
            next_try: Instant::now(),
        }
    }

    /// The connection, to tell it something.
    pub(super) fn wire(&mut self) -> &mut W {
        &mut self.wire
    }

    /// Takes a message of so many records in, or counts them when there is no room.
    pub(super) fn push(&mut self, bytes: Vec<u8>, records: u64) {
        if self.bytes + bytes.len() > MAX_KEPT && !self.queue.is_empty() {
            self.dropped += records;
            self.dropped_now += records;
            return;
        }
        self.bytes += bytes.len();
        self.queue.push_back(Message { bytes, records });
        // A server that is there takes messages as they come.
        if self.queue.len() >= 1024 && self.failures == 0 {
            self.flush();
        }
    }

    /// Sends what waits, as far as the server is there.
    pub(super) fn flush(&mut self) {
        if self.queue.is_empty() || Instant::now() < self.next_try {
            return;
        }
        match self.send_all() {
            Ok(()) => self.recovered(),
            Err(error) => self.failed(&error),
        }
    }

    /// Tries a last time, and gives up what cannot be sent.
    pub(super) fn close(&mut self) {
        self.next_try = Instant::now();
        self.flush();
        let left: u64 = self.queue.iter().map(|message| message.records).sum();
        if left > 0 {
            (self.say)(&format!(
                "{left} records could not be sent to {}",
                self.address
            ));
        }
        self.dropped += left;
        self.queue.clear();
        self.wire.disconnect();
    }

    /// Whether everything was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Records that had no room, or were left at the end.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn send_all(&mut self) -> io::Result<()> {
        self.wire.connect()?;
        while let Some(message) = self.queue.front() {
            self.wire.send(&message.bytes)?;
            self.bytes -= message.bytes.len();
            self.queue.pop_front();
        }
        Ok(())
    }

    fn recovered(&mut self) {
        if self.failures > 0 {
            let lost = match self.dropped_now {
                0 => String::new(),
                count => format!(", {count} records had no room meanwhile"),
            };
            (self.say)(&format!("{} is back{lost}", self.address));
        }
        (self.failures, self.dropped_now) = (0, 0);
    }

    fn failed(&mut self, error: &io::Error) {
        self.wire.disconnect();
        if self.failures == 0 {
            (self.say)(&format!(
                "cannot send to {}: {error}; records are kept meanwhile",
                self.address
            ));
        }
        self.failures += 1;
        let doubled = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10) - 1);
        let share = (process::random() % 512) as f64 / 1024.0;
        self.next_try = Instant::now() + doubled.min(LONGEST_WAIT).mul_f64(0.5 + share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A server that is there or not, and what it got.
    #[derive(Default)]
    struct Server {
        is_there: bool,
        /// Messages until it breaks off again.
        patience: usize,
        got: Vec<u8>,
    }

    struct Line(Arc<Mutex<Server>>);

    impl Wire for Line {
        fn connect(&mut self) -> io::Result<()> {
            match self.0.lock().unwrap().is_there {
                true => Ok(()),
                false => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        }

        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            let mut server = self.0.lock().unwrap();
            if server.patience == 0 {
                server.is_there = false;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            server.patience -= 1;
            server.got.extend_from_slice(message);
            Ok(())
        }

        fn disconnect(&mut self) {}
    }

    #[test]
    fn what_waits_for_a_server_comes_in_its_order_when_it_is_back() {
        let server = Arc::<Mutex<Server>>::default();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let lines = said.clone();
        let say: Say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
        let mut outbox = Outbox::new(Line(server.clone()), "s", "tcp://x", &say);
        for (at, patience) in [0, 2, 0, 1, 9].into_iter().enumerate() {
            outbox.push(vec![b'a' + at as u8], 1);
            let mut there = server.lock().unwrap();
            (there.is_there, there.patience) = (true, patience);
            drop(there);
            outbox.next_try = Instant::now();
            outbox.flush();
        }
        assert_eq!(server.lock().unwrap().got, b"abcde");
        let said = said.lock().unwrap();
        assert!(
            said[0].starts_with("s: cannot send to tcp://x: "),
            "{said:?}"
        );
        assert!(said.contains(&"s: tcp://x is back".to_owned()), "{said:?}");
    }

    #[test]
    fn what_has_no_room_is_counted_as_is_what_is_left_at_the_end() {
        let say: Say = Arc::new(|_| {});
        let mut outbox = Outbox::new(Line(Arc::default()), "s", "tcp://x", &say);
        outbox.push(vec![0; MAX_KEPT], 1);
        outbox.push(vec![0; 1], 1);
        assert_eq!(outbox.dropped(), 1);
        outbox.close();
        assert_eq!(outbox.dropped(), 2);
    }
}
