//! A window: so many messages at most are on their way between a sender and a receiver.
//!
//! What stands between them may drop where a subscriber is slow, and then a rate would say nothing. With
//! a window smaller than half of every queue on the way nobody can drop, whoever passes messages on, and all
//! contenders have the same one. The receiver says now and then by a socket of its own how many it has;
//! for a program that writes a file, its contest says so (`contests/mod.rs`).

use anyhow::ensure;
use zmq::{Context, Socket};

use super::{say, socket};

/// Messages on their way at most; half of every queue of a contender is made larger (`socket.rs`).
const SIZE: u64 = 40_000;
/// The receiver speaks up after so many.
const EVERY: u64 = 1000;
/// How long a receiver may be silent, in ms, before something must have been lost.
const PATIENCE: i32 = 30_000;

/// The sender's end.
pub(super) struct Window {
    heard: Socket,
    flow: Flow,
}

/// The receiver's end.
pub(crate) struct Progress {
    speaks: Socket,
    received: u64,
}

impl Window {
    /// Says where progress is to be told (`acks ENDPOINT`).
    pub(super) fn open(context: &Context) -> anyhow::Result<Self> {
        let heard = context.socket(zmq::PULL)?;
        heard.bind("tcp://127.0.0.1:*")?;
        heard.set_rcvtimeo(PATIENCE)?;
        say(&format!("acks {}", socket::endpoint(&heard)?))?;
        Ok(Self {
            heard,
            flow: Flow {
                senders: 1,
                sent: 0,
                received: 0,
            },
        })
    }

    /// The same for one of so many senders who send equally much: all of them together have the window.
    pub(super) fn shared_by(mut self, senders: u64) -> Self {
        self.flow.senders = senders;
        self
    }

    /// Waits until the receiver is there.
    pub(super) fn wait_for_receiver(&self) -> anyhow::Result<()> {
        self.heard.recv_bytes(0)?;
        Ok(())
    }

    /// Whether nothing more may be sent now.
    pub(super) fn is_full(&self) -> bool {
        self.flow.is_full()
    }

    /// Notes a message that was sent.
    pub(super) fn count(&mut self) {
        self.flow.sent += 1;
    }

    /// Waits until the receiver has said something new.
    pub(super) fn hear(&mut self) -> anyhow::Result<()> {
        let said = self.heard.recv_bytes(0);
        ensure!(
            said.is_ok(),
            "{} of {} messages were received and no more came",
            self.flow.received,
            self.flow.sent * self.flow.senders
        );
        self.flow.received += EVERY;
        Ok(())
    }
}

/// What one of some senders knows of what is on its way.
struct Flow {
    senders: u64,
    /// By this one.
    sent: u64,
    /// Of all of them.
    received: u64,
}

impl Flow {
    /// Whether this sender has had its part of the window. When all have, as much is on its way as the
    /// window holds, so that more will be received.
    fn is_full(&self) -> bool {
        self.sent * self.senders >= self.received + SIZE
    }
}

impl Progress {
    /// Says that the receiver is there.
    pub(crate) fn open(context: &Context, endpoint: &str) -> anyhow::Result<Self> {
        let speaks = context.socket(zmq::PUSH)?;
        speaks.connect(endpoint)?;
        speaks.send("ready", 0)?;
        Ok(Self {
            speaks,
            received: 0,
        })
    }

    /// Notes that so many were received in all.
    pub(crate) fn reach(&mut self, received: u64) -> anyhow::Result<()> {
        for _ in self.received / EVERY..received / EVERY {
            self.speaks.send("more", 0)?;
        }
        self.received = received.max(self.received);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of so many senders sends before it waits, where so much was received of all of them.
    fn sent_before_full(senders: u64, received: u64) -> u64 {
        let mut flow = Flow {
            senders,
            sent: 0,
            received,
        };
        while !flow.is_full() {
            flow.sent += 1;
        }
        flow.sent
    }

    #[test]
    fn a_sender_of_its_own_has_the_whole_window() {
        assert_eq!(sent_before_full(1, 0), SIZE);
        assert_eq!(sent_before_full(1, 3 * EVERY), SIZE + 3 * EVERY);
    }

    #[test]
    fn senders_that_share_a_window_have_no_more_on_their_way_together() {
        for senders in [3, 100] {
            for received in [0, 7 * EVERY] {
                let sent = senders * sent_before_full(senders, received);
                assert!((SIZE..SIZE + senders).contains(&(sent - received)));
            }
        }
    }
}
