//! `nats-send` and `nats-receive`: the smallest clients of a NATS server.
//!
//! They speak its text protocol (docs.nats.io/reference/reference-protocols/nats-protocol) over one
//! connection, with buffers as large as a socket's; a full-grown client does more for each message.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use logbus_process as process;

use super::window::{Progress, Window};
use super::{say, wait_for_the_end};
use crate::sample;

/// Bytes of each buffer.
const BUFFER: usize = 64 << 10;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    count: u64,
    /// Where a receiver tells its progress
    #[arg(long)]
    acks: Option<String>,
}

struct Client {
    input: BufReader<TcpStream>,
    output: BufWriter<TcpStream>,
}

impl Client {
    fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            input: BufReader::with_capacity(BUFFER, stream.try_clone()?),
            output: BufWriter::with_capacity(BUFFER, stream),
        };
        client
            .output
            .write_all(b"CONNECT {\"verbose\":false}\r\n")?;
        client.settle()?;
        Ok(client)
    }

    /// Waits until the server has taken in everything so far.
    fn settle(&mut self) -> anyhow::Result<()> {
        self.output.write_all(b"PING\r\n")?;
        self.output.flush()?;
        let mut line = String::new();
        while line != "PONG\r\n" {
            line.clear();
            ensure!(
                self.input.read_line(&mut line)? > 0,
                "the server has closed"
            );
            ensure!(!line.starts_with("-ERR"), "the server says {line}");
        }
        Ok(())
    }

    /// Reads one message into `payload`.
    fn receive(&mut self, line: &mut Vec<u8>, payload: &mut Vec<u8>) -> anyhow::Result<()> {
        loop {
            line.clear();
            self.input.read_until(b'\n', line)?;
            match line.as_slice() {
                [b'M', b'S', b'G', ..] => break,
                b"PING\r\n" => {
                    self.output.write_all(b"PONG\r\n")?;
                    self.output.flush()?;
                }
                b"PONG\r\n" => {}
                other => bail!("the server says {:?}", String::from_utf8_lossy(other)),
            }
        }
        let text = std::str::from_utf8(line)?.trim_end();
        let size = text.rsplit(' ').next().context("no size")?;
        payload.resize(size.parse::<usize>()? + 2, 0);
        Ok(self.input.read_exact(payload)?)
    }
}

pub(super) fn send(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let mut window = Window::open(&zmq::Context::new())?;
    let mut client = Client::connect(arguments.port)?;
    let messages = sample::cookbook();
    window.wait_for_receiver()?;
    say(&format!("begin {}", process::now()))?;
    for (message, _) in messages.iter().cycle().zip(0..arguments.count) {
        while window.is_full() {
            client.output.flush()?;
            window.hear()?;
        }
        window.count();
        write!(client.output, "PUB myapp.http {}\r\n", message.len())?;
        client.output.write_all(message)?;
        client.output.write_all(b"\r\n")?;
    }
    client.output.flush()?;
    say(&format!("sent {}", process::now()))?;
    wait_for_the_end()
}

pub(super) fn receive(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let mut client = Client::connect(arguments.port)?;
    client.output.write_all(b"SUB myapp.> 1\r\n")?;
    client.settle()?;
    let acks = arguments.acks.context("--acks is missing")?;
    let mut progress = Progress::open(&zmq::Context::new(), &acks)?;
    let (mut line, mut payload) = (Vec::new(), Vec::new());
    for received in 1..=arguments.count {
        client.receive(&mut line, &mut payload)?;
        progress.reach(received)?;
    }
    say(&format!("end {}", process::now()))?;
    wait_for_the_end()
}
