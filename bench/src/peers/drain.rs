//! `drain`: a SUB socket that listens, takes whatever comes, and forgets it.

use zmq::Message;

use super::{say, socket};

pub(super) fn run(_arguments: &[String]) -> anyhow::Result<()> {
    let context = zmq::Context::new();
    let receiver = socket::open(&context, zmq::SUB)?;
    receiver.set_subscribe(b"")?;
    receiver.bind("tcp://127.0.0.1:*")?;
    say(&format!("at {}", socket::endpoint(&receiver)?))?;
    // It is ended by a signal.
    let mut message = Message::new();
    loop {
        receiver.recv(&mut message, 0)?;
    }
}
