//! Connections at listeners, without sockets: what comes in, in which pieces, is for bytes to say.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::sync::Arc;

use logbus_schemas::dialect::{self, Reading};
use logbus_transport::{Endpoint, Inlet, Message, Waker};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, watch};

use super::door::{Door, Shared};
use super::inlet::{ListenInlet, pair};
use super::tally::Tally;
use super::{ListenConfig, pickle_tcp as pickle, seq_http as seq};

/// Bytes of the largest frame here.
const MAX_FRAME: usize = 1 << 20;

/// Bytes as a connection of a `SocketHandler`. It is served to its end, at most one thing is wrong
/// with it, and nothing is handed on that did not come.
pub fn pickle_tcp(bytes: &[u8]) {
    let world = World::new(ListenConfig::default());
    let (said, tally) = (
        world.connection(bytes, Kind::Pickle),
        &world.door.shared.tally,
    );
    assert!(said.is_empty());
    assert!(tally.counts().values().sum::<u64>() <= 1);
    let messages = world.messages();
    let came: usize = messages.iter().map(Message::len_bytes).sum();
    assert!(came <= bytes.len());
}

/// Bytes as a connection of a client of Seq; of the first byte one bit says whether there is a key.
/// What is answered is HTTP, and what is handed on are records.
pub fn seq_http(bytes: &[u8]) {
    let has_key = bytes.first().is_some_and(|first| first & 1 != 0);
    let world = World::new(ListenConfig {
        api_key: has_key.then(|| "s3cret".parse().unwrap()),
        ..ListenConfig::default()
    });
    let said = world.connection(bytes, Kind::Seq);
    assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{said:?}");
    for message in world.messages() {
        let frames = message.slices();
        let read = dialect::read_in(dialect::named("topic and dict"), &frames);
        assert!(matches!(read, Ok(Reading::Foreign { .. })), "{read:?}");
    }
}

enum Kind {
    Pickle,
    Seq,
}

/// A door without a socket, and what the hub would take from it.
struct World {
    door: Arc<Door>,
    inlet: ListenInlet,
    /// Held, because a listener ends when nobody is left who could stop it.
    _stop: watch::Sender<Option<std::time::Duration>>,
}

impl World {
    fn new(config: ListenConfig) -> Self {
        let waker = Waker::new().unwrap();
        let bytes = Arc::new(Semaphore::new(config.bytes));
        let endpoint: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
        let (handoff, inlet) = pair(endpoint, bytes.clone(), config.bytes).unwrap();
        let (stop, stopped) = watch::channel(None);
        let shared = Shared {
            max_frame: MAX_FRAME,
            connections: Arc::new(Semaphore::new(1)),
            bytes,
            tally: Arc::new(Tally::new(waker)),
            stopped,
            config,
        };
        Self {
            door: Door::new("fuzz://".into(), handoff, shared),
            inlet,
            _stop: stop,
        }
    }

    /// Serves a connection to its end; everything that was answered.
    fn connection(&self, bytes: &[u8], kind: Kind) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let (near, far) = tokio::io::duplex(64 << 10);
        let (hear, say) = tokio::io::split(near);
        let door = self.door.clone();
        let serve = async move {
            match kind {
                Kind::Pickle => pickle::serve(far, None, door).await,
                Kind::Seq => seq::serve(far, door).await,
            }
        };
        runtime.block_on(async { tokio::join!(hear_all(hear), say_all(say, bytes), serve).0 })
    }

    /// All that was handed on. The room that it took is free again then.
    fn messages(mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.inlet.receive().unwrap() {
            messages.push(message);
        }
        let shared = &self.door.shared;
        assert_eq!(shared.bytes.available_permits(), shared.config.bytes);
        messages
    }
}

async fn hear_all(mut stream: ReadHalf<DuplexStream>) -> Vec<u8> {
    let mut heard = Vec::new();
    // The other side may close in the middle; what came by then counts.
    stream.read_to_end(&mut heard).await.ok();
    heard
}

/// Says everything behind the first byte, which says in pieces of how many bytes.
async fn say_all(mut stream: WriteHalf<DuplexStream>, bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let piece = match first >> 1 {
        0 => rest.len().max(1),
        length => usize::from(length),
    };
    for piece in rest.chunks(piece) {
        // A listener may have closed: then it wants no more.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.ok();
}
