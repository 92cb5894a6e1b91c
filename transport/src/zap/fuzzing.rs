//! Requests to the ZAP handler, through libzmq's own sockets.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::cell::RefCell;
use std::sync::Arc;

use ::zmq::{Context, Socket, SocketType};

use super::{ENDPOINT, User, Zap};
use crate::curve::{Gate, PublicKey};
use crate::notices::Notices;

/// The one key that comes in.
const KEY: [u8; 32] = [7; 32];
/// libzmq's own frames of a request are fewer.
const MAX_FRAMES: usize = 40;

/// Bytes as the frames of a request, each with its length before it. Every request is answered in
/// the six frames of a reply, and nobody but the owner of the key comes in.
pub fn zap(bytes: &[u8]) {
    thread_local!(static DOOR: RefCell<(Zap, Socket)> = RefCell::new(door()));
    let request = frames_of(bytes);
    let reply = DOOR.with_borrow_mut(|(zap, asking)| {
        asking.send_multipart(&request, 0).unwrap();
        zap.serve(|_| {}).unwrap();
        asking.recv_multipart(0).unwrap()
    });
    let [version, id, code, text, user, metadata] = &reply[..] else {
        panic!("{reply:?}")
    };
    assert!(*version == b"1.0" && metadata.is_empty() && std::str::from_utf8(text).is_ok());
    assert_eq!(id, request.get(1).copied().unwrap_or_default());
    let user = User::parse(std::str::from_utf8(user).unwrap());
    assert_eq!(user.is_some(), code == b"200");
    if let Some(user) = user {
        assert_eq!(user.key, PublicKey::from_bytes(KEY));
        assert_eq!(request[5..], [b"CURVE", &KEY[..]]);
    }
}

fn door() -> (Zap, Socket) {
    let context = Context::new();
    let zap = Zap::open(&context, Arc::new(OneKey), Notices::default()).unwrap();
    let asking = context.socket(SocketType::REQ).unwrap();
    asking.set_linger(0).unwrap();
    asking.connect(ENDPOINT).unwrap();
    (zap, asking)
}

fn frames_of(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first()
        && frames.len() < MAX_FRAMES
    {
        let (frame, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        frames.push(frame);
        bytes = rest;
    }
    if frames.is_empty() {
        frames.push(&[]);
    }
    frames
}

#[derive(Debug)]
struct OneKey;

impl Gate for OneKey {
    fn admit(&self, key: &PublicKey) -> Result<(), String> {
        let is_it = *key == PublicKey::from_bytes(KEY);
        is_it
            .then_some(())
            .ok_or_else(|| "an unknown key".to_owned())
    }

    fn grant(&self, _: &PublicKey, _: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
