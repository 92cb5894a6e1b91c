//! The bus that faults are done to: a broker on ports that stay the same over its lives, publishers
//! that number, and readers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Account, Note};
use crate::{Program, command, free_port, free_port_base, path_of};

/// Longer than a backlog takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The places of one bus.
pub(super) struct Bus {
    pub(super) publishers: String,
    pub(super) subscribers: String,
    pub(super) durable: String,
    pub(super) journal: PathBuf,
    pub(super) folder: tempfile::TempDir,
    lives: u32,
    notes: Vec<String>,
}

impl Bus {
    pub(super) fn new() -> Self {
        let base = free_port_base();
        let at = |port: u16| format!("tcp://127.0.0.1:{port}");
        let folder = tempfile::tempdir().unwrap();
        Self {
            publishers: at(base),
            subscribers: at(base + 1),
            durable: at(free_port()),
            journal: folder.path().join("journal"),
            folder,
            lives: 0,
            notes: Vec::new(),
        }
    }

    /// A place that other hosts reach.
    pub(super) fn at(mut self, host: &str) -> Self {
        let places = [
            &mut self.publishers,
            &mut self.subscribers,
            &mut self.durable,
        ];
        for place in places {
            *place = place.replace("127.0.0.1", host);
        }
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn broker_args(&self, more: &[&str]) -> Vec<String> {
        let places = [
            "--publishers",
            &self.publishers,
            "--subscribers",
            &self.subscribers,
            "--durable-endpoint",
            &self.durable,
            "--journal-min-free",
            "0",
            "--journal",
            self.journal.to_str().unwrap(),
        ];
        [&places, more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn broker(&self, more: &[&str]) -> Program {
        let args = self.broker_args(more);
        let broker = Program::start("bus-broker", &strs(&args));
        broker.wait_for("durable ones to");
        broker
    }

    /// The next life of a publisher in this slot, durable or not: its name, and its arguments.
    pub(super) fn issuer_args(
        &mut self,
        slot: usize,
        rate: u32,
        is_durable: bool,
    ) -> (String, Vec<String>) {
        self.lives += 1;
        let name = format!("w{slot}-{}", self.lives);
        let note = self.path(&format!("{name}.note"));
        self.notes.push(name.clone());
        let (endpoint, spool) = if is_durable {
            (
                &self.durable,
                self.path("spool").to_str().unwrap().to_owned(),
            )
        } else {
            (&self.publishers, String::new())
        };
        let rate = rate.to_string();
        let note = note.to_str().unwrap();
        let args = [endpoint.as_str(), "issue", &name, &rate, note, &spool];
        let args = args.map(str::to_owned).to_vec();
        (name, args)
    }

    pub(super) fn issuer(&mut self, slot: usize, rate: u32, is_durable: bool) -> Issuer {
        let (name, args) = self.issuer_args(slot, rate, is_durable);
        let program = Program::start("test-worker", &strs(&args));
        Issuer { name, program }
    }

    /// A reader of a durable subscription, into a file.
    pub(super) fn durable_reader_args(&self, name: &str) -> Vec<String> {
        let file = self.path(name);
        let args = [
            "--durable",
            name,
            "--durable-endpoint",
            &self.durable,
            "-t",
            "fault",
            "--no-console",
            "--file",
            file.to_str().unwrap(),
            "--format",
            "%(message)s",
        ];
        args.map(str::to_owned).to_vec()
    }

    pub(super) fn durable_reader(&self, name: &str) -> Program {
        Program::start("logsub", &strs(&self.durable_reader_args(name)))
    }

    /// A PUB/SUB reader that counts, into a file.
    pub(super) fn counting_reader(&self, name: &str) -> Program {
        let file = self.path(name);
        let args = [
            "--connect",
            &self.subscribers,
            "-t",
            "fault",
            "-v",
            "--stats",
            "--no-console",
            "--file",
            file.to_str().unwrap(),
            "--format",
            "%(message)s",
        ];
        let reader = Program::start("logsub", &args);
        reader.wait_for("connected to");
        reader
    }

    /// Sends what killed publishers left in their spools.
    pub(super) fn drain(&self) {
        let spool = self.path("spool");
        let spool = spool.to_str().unwrap();
        let args = ["--drain", spool, "--durable-endpoint", &self.durable];
        let args = [&args[..], &["--linger", "20"]].concat();
        Program::start("logpub", &args).succeed();
    }

    /// All that the journal holds, read from its begin to its end.
    pub(super) fn journal_lines(&self) -> String {
        let args = ["--since", "begin", "--no-follow", "--quiet", "-o", "raw"];
        let mut reader = command(path_of("logsub"));
        let reader = reader
            .args(args)
            .args(["--durable-endpoint", &self.durable]);
        output(reader)
    }

    pub(super) fn notes(&self) -> BTreeMap<String, Note> {
        let note = |name: &String| Note::read(&self.path(&format!("{name}.note")));
        let named = self.notes.iter().map(|name| (name.clone(), note(name)));
        named.collect()
    }

    pub(super) fn account(&self, lines: &str) -> Account {
        Account::of(&self.notes(), lines.lines())
    }

    pub(super) fn account_of_file(&self, name: &str) -> Account {
        self.account(&text_of(&self.path(name)))
    }

    /// Waits until a reader's file tells this of a publisher.
    pub(super) fn wait_for_notice(&self, file: &str, name: &str, what: &str) {
        let name = format!("-- {name} (");
        let is_it = |line: &str| line.starts_with(&name) && line.contains(what);
        let deadline = Instant::now() + PATIENCE;
        while !text_of(&self.path(file)).lines().any(is_it) {
            assert!(Instant::now() < deadline, "{file} never told: {name}{what}");
            pause(Duration::from_millis(100));
        }
    }

    /// Waits until a file holds all that is owed to it.
    pub(super) fn wait_for_all(&self, name: &str) -> Account {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let account = self.account_of_file(name);
            if account.missing == 0 || Instant::now() > deadline {
                return account;
            }
            pause(Duration::from_millis(300));
        }
    }
}

/// A publisher that numbers what it says.
pub(super) struct Issuer {
    pub(super) name: String,
    program: Program,
}

impl Issuer {
    pub(super) fn of(name: String, program: Program) -> Self {
        Self { name, program }
    }

    /// Ends them in order; all at once, for each waits for its acknowledgements.
    pub(super) fn end_all(issuers: Vec<Self>) {
        let mut issuers = issuers;
        for issuer in &mut issuers {
            issuer.program.close_input();
        }
        for issuer in issuers {
            issuer.program.succeed();
        }
    }

    pub(super) fn kill(self) {
        kill(self.program);
    }

    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }
}

pub(super) fn kill(program: Program) {
    program.signal("-KILL");
    drop(program.wait());
}

/// Time passes; that is part of the faults.
pub(super) fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

pub(super) fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

pub(super) fn text_of(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a command writes, when it succeeds.
pub(super) fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
