//! `proxy`: `zmq_proxy` between an XSUB and an XPUB socket, as the ZeroMQ Guide has it.

use super::{say, socket};

pub(super) fn run(_arguments: &[String]) -> anyhow::Result<()> {
    let context = zmq::Context::new();
    let publishers = socket::open(&context, zmq::XSUB)?;
    publishers.bind("tcp://127.0.0.1:*")?;
    let subscribers = socket::open(&context, zmq::XPUB)?;
    subscribers.bind("tcp://127.0.0.1:*")?;
    say(&format!("publishers {}", socket::endpoint(&publishers)?))?;
    say(&format!("subscribers {}", socket::endpoint(&subscribers)?))?;
    // It goes on until this process is killed.
    Ok(zmq::proxy(&publishers, &subscribers)?)
}
