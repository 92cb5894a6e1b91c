//! The bus that faults are done to: a broker on ports that stay the same over its lives, publishers
//! that number, and readers.
//!
//! Whoever is started here is watched: while a fault waits for anything, a program that ended though
//! nobody ended it fails the run at once, with what it said. What came of the records is reckoned in
//! `reckoning.rs`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Note;
use crate::running::Vigil;
use crate::{Program, free_port, free_port_base, path_of};

/// Longer than a backlog takes on a slow machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
/// How often the programs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where a broker is found.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) publishers: String,
    pub(super) subscribers: String,
    pub(super) durable: String,
}

impl Places {
    /// The same with other words in all of them.
    pub(super) fn replace(&self, from: &str, to: &str) -> Self {
        Self {
            publishers: self.publishers.replace(from, to),
            subscribers: self.subscribers.replace(from, to),
            durable: self.durable.replace(from, to),
        }
    }
}

/// One bus, its places and its files.
pub(super) struct Bus {
    /// Where its broker listens.
    pub(super) own: Places,
    /// Where publishers dial.
    pub(super) from_publishers: Places,
    /// Where readers dial.
    pub(super) from_readers: Places,
    pub(super) journal: PathBuf,
    pub(super) folder: tempfile::TempDir,
    /// What all programs find in their environment.
    pub(super) environment: Vec<(String, String)>,
    /// What is put before the names of all programs: a command that runs others.
    pub(super) begin_with: Vec<String>,
    lives: u32,
    names: Vec<String>,
    vigils: RefCell<Vec<Vigil>>,
}

impl Bus {
    pub(super) fn new() -> Self {
        let base = free_port_base();
        let at = |port: u16| format!("tcp://127.0.0.1:{port}");
        let own = Places {
            publishers: at(base),
            subscribers: at(base + 1),
            durable: at(free_port()),
        };
        let folder = tempfile::tempdir().unwrap();
        Self {
            from_publishers: own.clone(),
            from_readers: own.clone(),
            own,
            journal: folder.path().join("journal"),
            folder,
            environment: Vec::new(),
            begin_with: Vec::new(),
            lives: 0,
            names: Vec::new(),
            vigils: RefCell::default(),
        }
    }

    /// PUB/SUB over NNG in place of ZeroMQ.
    pub(super) fn over_nng(mut self) -> Self {
        for places in [
            &mut self.own,
            &mut self.from_publishers,
            &mut self.from_readers,
        ] {
            places.publishers.insert_str(0, "nng+");
            places.subscribers.insert_str(0, "nng+");
        }
        self
    }

    /// A place that other hosts reach.
    pub(super) fn at(mut self, host: &str) -> Self {
        self.own = self.own.replace("127.0.0.1", host);
        self.from_publishers = self.own.clone();
        self.from_readers = self.own.clone();
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    // ---- Starting, and being watched.

    /// Starts a program of ours, which is watched from then on.
    pub(super) fn start(&self, program: &str, args: &[String]) -> Program {
        self.start_with(program, args, &[])
    }

    pub(super) fn start_with(
        &self,
        program: &str,
        args: &[String],
        environment: &[(&str, &str)],
    ) -> Program {
        let own = self.environment.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = own.chain(environment.iter().copied()).collect();
        let program = match self.begin_with.split_first() {
            None => Program::start_with(program, &strs(args), &all),
            Some((first, rest)) => {
                let path = path_of(program);
                let rest = [&strs(rest)[..], &[path.to_str().unwrap()], &strs(args)].concat();
                Program::start_path_with(first, &rest, &all)
            }
        };
        self.watch(&program);
        program
    }

    pub(super) fn watch(&self, program: &Program) {
        self.vigils.borrow_mut().push(program.vigil());
    }

    /// Fails when somebody ended by itself.
    pub(super) fn check(&self) {
        let mut vigils = self.vigils.borrow_mut();
        vigils.retain(|vigil| !vigil.is_over());
        let ends: Vec<String> = vigils.iter().filter_map(Vigil::unwanted_end).collect();
        assert!(ends.is_empty(), "{}", ends.join("\n"));
    }

    /// Time passes; that is part of the faults.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.check();
            std::thread::park_timeout(left.min(LOOK_EVERY));
        }
    }

    /// Waits until something is so, or as long as it may take; whether it is.
    pub(super) fn until(&self, is_so: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_so = is_so();
            if is_so || Instant::now() > deadline {
                return is_so;
            }
            self.pause(LOOK_EVERY * 2);
        }
    }

    /// Waits for an end, which is a success.
    pub(super) fn succeed(&self, mut program: Program) -> Vec<String> {
        self.wait_for_end(&mut program);
        program.succeed()
    }

    /// Waits for an end of any kind; what was said until then.
    pub(super) fn wait(&self, mut program: Program) -> Vec<String> {
        self.wait_for_end(&mut program);
        program.wait().1
    }

    fn wait_for_end(&self, program: &mut Program) {
        program.close_input();
        program.expect_end();
        self.until(|| program.is_over());
    }

    // ---- The broker.

    pub(super) fn broker_args(&self, more: &[&str]) -> Vec<String> {
        let places = [
            "--publishers",
            &self.own.publishers,
            "--subscribers",
            &self.own.subscribers,
            "--durable-endpoint",
            &self.own.durable,
            "--journal-min-free",
            "0",
            "--journal",
            self.journal.to_str().unwrap(),
        ];
        owned(&[&places, more].concat())
    }

    pub(super) fn broker(&self, more: &[&str]) -> Program {
        let broker = self.start("bus-broker", &self.broker_args(more));
        broker.wait_for("durable ones to");
        broker
    }

    // ---- Publishers.

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
        self.names.push(name.clone());
        let places = &self.from_publishers;
        let spool = self.path("spool");
        let (endpoint, spool) = if is_durable {
            (&places.durable, spool.to_str().unwrap())
        } else {
            (&places.publishers, "")
        };
        let (rate, note) = (rate.to_string(), note.to_str().unwrap());
        let args = owned(&[endpoint, "issue", &name, &rate, note, spool]);
        (name, args)
    }

    pub(super) fn issuer(&mut self, slot: usize, rate: u32, is_durable: bool) -> Issuer {
        self.issuer_with(slot, rate, is_durable, &[])
    }

    pub(super) fn issuer_with(
        &mut self,
        slot: usize,
        rate: u32,
        is_durable: bool,
        environment: &[(&str, &str)],
    ) -> Issuer {
        let (name, args) = self.issuer_args(slot, rate, is_durable);
        let program = self.start_with("test-worker", &args, environment);
        Issuer { name, program }
    }

    /// As many publishers, which share the rate.
    pub(super) fn issuers(&mut self, count: usize, rate: u32, is_durable: bool) -> Vec<Issuer> {
        let rate = rate / count as u32;
        (0..count)
            .map(|slot| self.issuer(slot, rate, is_durable))
            .collect()
    }

    /// Ends publishers all at once, for each waits for its acknowledgements.
    pub(super) fn end_all(&self, mut issuers: Vec<Issuer>) {
        for issuer in &mut issuers {
            issuer.program.expect_end();
            issuer.program.close_input();
        }
        for issuer in issuers {
            self.succeed(issuer.program);
        }
    }

    /// Sends what killed publishers left in their spools; what was said of it.
    pub(super) fn drain(&self) -> Vec<String> {
        let program = self.start_drain();
        self.succeed(program)
    }

    pub(super) fn start_drain(&self) -> Program {
        let spool = self.path("spool");
        let durable = self.from_publishers.durable.as_str();
        let args = ["--drain", spool.to_str().unwrap(), "--linger", "20"];
        let args = owned(&[&args[..], &["--durable-endpoint", durable]].concat());
        let program = self.start("logpub", &args);
        program.expect_end();
        program
    }

    // ---- Readers.

    /// A reader of a durable subscription, into a file.
    pub(super) fn durable_reader_args(&self, name: &str) -> Vec<String> {
        let file = self.path(name);
        let durable = self.from_readers.durable.as_str();
        let args = ["--durable", name, "--durable-endpoint", durable];
        owned(&[&args[..], &into_file(&file)].concat())
    }

    pub(super) fn durable_reader(&self, name: &str) -> Program {
        let reader = self.start("logsub", &self.durable_reader_args(name));
        // One that begins while nobody answers ends soon, as it says that it does.
        reader.wait_for("reading the journal");
        reader
    }

    /// The arguments of a PUB/SUB reader that counts, into a file.
    pub(super) fn counting_reader_args(&self, name: &str) -> Vec<String> {
        let file = self.path(name);
        let args = ["--connect", &self.from_readers.subscribers, "-v", "--stats"];
        owned(&[&args[..], &into_file(&file)].concat())
    }

    pub(super) fn counting_reader(&self, name: &str) -> Program {
        let reader = self.start("logsub", &self.counting_reader_args(name));
        reader.wait_for("connected to");
        reader
    }

    // ---- What publishers noted.

    /// The names of all publishers so far, and what each of them noted.
    pub(super) fn named_notes(&self) -> impl Iterator<Item = (String, Note)> {
        let note = |name: &String| Note::read(&self.path(&format!("{name}.note")));
        self.names
            .iter()
            .map(move |name| (name.clone(), note(name)))
    }
}

fn into_file(file: &Path) -> [&str; 7] {
    let file = file.to_str().unwrap();
    let format = "%(message)s";
    [
        "-t",
        "fault",
        "--no-console",
        "--file",
        file,
        "--format",
        format,
    ]
}

/// A publisher that numbers what it says.
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) program: Program,
}

impl Issuer {
    pub(super) fn of(name: String, program: Program) -> Self {
        Self { name, program }
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

pub(super) fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

pub(super) fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

pub(super) fn text_of(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    // A soak's file is larger than what else there is in memory.
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What a command writes, when it succeeds.
pub(super) fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
