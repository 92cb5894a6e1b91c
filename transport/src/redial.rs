//! Dialling again after the other side said no.
//!
//! libzmq takes a refusal for the last word: a connection that was told that its key is unknown is
//! never dialled again, though the key may be entered a moment later. So a secured socket that dials
//! listens for refusals and dials anew after a while.

use std::time::{Duration, Instant};

use ::zmq::{POLLIN, Socket};

use crate::endpoint::Endpoint;
use crate::socket::{Error, PeerEvent};
use crate::wait::PollSet;
use crate::zmq::{Standing, connect, peer_events};

/// How long to wait after a refusal.
const PAUSE: Duration = Duration::from_secs(1);
/// Events that nobody asked for yet, at most.
const MAX_EVENTS: usize = 1000;

pub(crate) struct Redial {
    monitor: Socket,
    standing: Standing,
    events: Vec<PeerEvent>,
    due: Option<Instant>,
}

impl Redial {
    pub(crate) fn new(monitor: Socket) -> Self {
        Self {
            monitor,
            standing: Standing::default(),
            events: Vec::new(),
            due: None,
        }
    }

    /// Hears what happened, and dials where it is time. A socket that does so has one endpoint: what
    /// is dialled anew is what was refused, and never a connection that stands elsewhere.
    pub(crate) fn serve(
        &mut self,
        socket: &mut Socket,
        endpoints: &[Endpoint],
    ) -> Result<(), Error> {
        for event in peer_events(&self.monitor, &mut self.standing) {
            match event {
                PeerEvent::Refused => self.due = Some(Instant::now() + PAUSE),
                // What was refused before it stood is over.
                PeerEvent::Connected => self.due = None,
                PeerEvent::Disconnected => {}
            }
            if self.events.len() < MAX_EVENTS {
                self.events.push(event);
            }
        }
        if self.due.is_none_or(|due| due > Instant::now()) {
            return Ok(());
        }
        self.due = None;
        for endpoint in endpoints {
            // What libzmq has given up is not there any more, and that is no fault.
            let _is_gone = socket.disconnect(&endpoint.to_string());
            connect(socket, endpoint)?;
        }
        Ok(())
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<PeerEvent> {
        std::mem::take(&mut self.events)
    }

    /// Whether there is any that was not taken.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.monitor, POLLIN);
        if let Some(due) = self.due {
            set.wake_by(due);
        }
    }
}
