//! `pickle+tcp`: for `logging.handlers.SocketHandler` of Python's library.
//!
//! A frame is a length of four bytes, big end first, and as many bytes, which go to the hub as one
//! message; the dialect "pickle" reads them there. Where the first byte is a brace the frame is a
//! line of JSON, which is what an overridden `makePickle` often sends in place of both: no frame
//! may be so long that its length begins with one. When the hub is behind, nothing is read, and
//! TCP lets the sender feel it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use logbus_schemas::dialect;
use logbus_transport::{Message, Meter};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Listener;
use super::door::Door;
use super::inlet::Room;
use super::tally::Trouble;

pub(super) const LISTENER: Listener = Listener {
    scheme: "pickle+tcp",
    summary: "Python's SocketHandler: pickled records, or JSON in their place",
    dialect: "pickle",
    serve: |stream, door| {
        let peer = stream.peer_addr().ok();
        Box::pin(serve(stream, peer, door))
    },
};

/// So much of a frame is read before there must be room for the whole.
const BEGINNING: usize = 64 << 10;
/// Bytes of the longest line of JSON that has no length before it.
const MAX_LINE: usize = 256 << 10;
/// Bytes that are read at a time.
const CHUNK: usize = 16 << 10;

/// Why a connection is closed that its sender did not close.
#[derive(Debug)]
enum Broken {
    Length(usize),
    LongLine,
    /// The sender went in the middle of a frame.
    Half,
    TooSlow,
    Io(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Length(length) => write!(
                f,
                "a frame cannot have a length of {length}: this is for Python's SocketHandler"
            ),
            Broken::LongLine => write!(f, "a line of JSON was longer than {MAX_LINE} bytes"),
            Broken::Half => write!(f, "a frame ended too early"),
            Broken::TooSlow => write!(f, "a frame did not come in time"),
            Broken::Io(error) => write!(f, "{error}"),
        }
    }
}

/// Serves what comes from `peer`, where that is known.
pub(super) async fn serve(
    stream: impl AsyncRead + Unpin,
    peer: Option<SocketAddr>,
    door: Arc<Door>,
) {
    let mut frames = Frames {
        stream,
        peer,
        buffer: BytesMut::with_capacity(CHUNK),
        door: &door,
    };
    let meter = Mutex::new(Meter::new(Instant::now()));
    loop {
        match frames.next().await {
            Ok(Some((frame, room))) => {
                door.handoff.put([message(&frame)], &room);
                drop(room);
                door.pace(&meter, 1, frame.len()).await;
            }
            Ok(None) => return,
            Err(broken) => return frames.give_up(&broken),
        }
    }
}

fn message(frame: &[u8]) -> Message {
    Message::single(frame)
}

/// The frames of one connection.
struct Frames<'d, S> {
    stream: S,
    peer: Option<SocketAddr>,
    buffer: BytesMut,
    door: &'d Door,
}

impl<S: AsyncRead + Unpin> Frames<'_, S> {
    /// The next frame, with room for it; `None` when the sender ended between two frames, or when
    /// the listeners are to end and nothing more has come.
    async fn next(&mut self) -> Result<Option<(Bytes, Room)>, Broken> {
        if self.buffer.is_empty() && !self.begins().await? {
            return Ok(None);
        }
        match self.buffer.first() {
            Some(b'{') => self.line().await,
            _ => self.sized_frame().await,
        }
    }

    /// Waits for the first byte of a frame, for as long as it takes.
    async fn begins(&mut self) -> Result<bool, Broken> {
        self.buffer.reserve(CHUNK);
        let door = self.door;
        let read = tokio::select! {
            // What has come already is taken even then.
            biased;
            read = self.stream.read_buf(&mut self.buffer) => read,
            () = door.stopped() => Ok(0),
        };
        match read {
            Ok(length) => Ok(length > 0),
            // Between frames it makes no difference how a sender goes.
            Err(_) => Ok(false),
        }
    }

    async fn sized_frame(&mut self) -> Result<Option<(Bytes, Room)>, Broken> {
        self.fill_in_time(4).await?;
        let length = match self.buffer.first_chunk() {
            Some(length) => u32::from_be_bytes(*length) as usize,
            None => 0,
        };
        if length == 0 || length > self.door.shared.max_frame {
            return Err(Broken::Length(length));
        }
        self.fill_in_time(4 + length.min(BEGINNING)).await?;
        let Some(room) = self.door.handoff.room(length).await else {
            return Ok(None);
        };
        self.fill_in_time(4 + length).await?;
        self.buffer.advance(4);
        let frame = self.buffer.split_to(length).freeze();
        if length > BEGINNING {
            // The memory of a long frame goes with it: the connection may be idle from here on.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some((frame, room)))
    }

    /// A line, or what is left when the sender ends without ending the line.
    async fn line(&mut self) -> Result<Option<(Bytes, Room)>, Broken> {
        let door = self.door;
        let found = timeout(door.time_for(0), self.find_line_feed()).await;
        let end = found.unwrap_or(Err(Broken::TooSlow))?;
        let Some(room) = door.handoff.room(end).await else {
            return Ok(None);
        };
        let line = self.buffer.split_to(end).freeze();
        if !self.buffer.is_empty() {
            self.buffer.advance(1);
        }
        Ok(Some((line, room)))
    }

    async fn find_line_feed(&mut self) -> Result<usize, Broken> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                return Ok(searched + at);
            }
            searched = self.buffer.len();
            if searched > MAX_LINE {
                return Err(Broken::LongLine);
            }
            if self.read().await? == 0 {
                return Ok(searched);
            }
        }
    }

    /// Reads until there are so many bytes in the buffer, for as long as so many may take.
    async fn fill_in_time(&mut self, wanted: usize) -> Result<(), Broken> {
        let time = self.door.time_for(wanted);
        let filled = timeout(time, self.fill(wanted)).await;
        filled.unwrap_or(Err(Broken::TooSlow))
    }

    async fn fill(&mut self, wanted: usize) -> Result<(), Broken> {
        while self.buffer.len() < wanted {
            if self.read().await? == 0 {
                return Err(Broken::Half);
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<usize, Broken> {
        self.buffer.reserve(CHUNK);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map_err(Broken::Io)
    }

    /// Counts and tells what is wrong, and keeps what came of the frame: a piece cannot be read, and
    /// so goes where the hub keeps all such messages. Behind a wrong length there is no frame.
    fn give_up(&self, broken: &Broken) {
        self.door.count(Trouble::BrokenFrame, || {
            let peer = self.peer.map(|peer| format!(" from {peer}"));
            let came = dialect::preview(&[&self.buffer]);
            format!(
                "{broken}; connection{} closed: {came}",
                peer.unwrap_or_default()
            )
        });
        let came = match self.buffer.first() {
            Some(b'{') => &self.buffer[..],
            _ => self.buffer.get(4..).unwrap_or_default(),
        };
        let is_piece = !matches!(broken, Broken::Length(_)) && !came.is_empty();
        if is_piece && let Some(room) = self.door.handoff.try_room(1, came.len()) {
            self.door.handoff.put([message(came)], &room);
        }
    }
}
