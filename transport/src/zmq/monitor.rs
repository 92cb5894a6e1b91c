//! What a socket's monitor tells of its connections (zmq_socket_monitor(3)).

use std::collections::HashMap;

use ::zmq::{Socket, SocketType};

use super::opened::{Opened, broken};
use super::receive;
use crate::message::Message;
use crate::socket::{Error, PeerEvent};

/// A socket that hears of connections that stand and connections that break.
pub(crate) fn monitor(opened: &Opened) -> Result<Socket, Error> {
    const NAME: &str = "inproc://monitor";
    let events = zmq_sys::ZMQ_EVENT_ACCEPTED
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        | zmq_sys::ZMQ_EVENT_DISCONNECTED;
    opened.socket.monitor(NAME, events as i32).map_err(broken)?;
    let pair = opened.context.socket(SocketType::PAIR).map_err(broken)?;
    pair.set_linger(0).map_err(broken)?;
    // libzmq's own thread waits where there is no room.
    pair.set_rcvhwm(0).map_err(broken)?;
    pair.connect(NAME).map_err(broken)?;
    Ok(pair)
}

/// An event's number and its value; see zmq_socket_monitor(3).
pub(crate) fn monitor_event(message: &Message) -> Option<(u32, u32)> {
    let bytes: &[u8; 6] = message.frames().first()?.get(..6)?.try_into().ok()?;
    let [low, high, value @ ..] = *bytes;
    let event = u16::from_ne_bytes([low, high]);
    Some((u32::from(event), u32::from_ne_bytes(value)))
}

/// Connections that stand, by the address that a monitor gives with each event. An attempt that fails
/// before it stands is told of as disconnected as well (libzmq, `stream_engine_base_t::error`), and
/// must not count as the end of a connection to somewhere else.
#[derive(Debug, Default)]
pub(crate) struct Standing(HashMap<Vec<u8>, usize>);

impl Standing {
    fn came(&mut self, address: &[u8]) {
        *self.0.entry(address.to_vec()).or_default() += 1;
    }

    /// Whether one stood there.
    fn went(&mut self, address: &[u8]) -> bool {
        match self.0.get_mut(address) {
            Some(1) => self.0.remove(address).is_some(),
            Some(count) => {
                *count -= 1;
                true
            }
            None => false,
        }
    }
}

/// What a monitor has heard since the last call.
pub(crate) fn peer_events(monitor: &Socket, standing: &mut Standing) -> Vec<PeerEvent> {
    let mut events = Vec::new();
    while let Ok(Some(message)) = receive(monitor) {
        let address: &[u8] = message.frames().get(1).map_or(&[], |frame| frame);
        match monitor_event(&message) {
            Some((zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED, _)) => {
                standing.came(address);
                events.push(PeerEvent::Connected);
            }
            Some((zmq_sys::ZMQ_EVENT_DISCONNECTED, _)) if standing.went(address) => {
                events.push(PeerEvent::Disconnected);
            }
            Some((
                zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                _,
            )) => events.push(PeerEvent::Refused),
            _ => {}
        }
    }
    events
}
