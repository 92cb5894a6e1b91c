//! ZeroMQ sockets of the peers: libzmq by its thinnest wrapper.
#![allow(unsafe_code, reason = "one option that the zmq crate lacks")]

use anyhow::ensure;
use zmq::{Context, Socket, SocketType};

/// Messages that may wait at each end. libzmq hears only of every half of a queue that it was taken, so
/// that nobody drops before half of one is full: that is more than a window has.
pub(super) const QUEUE: i32 = 100_000;

/// A socket with such queues.
pub(super) fn open(context: &Context, kind: SocketType) -> anyhow::Result<Socket> {
    let socket = context.socket(kind)?;
    socket.set_sndhwm(QUEUE)?;
    socket.set_rcvhwm(QUEUE)?;
    Ok(socket)
}

/// An XPUB socket that waits where a PUB socket drops, with libzmq's usual queue.
pub(super) fn open_sender(context: &Context) -> anyhow::Result<Socket> {
    let mut socket = context.socket(zmq::XPUB)?;
    let one = 1i32;
    // SAFETY: the socket is open, and libzmq copies the four bytes.
    let result = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            zmq_sys::ZMQ_XPUB_NODROP as i32,
            (&raw const one).cast(),
            size_of_val(&one),
        )
    };
    ensure!(result == 0, "libzmq has no XPUB_NODROP");
    Ok(socket)
}

/// Where a socket that listens at a port of the system's choice is.
pub(super) fn endpoint(socket: &Socket) -> anyhow::Result<String> {
    let endpoint = socket.get_last_endpoint()?;
    endpoint.map_err(|_| anyhow::anyhow!("libzmq gave no endpoint"))
}
