//! `logpub run`: another program's output on the bus.
//!
//! Two threads read the program's pipes to their ends, so that no last line is lost; this thread
//! passes signals on and waits. A program that left its pipes to a child of its own is waited for
//! a moment longer, not for ever.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use logbus_schemas::{Level, Record};
use logbus_transport::{PollSet, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::Target;
use crate::lines::Lines;
use crate::traceback::{Joiner, Piece};

/// Signals that are the program's business.
const PASSED: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];
/// How long a traceback waits for more of it.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the pipes are read after the program has ended.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The last part of a command's path.
pub(crate) fn program_name(command: &str) -> String {
    let name = std::path::Path::new(command).file_name();
    name.map_or_else(
        || command.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Runs the command; returns the exit code that is passed through.
pub(crate) fn run(target: &Arc<Target>, tee: bool, command: &[String]) -> anyhow::Result<u8> {
    // Watched before the program starts, so that its end cannot be missed.
    let mut signals = Signals::new(PASSED.iter().chain(&[SIGCHLD]))?;
    let mut child = match start(command) {
        Ok(child) => child,
        Err(error) => {
            target.close();
            let code = if error.kind() == ErrorKind::NotFound {
                127
            } else {
                126
            };
            complain(&format!("cannot run {:?}: {error}", command[0]));
            return Ok(code);
        }
    };
    let (done_in, done) = std::sync::mpsc::channel::<()>();
    let pipes = [
        (child.stdout.take().map(OwnedFd::from), Stream::Out),
        (child.stderr.take().map(OwnedFd::from), Stream::Err),
    ];
    for (pipe, stream) in pipes {
        let (pid, name) = (child.id(), program_name(&command[0]));
        let (target, done, joiner) = (target.clone(), done_in.clone(), Joiner::default());
        let reader = Reader {
            target,
            stream,
            tee,
            pid,
            name,
            joiner,
        };
        let read = move || {
            reader.read(pipe.map(File::from));
            drop(done);
        };
        std::thread::Builder::new()
            .name("logpub-reader".to_owned())
            .spawn(read)?;
    }
    drop(done_in);
    let status = wait_and_pass(&mut child, &mut signals)?;
    // The channel closes when both pipes have been read to their ends; a grandchild that keeps
    // one open is not waited for.
    let _closed = done.recv_timeout(LAST_LINES);
    let is_handed_over = target.close();
    let code = exit_code(status);
    Ok(if code == 0 && !is_handed_over {
        1
    } else {
        code
    })
}

fn start(command: &[String]) -> std::io::Result<Child> {
    Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn wait_and_pass(child: &mut Child, signals: &mut Signals) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the program")? {
            return Ok(status);
        }
        for signal in signals.wait() {
            if signal != SIGCHLD {
                logbus_process::send_signal(child.id(), signal);
            }
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// One pipe's reader.
struct Reader {
    target: Arc<Target>,
    stream: Stream,
    tee: bool,
    pid: u32,
    name: String,
    joiner: Joiner,
}

impl Reader {
    fn read(mut self, pipe: Option<File>) {
        let Some(mut pipe) = pipe else { return };
        let mut lines = Lines::default();
        let mut chunk = vec![0; 64 << 10];
        loop {
            self.let_go_after_a_pause(&pipe);
            match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    self.copy(&chunk[..length]);
                    self.publish(lines.push(&chunk[..length]));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.publish(lines.end());
        let last = self.joiner.end();
        self.publish_pieces(last);
    }

    /// A traceback that nothing follows must not wait for the next line.
    fn let_go_after_a_pause(&mut self, pipe: &File) {
        if !self.joiner.is_holding() {
            return;
        }
        let begun = Instant::now();
        let mut set = PollSet::new();
        set.add_fd(pipe.as_raw_fd(), false);
        if wait(&mut set, Some(PAUSE)).is_err() || begun.elapsed() >= PAUSE {
            let held = self.joiner.end();
            self.publish_pieces(held);
        }
    }

    fn copy(&self, bytes: &[u8]) {
        if !self.tee {
            return;
        }
        // Whoever closed our output still wants the records on the bus.
        match self.stream {
            Stream::Out => drop(std::io::stdout().write_all(bytes)),
            Stream::Err => drop(std::io::stderr().write_all(bytes)),
        }
    }

    fn publish(&mut self, lines: Vec<String>) {
        for line in lines {
            let pieces = match self.stream {
                Stream::Out => vec![Piece::Line(line)],
                Stream::Err => self.joiner.push(line),
            };
            self.publish_pieces(pieces);
        }
    }

    fn publish_pieces(&self, pieces: Vec<Piece>) {
        for piece in pieces {
            let mut record = self.record(piece);
            record.set("process", self.pid);
            record.set("processName", self.name.as_str());
            record.set(
                "stream",
                if matches!(self.stream, Stream::Out) {
                    "stdout"
                } else {
                    "stderr"
                },
            );
            self.target.publisher.publish(&record);
        }
    }

    fn record(&self, piece: Piece) -> Record {
        let level = match self.stream {
            Stream::Out => self.target.level,
            Stream::Err => one_higher(self.target.level),
        };
        match piece {
            Piece::Line(line) => self.target.record_at(level, &line),
            Piece::Traceback { exception, text } => {
                let mut record = self.target.record_at(level.max(Level::ERROR), &exception);
                record.set("exc_text", text);
                record
            }
        }
    }
}

/// The next of Python's levels.
fn one_higher(level: Level) -> Level {
    let next = (level.0 / 10 + 1) * 10;
    Level(next.min(Level::CRITICAL.0.max(level.0)))
}

#[allow(clippy::print_stderr, reason = "this is the program that speaks")]
fn complain(line: &str) {
    eprintln!("logpub: {line}");
}
