//! The subscribers' side: one message to everybody who wants it.
//!
//! Sockets hold a bounded queue for each subscriber, and a tap is a bounded channel to a receiver
//! in this process. Nobody here waits: what one of them has no room for, that one loses, and finds
//! out by the sequence numbers. Taps get what came in one turn in one piece.

use std::sync::Arc;

use logbus_schemas::dialect::Dialect;
use logbus_schemas::wire::{self, HEADER_LEN, Native};
use logbus_transport::{Error, Frame, Message, Outlet, Sent};

use crate::pyzmq::PyzmqOutlets;
use crate::tap::{Inbound, Tap};
use crate::translate::NativeMessage;

/// Everybody on the subscribers' side.
pub(crate) struct Fanout {
    outlets: Vec<Box<dyn Outlet>>,
    /// For each outlet, whether anybody is subscribed there.
    listened: Vec<usize>,
    pyzmq: PyzmqOutlets,
    taps: Vec<Tapped>,
}

/// A tap, and what it is to be given at the end of this turn.
struct Tapped {
    tap: Tap,
    gathered: Vec<Inbound>,
}

impl Fanout {
    pub(crate) fn new(outlets: Vec<Box<dyn Outlet>>, pyzmq: PyzmqOutlets, taps: Vec<Tap>) -> Self {
        Self {
            listened: vec![0; outlets.len()],
            outlets,
            pyzmq,
            taps: taps
                .into_iter()
                .map(|tap| Tapped {
                    tap,
                    gathered: Vec::new(),
                })
                .collect(),
        }
    }

    pub(crate) fn outlets(&self) -> impl Iterator<Item = &dyn Outlet> {
        let all = self.outlets.iter().chain(self.pyzmq.outlets());
        all.map(|outlet| &**outlet)
    }

    /// Subscriptions that came or went, at any outlet.
    pub(crate) fn subscription_events(
        &mut self,
    ) -> Result<Vec<logbus_transport::SubscriptionEvent>, Error> {
        let mut all = self.pyzmq.subscription_events()?;
        for (outlet, listened) in self.outlets.iter_mut().zip(&mut self.listened) {
            let events = outlet.subscription_events()?;
            for event in &events {
                *listened = if event.is_added() {
                    *listened + 1
                } else {
                    listened.saturating_sub(1)
                };
            }
            all.extend(events);
        }
        Ok(all)
    }

    /// Rights have changed: who has subscriptions by the old ones must come again.
    pub(crate) fn reconsider(&mut self) -> Result<(), Error> {
        self.outlets
            .iter_mut()
            .try_for_each(|outlet| outlet.reconsider())
    }

    /// Sends a native message to whoever wants it, in the shape that each of them takes.
    pub(crate) fn send(&mut self, message: Message, from: &Arc<str>) -> Result<(), Error> {
        self.pyzmq.send(&message)?;
        let is_listened = |listened: &&usize| **listened > 0;
        let tapped = self.taps.iter().filter(|tapped| tapped.wants(&message));
        let mut copies = Copies {
            left: tapped.count() + self.listened.iter().filter(is_listened).count(),
            message: Some(message),
        };
        for tapped in &mut self.taps {
            if copies.message.as_ref().is_some_and(|m| tapped.wants(m))
                && let Some(message) = copies.next()
            {
                tapped.gather(message, from, None);
            }
        }
        for (outlet, listened) in self.outlets.iter_mut().zip(&self.listened) {
            if *listened > 0
                && let Some(message) = copies.next()
            {
                give(&mut **outlet, message)?;
            }
        }
        Ok(())
    }

    /// Sends a message that was made here.
    pub(crate) fn send_native(
        &mut self,
        native: NativeMessage,
        from: &Arc<str>,
    ) -> Result<(), Error> {
        let NativeMessage {
            topic,
            header,
            payload,
        } = native;
        let topic = Frame::from(topic.as_str().as_bytes());
        let header = Frame::from(&header.to_bytes()[..]);
        self.send(
            [topic, header, Frame::from(payload)].into_iter().collect(),
            from,
        )
    }

    /// Hands a message that cannot be read to the taps, which read for themselves; `false` when
    /// there are none.
    pub(crate) fn pass_malformed(
        &mut self,
        message: &Message,
        from: &Arc<str>,
        dialect: Option<&'static Dialect>,
    ) -> bool {
        for tapped in &mut self.taps {
            tapped.gather(message.copy(), from, dialect);
        }
        !self.taps.is_empty()
    }

    /// Messages that the taps had no room for.
    pub(crate) fn tap_overflow(&self) -> u64 {
        self.taps.iter().map(|tapped| tapped.tap.overflow()).sum()
    }

    /// Gives the taps what was gathered for them.
    pub(crate) fn hand_over(&mut self) {
        for Tapped { tap, gathered } in &mut self.taps {
            if !gathered.is_empty() {
                tap.offer(std::mem::take(gathered));
            }
        }
    }

    pub(crate) fn into_outlets(self) -> impl Iterator<Item = Box<dyn Outlet>> {
        let pyzmq = self.pyzmq.into_outlets();
        self.outlets.into_iter().chain(pyzmq)
    }
}

/// A message for some receivers: the last one gets the message itself, which costs no copy.
struct Copies {
    message: Option<Message>,
    left: usize,
}

impl Copies {
    fn next(&mut self) -> Option<Message> {
        self.left = self.left.saturating_sub(1);
        match self.left {
            0 => self.message.take(),
            _ => self.message.as_ref().map(Message::copy),
        }
    }
}

impl Tapped {
    fn wants(&self, message: &Message) -> bool {
        let first = message.frames().first();
        first.is_some_and(|frame| self.tap.wants(frame))
    }

    fn gather(&mut self, message: Message, from: &Arc<str>, dialect: Option<&'static Dialect>) {
        self.gathered.push(Inbound {
            message,
            from: from.clone(),
            dialect,
        });
    }
}

fn give(outlet: &mut dyn Outlet, message: Message) -> Result<(), Error> {
    match outlet.send(reshape(message, outlet.multipart()))? {
        // These outlets drop for the subscriber that is full, so they are never busy.
        Sent::Taken | Sent::Busy(_) => Ok(()),
    }
}

/// Three frames where a message may have several, one body where it may not.
fn reshape(message: Message, multipart: bool) -> Message {
    match (multipart, message.frames()) {
        (true, [body]) => match Native::split(&[body]) {
            Some(Native {
                topic,
                header,
                payload,
            }) if header.len() == HEADER_LEN => [topic, header, payload]
                .into_iter()
                .map(Frame::from)
                .collect(),
            _ => message,
        },
        (false, [topic, header, payload]) => Message::single(wire::join(topic, header, payload)),
        _ => message,
    }
}
