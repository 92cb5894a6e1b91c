//! `proxy`: `zmq_proxy` between an XSUB and an XPUB socket, as the ZeroMQ Guide has it.

use clap::Parser;

use super::{say, socket};

#[derive(Parser)]
struct Arguments {
    /// Where publishers connect
    #[arg(long)]
    publishers: String,
    /// Where subscribers connect
    #[arg(long)]
    subscribers: String,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let context = zmq::Context::new();
    let publishers = socket::open(&context, zmq::XSUB)?;
    publishers.bind(&arguments.publishers)?;
    let subscribers = socket::open(&context, zmq::XPUB)?;
    subscribers.bind(&arguments.subscribers)?;
    say("ready")?;
    // It goes on until this process is killed.
    Ok(zmq::proxy(&publishers, &subscribers)?)
}
