//! What a program has in common with others, whether it talks to pipes or to a terminal: a name,
//! an id, an end that is waited for, and a reader whose news a test waits for.
//!
//! A program ends with its owner at the latest. Where many run at once, a [`Vigil`] on each says
//! which of them ended by itself, so that nobody waits for what cannot come any more.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// A process of ours.
pub(crate) struct Running {
    life: Arc<Life>,
}

/// What others may know of a process while its owner has it.
pub(crate) struct Life {
    name: String,
    id: u32,
    child: Mutex<Child>,
    /// Whether somebody asked it to end, in whatever way.
    is_end_wanted: AtomicBool,
}

impl Life {
    /// How it ended, when it has.
    fn end(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.try_wait().unwrap()
    }
}

impl Running {
    pub(crate) fn new(name: &str, child: Child) -> Self {
        let life = Life {
            name: name.to_owned(),
            id: child.id(),
            child: Mutex::new(child),
            is_end_wanted: AtomicBool::new(false),
        };
        Self {
            life: Arc::new(life),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.life.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.life.id
    }

    pub(crate) fn life(&self) -> Arc<Life> {
        self.life.clone()
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.life.end().is_some()
    }

    /// From now on its end is no surprise.
    pub(crate) fn expect_end(&self) {
        self.life.is_end_wanted.store(true, Ordering::SeqCst);
    }

    pub(crate) fn signal(&self, signal: &str) {
        if !["-STOP", "-CONT"].contains(&signal) {
            self.expect_end();
        }
        let id = self.id().to_string();
        assert!(kill(signal, &id), "kill {signal} {id}, {}", self.name());
    }

    /// Waits for the end, and fails with what `said` returns when it does not come.
    pub(crate) fn wait(&mut self, said: impl FnOnce() -> String) -> ExitStatus {
        self.expect_end();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.life.end() {
                return status;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{} does not end:\n{}", self.name(), said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.expect_end();
        let mut child = self
            .life
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // It has ended already, or the test has failed.
        drop(child.kill());
        drop(child.wait());
    }
}

/// The output of a process, line by line, and how many of its pipes are open still.
pub(crate) struct Output {
    pub(crate) lines: Watched<Vec<String>>,
    open: Watched<usize>,
}

impl Output {
    /// Reads pipes to their ends, each on a thread of its own.
    pub(crate) fn read(pipes: [Box<dyn Read + Send>; 2]) -> Arc<Self> {
        let output = Arc::new(Self {
            lines: Watched::default(),
            open: Watched::new(pipes.len()),
        });
        for pipe in pipes {
            let output = output.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    output.lines.change(|lines| lines.push(line));
                }
                output.open.change(|open| *open -= 1);
            });
        }
        output
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.open.lock() == 0
    }

    /// Waits until all of it was read; a child that lives on may hold the pipes open for longer.
    pub(crate) fn wait_for_end(&self) {
        drop(self.open.wait(PATIENCE, |open| *open == 0));
    }
}

/// An eye on a process of somebody else's.
pub(crate) struct Vigil {
    life: Arc<Life>,
    output: Arc<Output>,
}

impl Vigil {
    pub(crate) fn new(life: Arc<Life>, output: Arc<Output>) -> Self {
        Self { life, output }
    }

    /// What there is to say of a process that ended though nobody wanted it to.
    pub(crate) fn unwanted_end(&self) -> Option<String> {
        let is_wanted = || self.life.is_end_wanted.load(Ordering::SeqCst);
        let status = self.life.end().filter(|_| !is_wanted())?;
        self.output.wait_for_end();
        let lines = self.output.lines.lock().join("\n  ");
        let Life { name, id, .. } = &*self.life;
        Some(format!(
            "{name} ({id}) ended by itself with {status}:\n  {lines}"
        ))
    }

    /// Whether there is still something to look at.
    pub(crate) fn is_over(&self) -> bool {
        self.life.is_end_wanted.load(Ordering::SeqCst)
    }
}

/// Sends a signal to a process, or to a group of them when there is a `-` before the number;
/// whether there was anybody to have it.
pub(crate) fn kill(signal: &str, whom: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args([signal, "--", whom]).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// A value that one thread changes and another one waits for. A test that has failed may have held
/// it, and is no reason to fail again.
#[derive(Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until something is so, or that long at most; the caller looks which.
    pub(crate) fn wait(&self, longest: Duration, is_so: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let is_waiting = |value: &mut T| !is_so(value);
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), longest, is_waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
