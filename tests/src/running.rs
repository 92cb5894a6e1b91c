//! What a program has in common with others, whether it talks to pipes or to a terminal: a name,
//! an id, an end that is waited for, and a reader whose news a test waits for.
//!
//! A program ends with its owner at the latest.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// A process of ours.
pub(crate) struct Running {
    name: String,
    child: Child,
}

impl Running {
    pub(crate) fn new(name: &str, child: Child) -> Self {
        Self {
            name: name.to_owned(),
            child,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(kill(signal, &id), "kill {signal} {id}, {}", self.name);
    }

    /// Waits for the end, and fails with what `said` returns when it does not come.
    pub(crate) fn wait(&mut self, said: impl FnOnce() -> String) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{} does not end:\n{}", self.name, said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
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
