//! What a peer says to a publisher over SP, byte by byte.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{Connection, EXPECTED, GREET, Link, Stream};
use crate::message::Message;
use crate::socket::Options;

/// Bytes as what a peer says, in pieces whose length the first byte gives. The connection stands as
/// long as that is the greeting of a subscriber and nothing more, and is given up otherwise; and what waits
/// for a peer that has not greeted is bounded.
pub fn sp(bytes: &[u8]) {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut link = link(ours);
    link.enqueue(&Message::single(&b"hello"[..]));
    let (first, said) = bytes.split_first().unwrap_or((&0, &[]));
    let mut came = 0;
    for piece in said.chunks(usize::from(*first).max(1)) {
        peer.write_all(piece).unwrap();
        came += piece.len();
        let stands = link.greet().is_ok();
        let is_right = came < EXPECTED.len() || said[..came] == EXPECTED;
        assert_eq!(stands, is_right, "{:?}", &said[..came]);
        assert!(!stands || link.is_up() == (came >= EXPECTED.len()));
        if !stands {
            link.hang_up();
            return assert!(!link.is_up() && !link.has_to_write());
        }
    }
    drop(peer);
    assert!(link.greet().is_err(), "the peer is gone");
}

fn link(stream: UnixStream) -> Link {
    let endpoint = "nng+ipc:///nowhere".parse().unwrap();
    let mut link = Link::new(&endpoint, &Options::default()).unwrap();
    link.connection = Some(Connection {
        stream: Stream::Unix(stream),
        greeting: Vec::new(),
        greet_by: Instant::now() + GREET,
    });
    link
}
