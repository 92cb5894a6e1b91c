//! A world for one test: a folder, real programs on endpoints of their own, and waiting on what
//! they say.
//!
//! Programs are found beside the test's own executable, where `cargo xtask test` has built them.
//! Nothing sleeps: a test waits for a line of output, or fails with everything that was said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail"
)]
#![allow(missing_docs, reason = "names say it; the readers are tests")]

mod running;
mod terminal;
mod keys;
pub mod picture;
mod ports;
mod rsyslog;
pub mod faults;
#[path = "../../subscriber/src/handler/seq/conformance_server.rs"]
pub mod seq_server;

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Publisher};

pub use ports::{free_port, free_port_base};
pub use rsyslog::Rsyslog;
pub use terminal::Terminal;

use running::{Output, Running, Vigil};

/// Longer than anything takes on a slow machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often somebody who waits looks whether there is somebody left to wait for.
const BETWEEN: Duration = Duration::from_millis(20);

/// A running program and what it said so far.
pub struct Program {
    running: Running,
    input: Option<ChildStdin>,
    output: Arc<Output>,
}

impl Program {
    pub fn start(program: &str, args: &[&str]) -> Self {
        Self::start_with(program, args, &[])
    }

    pub fn start_with(program: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(path_of(program));
        command.args(args).envs(environment.iter().copied());
        Self::spawn(program, &mut command)
    }

    /// A program of the system.
    pub fn start_path(path: &str, args: &[&str]) -> Self {
        Self::start_path_with(path, args, &[])
    }

    pub fn start_path_with(path: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(path);
        command.args(args).envs(environment.iter().copied());
        Self::spawn(path, &mut command)
    }

    pub fn python(script: &str, args: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("senders")
            .join(script);
        let mut command = command(python());
        command.arg(&script).args(args);
        Self::spawn("python", &mut command)
    }

    /// A module of the environment's Python, as `python -m` runs it.
    pub fn python_module(module: &str, args: &[&str]) -> Self {
        let mut command = command(python());
        command.args(["-u", "-m", module]).args(args);
        Self::spawn(module, &mut command)
    }

    fn spawn(name: &str, command: &mut Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Output::read([
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ]);
        Self {
            input: child.stdin.take(),
            running: Running::new(name, child),
            output,
        }
    }

    /// The first line that holds `text`, once it was said.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_count(text, 1)
    }

    /// Waits until that many lines hold `text`; the last of them.
    pub fn wait_for_count(&self, text: &str, count: usize) -> String {
        let found = |lines: &Vec<String>| {
            lines
                .iter()
                .filter(|line| line.contains(text))
                .nth(count - 1)
                .cloned()
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked first: what was said before the end is seen then.
            let is_over = self.is_over();
            let is_found = |lines: &Vec<String>| found(lines).is_some();
            let lines = self.output.lines.wait(BETWEEN, is_found);
            if let Some(line) = found(&lines) {
                return line;
            }
            assert!(
                !is_over && Instant::now() < deadline,
                "{} never said {text:?} {count} times, but:\n{}",
                self.running.name(),
                shown(&lines)
            );
        }
    }

    /// Waits for a line that holds `text`, and asks for it again and again: a PUB socket cannot
    /// tell its user from when on somebody listens.
    pub fn wait_for_answer(&self, text: &str, ask: impl FnMut()) {
        self.wait_for_answer_within(BETWEEN, text, ask);
    }

    /// The same, with so much time for each answer.
    pub fn wait_for_answer_within(&self, between: Duration, text: &str, mut ask: impl FnMut()) {
        let deadline = Instant::now() + PATIENCE;
        let is_said = |lines: &Vec<String>| lines.iter().any(|line| line.contains(text));
        while Instant::now() < deadline {
            ask();
            if is_said(&self.output.lines.wait(between, is_said)) {
                return;
            }
        }
        panic!(
            "{} never said {text:?}, but:\n{}",
            self.running.name(),
            shown(&self.lines())
        );
    }

    pub fn id(&self) -> u32 {
        self.running.id()
    }

    pub fn lines(&self) -> Vec<String> {
        self.output.lines.lock().clone()
    }

    pub fn signal(&self, signal: &str) {
        assert!(
            !self.running.has_ended(),
            "{} is to have {signal}, but ended by itself:\n{}",
            self.running.name(),
            shown(&self.lines())
        );
        self.running.signal(signal);
    }

    /// Writes to its standard input.
    pub fn say(&mut self, text: &str) {
        let input = self.input.as_mut().expect("standard input is open");
        std::io::Write::write_all(input, text.as_bytes()).expect("it reads");
    }

    pub fn close_input(&mut self) {
        drop(self.input.take());
    }

    /// From now on its end is no surprise, though nobody here ends it.
    pub fn expect_end(&self) {
        self.running.expect_end();
    }

    /// Whether it has ended, and all that it said is here.
    pub fn is_over(&self) -> bool {
        self.running.has_ended() && self.output.is_over()
    }

    pub(crate) fn vigil(&self) -> Vigil {
        Vigil::new(self.running.life(), self.output.clone())
    }

    /// Waits for the end; everything that was said.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        self.close_input();
        let output = &self.output;
        let status = self.running.wait(|| shown(&output.lines.lock()));
        self.output.wait_for_end();
        (status, self.lines())
    }

    /// Waits for an end that is a success.
    pub fn succeed(self) -> Vec<String> {
        let name = self.running.name().to_owned();
        let (status, lines) = self.wait();
        assert!(
            status.success(),
            "{name} ended with {status}:\n{}",
            shown(&lines)
        );
        lines
    }

    /// Asks for an end, and waits for it.
    pub fn stop(self) -> Vec<String> {
        self.signal("-INT");
        self.succeed()
    }
}

/// A program whose user has no defaults of their own, as the one at this machine may have.
fn command(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.env("LOGSUB_USER_CONFIG", "");
    command
}

fn shown(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines.iter().take(200) {
        writeln!(text, "  {line}").unwrap();
    }
    text
}

/// Where a program of this workspace was built.
pub fn path_of(program: &str) -> PathBuf {
    let beside = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join(program);
    assert!(
        beside.exists(),
        "{} is not built; run the tests with: cargo xtask test",
        beside.display()
    );
    beside
}

fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join("target/venv/bin/python");
    assert!(
        python.exists(),
        "no Python with pyzmq and pynng; run the tests with: cargo xtask test"
    );
    python
}

/// The endpoint of a scheme in a line such as `receiving at tcp://127.0.0.1:40001 and …`.
pub fn endpoint_in(line: &str, scheme: &str) -> String {
    let begin = format!("{scheme}://");
    let found = line.split([' ', ',']).find(|word| word.starts_with(&begin));
    found
        .unwrap_or_else(|| panic!("no {scheme} endpoint in {line:?}"))
        .to_owned()
}

/// A `logsub` that listens on both transports, with more arguments.
pub struct Logsub {
    pub program: Program,
    pub zmq: String,
    pub nng: String,
}

impl Logsub {
    pub fn bound(args: &[&str]) -> Self {
        Self::bound_with(args, &[])
    }

    pub fn bound_with(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut all = vec![
            "--bind",
            "tcp://127.0.0.1:0,nng+tcp://127.0.0.1:0",
            "--stats",
        ];
        all.extend(args);
        let program = Program::start_with("logsub", &all, environment);
        let zmq = endpoint_in(&program.wait_for("receiving at tcp://"), "tcp");
        let nng = endpoint_in(&program.wait_for("receiving at nng+tcp://"), "nng+tcp");
        Self { program, zmq, nng }
    }
}

/// A broker on ports of its own.
pub struct Broker {
    pub program: Program,
    pub publishers: [String; 2],
    pub subscribers: [String; 2],
}

impl Broker {
    pub fn start(args: &[&str]) -> Self {
        let both = "tcp://127.0.0.1:0,nng+tcp://127.0.0.1:0";
        let mut all = vec!["--publishers", both, "--subscribers", both];
        all.extend(args);
        let program = Program::start("bus-broker", &all);
        let line = program.wait_for("publishers connect to");
        let (publishers, subscribers) = line.split_once("subscribers to").unwrap();
        let each = |text| ["tcp", "nng+tcp"].map(|scheme| endpoint_in(text, scheme));
        Self {
            publishers: each(publishers),
            subscribers: each(subscribers),
            program,
        }
    }
}

/// Publishers of as many programs, `web-0`, `web-1` and so on, which hold what nobody wants yet.
pub fn publishers(count: usize, endpoint: &str) -> Vec<Publisher> {
    let publisher = |n: usize| {
        let mut config = Config::connect([endpoint.parse().unwrap()]);
        config.program = format!("web-{n}");
        config.hold = PATIENCE;
        Publisher::new(config).unwrap()
    };
    (0..count).map(publisher).collect()
}

/// The sums of a `--stats` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub received: u64,
    pub lost: u64,
    pub discarded: u64,
    pub malformed: u64,
    pub earlier: u64,
}

impl Sums {
    pub fn of(lines: &[String]) -> Self {
        let line = lines
            .iter()
            .find(|line| line.starts_with("all senders"))
            .expect("a table");
        let numbers: Vec<u64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [
            received,
            lost,
            discarded,
            _late,
            _duplicate,
            malformed,
            earlier,
        ] = numbers[..]
        else {
            panic!("other columns: {line}")
        };
        Self {
            received,
            lost,
            discarded,
            malformed,
            earlier,
        }
    }

    /// Everything that is accounted for.
    pub fn all(&self) -> u64 {
        self.received + self.lost + self.discarded + self.malformed + self.earlier
    }
}

/// The first line of a file that holds `text`, once it is there.
pub fn wait_for_file(path: &Path, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let content = std::fs::read_to_string(path).unwrap_or_default();
        let found = content.lines().find(|line| line.contains(text));
        if found.is_some() || (text.is_empty() && path.exists()) {
            return found.unwrap_or_default().to_owned();
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("{} never held {text:?}", path.display());
}
