//! Peers: what a contest's contenders are beside, and what feeds and drains all of them alike.
//!
//! Each is a file and a row here, and runs as a process of its own: `logbus-bench peer NAME …`. It says
//! on standard output, a line each, where it is (`at ENDPOINT`), when its first message went
//! (`begin NS`) and when its last one came (`end NS`), in ns since 1970. Who must begin together with
//! others waits for a line. It stays until its standard input ends, so that it can be asked for its CPU
//! time.

mod socket;
pub(crate) mod window;
mod send;
mod receive;
mod publish;
mod publishers;
mod subscribers;
mod proxy;
mod nats;
mod http;
mod drain;
mod call;
mod idle;
mod tick;
mod late;

use std::io::{Read, Write};

use anyhow::{Context, ensure};

/// A peer.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Does what it is for, with its name and the arguments behind it.
    pub(crate) run: fn(&[String]) -> anyhow::Result<()>,
}

/// Every peer.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "send",
        run: send::run,
    },
    Peer {
        name: "receive",
        run: receive::run,
    },
    Peer {
        name: "publish",
        run: publish::run,
    },
    Peer {
        name: "publishers",
        run: publishers::run,
    },
    Peer {
        name: "subscribers",
        run: subscribers::run,
    },
    Peer {
        name: "proxy",
        run: proxy::run,
    },
    Peer {
        name: "nats-send",
        run: nats::send,
    },
    Peer {
        name: "nats-receive",
        run: nats::receive,
    },
    Peer {
        name: "http",
        run: http::run,
    },
    Peer {
        name: "drain",
        run: drain::run,
    },
    Peer {
        name: "call",
        run: call::run,
    },
    Peer {
        name: "tick",
        run: tick::run,
    },
    Peer {
        name: "late",
        run: late::run,
    },
    Peer {
        name: "idle",
        run: idle::run,
    },
];

/// Runs the peer of the name that comes first.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let name = arguments.first().context("which peer?")?;
    let peer = PEERS.iter().find(|peer| peer.name == name);
    (peer
        .with_context(|| format!("there is no peer {name}"))?
        .run)(arguments)
}

/// Says a line at once.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Waits until the contest says that it may go on.
fn wait_for_a_line() -> anyhow::Result<()> {
    let length = std::io::stdin().read_line(&mut String::new())?;
    ensure!(length > 0, "the contest has ended");
    Ok(())
}

/// Waits until nobody needs this peer any more.
fn wait_for_the_end() -> anyhow::Result<()> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
