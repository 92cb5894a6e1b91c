//! What stands between publishers and subscribers in contests: a broker or a peer of its kind.
//!
//! Each is started on ports of its own, with queues of which a half is larger than a window, so that it has
//! no reason to drop anything (`bench/src/peers/socket.rs`).

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::arena::{Arena, free_port};
use crate::program::Program;

use super::{figures, rest};

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port of the system's choice.
pub(super) const ANYWHERE: &str = "tcp://127.0.0.1:0";

/// A broker, running, with its two sides.
pub(super) struct Bus {
    program: Program,
    publishers: String,
    subscribers: String,
}

impl Bus {
    /// `bus-broker`, with a journal where a folder for it is given.
    pub(super) fn own(arena: &Arena, journal: Option<&Path>) -> anyhow::Result<Self> {
        let mut command = arena.own("bus-broker")?;
        command.args(["--publishers", ANYWHERE, "--subscribers", ANYWHERE]);
        command.args(["--subscriber-queue", "100000"]);
        if let Some(folder) = journal {
            command.arg("--journal").arg(folder);
            command.args(["--journal-topics", "*", "--durable-endpoint", ANYWHERE]);
        }
        let program = Program::start_telling(&mut command)?;
        let said = program.wait_for("bus-broker: publishers connect to ")?;
        let mut places = said.split(", ");
        let publishers = places.next().unwrap_or_default().to_owned();
        let subscribers = places
            .next()
            .and_then(|p| p.strip_prefix("subscribers to "));
        Ok(Self {
            program,
            publishers,
            subscribers: subscribers.context(said.clone())?.to_owned(),
        })
    }

    /// `zmq_proxy`.
    pub(super) fn proxy(arena: &Arena) -> anyhow::Result<Self> {
        let program = arena.peer("proxy", &[])?;
        Ok(Self {
            publishers: program.wait_for("publishers")?,
            subscribers: program.wait_for("subscribers")?,
            program,
        })
    }

    /// Rate, and CPU time of the broker, of messages from one sender to one receiving process.
    pub(super) fn pass(&self, arena: &Arena, flow: &Flow) -> anyhow::Result<Vec<f64>> {
        let count = flow.count.to_string();
        let mut send = vec![
            "--connect",
            &self.publishers,
            "--count",
            &count,
            "--windowed",
        ];
        let topics = flow.topics.unwrap_or(1).to_string();
        if flow.topics.is_some() {
            send.extend(["--native", &topics]);
        }
        let sender = arena.peer("send", &send)?;
        let acks = sender.wait_for("acks")?;
        let mut receive = vec!["--connect", &self.subscribers, "--count", &count];
        receive.extend(["--acks", &acks]);
        if flow.topics.is_some_and(|topics| topics > 1) {
            receive.extend(["--topics", &topics]);
        }
        let receiver = arena.peer("receive", &receive)?;
        self.measure(&sender, &receiver, flow.count)
    }

    /// The same for the records of a native publisher, which is started with these arguments.
    pub(super) fn pass_records(
        &self,
        arena: &Arena,
        count: u64,
        arguments: &[&str],
    ) -> anyhow::Result<Vec<f64>> {
        let number = count.to_string();
        let publish = [
            "--connect",
            &self.publishers,
            "--count",
            &number,
            "--windowed",
        ];
        let sender = arena.peer("publish", &[&publish, arguments].concat())?;
        let acks = sender.wait_for("acks")?;
        let receive = [
            "--connect",
            &self.subscribers,
            "--count",
            &number,
            "--records",
        ];
        let receive = [receive.as_slice(), &["--acks", &acks]].concat();
        let receiver = arena.peer("receive", &receive)?;
        self.measure(&sender, &receiver, count)
    }

    fn measure(
        &self,
        sender: &Program,
        receiver: &Program,
        count: u64,
    ) -> anyhow::Result<Vec<f64>> {
        measure(&self.program, sender, receiver, count)
    }

    /// Rate, CPU time of the broker, and the memory in KiB that it takes for one publisher: of the records
    /// of many publishers to subscribers that get all of them.
    pub(super) fn pass_crowd(&self, arena: &Arena, crowd: &Crowd) -> anyhow::Result<Vec<f64>> {
        let publishers = crowd.start(arena, &self.publishers)?;
        let acks: Vec<String> = wait_for_all(&publishers, "acks")?;
        let (sockets, first) = (crowd.subscribers.to_string(), crowd.publishers.to_string());
        let (count, acks) = (crowd.count().to_string(), acks.join(","));
        let mut receive = vec!["--connect", &self.subscribers, "--sockets", &sockets];
        receive.extend(["--first", &first, "--count", &count, "--acks", &acks]);
        let receiver = arena.peer("subscribers", &receive)?;
        receiver.wait_for("subscribed")?;
        let without = self.program.resident()?;
        tell_all(&publishers, "connect")?;
        wait_for_all::<String>(&publishers, "connected")?;
        receiver.wait_for("first")?;
        let memory = (self.program.resident()? - without) * 1e6 / 1024.0;
        let before = self.program.cpu()?;
        tell_all(&publishers, "begin")?;
        let begins: Vec<u64> = wait_for_all(&publishers, "begin")?;
        let begin = begins.into_iter().min().context("there is no publisher")?;
        let end = receiver.wait_for_number("end")?;
        let mut figures = figures(crowd.count(), begin, end, self.program.cpu()? - before);
        figures.push(memory / crowd.publishers as f64);
        Ok(figures)
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        self.program.end()
    }
}

/// What goes through a bus.
pub(super) struct Flow {
    pub(super) count: u64,
    /// Native messages of one record, on so many topics; none: messages of the Cookbook's handler.
    pub(super) topics: Option<u64>,
}

/// Publishers with native messages of one record, and subscribers that get all of them.
pub(super) struct Crowd {
    pub(super) publishers: u64,
    /// In which the publishers are, as many in each.
    pub(super) processes: u64,
    pub(super) subscribers: u64,
    /// Records of each publisher.
    pub(super) each: u64,
}

impl Crowd {
    fn count(&self) -> u64 {
        self.publishers * self.each
    }

    /// The publishers' processes, which do not connect yet.
    fn start(&self, arena: &Arena, endpoint: &str) -> anyhow::Result<Vec<Program>> {
        let sockets = (self.publishers / self.processes).to_string();
        let (processes, each) = (self.processes.to_string(), self.each.to_string());
        let start = |number: u64| {
            let number = number.to_string();
            let mut publish = vec!["--connect", endpoint, "--sockets", &sockets];
            publish.extend(["--processes", &processes, "--number", &number]);
            publish.extend(["--each", &each]);
            arena.peer("publishers", &publish)
        };
        (0..self.processes).map(start).collect()
    }
}

fn tell_all(programs: &[Program], line: &str) -> anyhow::Result<()> {
    programs.iter().try_for_each(|program| program.tell(line))
}

/// What each of them says behind this word.
fn wait_for_all<N>(programs: &[Program], word: &str) -> anyhow::Result<Vec<N>>
where
    N: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let said = programs.iter().map(|program| program.wait_for_number(word));
    said.collect()
}

/// The same work for `nats-server`.
pub(super) fn nats(arena: &Arena, count: u64) -> anyhow::Result<Vec<f64>> {
    let (port, count_text) = (free_port()?, count.to_string());
    let mut command = Command::new("/usr/sbin/nats-server");
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    let server = Program::start(command.stderr(Stdio::null()))?;
    wait_until_open(port)?;
    let port = port.to_string();
    let client = ["--port", &port, "--count", &count_text];
    let sender = arena.peer("nats-send", &client)?;
    let acks = sender.wait_for("acks")?;
    let receive = [client.as_slice(), &["--acks", &acks]].concat();
    let receiver = arena.peer("nats-receive", &receive)?;
    let result = measure(&server, &sender, &receiver, count);
    server.end()?;
    result
}

fn measure(
    bus: &Program,
    sender: &Program,
    receiver: &Program,
    count: u64,
) -> anyhow::Result<Vec<f64>> {
    let begin = sender.wait_for_number("begin")?;
    let before = bus.cpu()?;
    let end = receiver.wait_for_number("end")?;
    Ok(figures(count, begin, end, bus.cpu()? - before))
}

fn wait_until_open(port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            bail!("nobody listens at port {port}");
        }
        rest();
    }
    Ok(())
}
