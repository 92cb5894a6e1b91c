//! Bytes at real sockets of ZeroMQ and NNG, from peers that may speak neither.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::{
    Attachment, Endpoint, Inlet, InletKind, Message, Options, Outlet, OutletKind, PollSet, Sent,
    WhenFull, open_inlet, open_outlet, wait,
};

/// Longer than anything takes on a slow machine; reached only where the promise is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long a stranger waits to be hung up on.
const HEARS: Duration = Duration::from_millis(20);

/// Bytes as what a stranger says at a socket of each kind. What is sent by a friend comes, whatever
/// strangers say meanwhile.
pub fn strangers(bytes: &[u8]) {
    thread_local!(static PLACES: RefCell<Vec<Place>> = RefCell::new(places()));
    PLACES.with_borrow_mut(|places| {
        for place in places {
            place.meet(bytes);
        }
    });
}

/// A socket that listens, and a friend of its that is connected.
struct Place {
    inlet: Box<dyn Inlet>,
    friend: Box<dyn Outlet>,
    path: String,
    said: u64,
    _dir: tempfile::TempDir,
}

fn places() -> Vec<Place> {
    ["ipc", "nng+ipc"].map(Place::open).into()
}

impl Place {
    fn open(scheme: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket").display().to_string();
        let endpoint: Endpoint = format!("{scheme}://{path}").parse().unwrap();
        let options = Options {
            when_full: WhenFull::Refuse,
            max_frame: 1 << 20,
            ..Options::default()
        };
        let place = [Attachment::Bind(endpoint.clone())];
        let inlet = open_inlet(InletKind::Pull, &place, &options).unwrap();
        let friend = [Attachment::Connect(endpoint)];
        Self {
            inlet,
            friend: open_outlet(OutletKind::Push, &friend, &options).unwrap(),
            path,
            said: 0,
            _dir: dir,
        }
    }

    fn meet(&mut self, bytes: &[u8]) {
        let mut stranger = UnixStream::connect(&self.path).unwrap();
        stranger.set_read_timeout(Some(HEARS)).unwrap();
        // It may be hung up on at any byte: then it has said enough.
        if stranger.write_all(bytes).is_ok() && stranger.shutdown(Shutdown::Write).is_ok() {
            stranger.read_to_end(&mut Vec::new()).ok();
        }
        self.said += 1;
        let text = format!("a friend's word number {}", self.said);
        let deadline = Instant::now() + PATIENCE;
        let mut unsent = Some(Message::single(text.as_bytes()));
        while !self.has_come(&text, &mut unsent) {
            assert!(Instant::now() < deadline, "{} hears nothing", self.path);
            let mut set = PollSet::new();
            self.inlet.poll(&mut set);
            self.friend.poll(&mut set);
            wait(&mut set, Some(HEARS)).unwrap();
        }
    }

    fn has_come(&mut self, text: &str, unsent: &mut Option<Message>) -> bool {
        if let Some(message) = unsent.take()
            && let Sent::Busy(message) = self.friend.send(message).unwrap()
        {
            *unsent = Some(message);
        }
        while let Some(message) = self.inlet.receive().unwrap() {
            if message.join() == text.as_bytes() {
                return true;
            }
        }
        false
    }
}
