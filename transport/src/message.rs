//! Messages: some frames, each in whatever memory it came in.
//!
//! A frame that came from one ZeroMQ socket goes out at another without being copied; all others
//! can look at it as bytes. Nothing here knows what a frame means.

use std::fmt;
use std::ops::Deref;
use std::os::fd::RawFd;

use smallvec::SmallVec;

use crate::zap::User;

/// One frame.
pub struct Frame(Bytes);

enum Bytes {
    Zmq(::zmq::Message),
    Nng(::nng::Message),
    Owned(Vec<u8>),
}

impl Frame {
    pub(crate) fn from_zmq(message: ::zmq::Message) -> Self {
        Self(Bytes::Zmq(message))
    }

    pub(crate) fn from_nng(message: ::nng::Message) -> Self {
        Self(Bytes::Nng(message))
    }

    /// The user id that was given to the connection it came in by, at a secured ZeroMQ socket.
    pub(crate) fn user_id(&mut self) -> Option<&str> {
        self.property("User-Id")
    }

    /// The descriptor of the connection it came in by. It may be another's by now.
    pub(crate) fn descriptor(&mut self) -> Option<RawFd> {
        // What zmq_msg_get(3) reads for ZMQ_SRCFD.
        self.property("__fd")?.parse().ok()
    }

    fn property(&mut self, name: &str) -> Option<&str> {
        match &mut self.0 {
            Bytes::Zmq(message) => message.gets(name),
            Bytes::Nng(_) | Bytes::Owned(_) => None,
        }
    }

    pub(crate) fn into_zmq(self) -> ::zmq::Message {
        match self.0 {
            Bytes::Zmq(message) => message,
            Bytes::Nng(message) => ::zmq::Message::from(message.as_slice()),
            Bytes::Owned(bytes) => ::zmq::Message::from(bytes),
        }
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Zmq(message) => message,
            Bytes::Nng(message) => message.as_slice(),
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes))
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::Owned(bytes.to_vec()))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        write!(
            f,
            "{:?}",
            String::from_utf8_lossy(&self[..self.len().min(SHOWN)])
        )?;
        if self.len() > SHOWN {
            write!(f, "… ({} bytes)", self.len())
        } else {
            Ok(())
        }
    }
}

/// A message.
#[derive(Debug, Default)]
pub struct Message {
    frames: SmallVec<[Frame; 3]>,
}

impl Message {
    /// A message of one frame.
    pub fn single(frame: impl Into<Frame>) -> Self {
        [frame.into()].into_iter().collect()
    }

    /// The frames, in order.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Their bytes, in order.
    pub fn slices(&self) -> impl Deref<Target = [&[u8]]> {
        let slices = self.frames.iter().map(|frame| &**frame);
        slices.collect::<SmallVec<[&[u8]; 3]>>()
    }

    /// Who sent it, where it came in at a secured socket.
    pub fn user(&mut self) -> Option<User> {
        User::parse(self.first_mut()?.user_id()?)
    }

    pub(crate) fn first_mut(&mut self) -> Option<&mut Frame> {
        self.frames.first_mut()
    }

    /// The frames themselves.
    pub fn into_frames(self) -> impl ExactSizeIterator<Item = Frame> {
        self.frames.into_iter()
    }

    /// Adds a frame at the end.
    pub fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    /// How many bytes all frames have together.
    pub fn len_bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.len()).sum()
    }

    /// Another message of the same bytes.
    pub fn copy(&self) -> Message {
        self.frames
            .iter()
            .map(|frame| Frame::from(&**frame))
            .collect()
    }

    /// All frames end to end.
    pub fn join(&self) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.len_bytes());
        for frame in &self.frames {
            joined.extend_from_slice(frame);
        }
        joined
    }
}

impl FromIterator<Frame> for Message {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self {
            frames: frames.into_iter().collect(),
        }
    }
}
