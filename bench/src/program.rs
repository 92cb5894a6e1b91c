//! A program that is measured: started, listened to, asked for its CPU time, and ended.
//!
//! What it says is taken line by line, and waited for within bounds. Its CPU time
//! is what Linux counts for all of its threads. Dropped, it is killed: no contest leaves a program
//! behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, bail};

/// Longer than any line is ever awaited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program, running.
pub(crate) struct Program {
    name: String,
    child: Child,
    said: Receiver<String>,
}

impl Program {
    /// Starts it, to be listened to on standard output.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped());
        Self::spawn(command)
    }

    /// Starts it, to be listened to on standard error, where the project's programs say where they are.
    pub(crate) fn start_telling(command: &mut Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Self::spawn(command)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let path = Path::new(command.get_program());
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let (lines, said) = channel();
        let out: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (None, Some(errors)) => Box::new(errors),
            (None, None) => bail!("there is no pipe"),
        };
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name, child, said })
    }

    /// Waits for a line that begins with this word; gives the rest of it.
    pub(crate) fn wait_for(&self, word: &str) -> anyhow::Result<String> {
        loop {
            let Ok(line) = self.said.recv_timeout(PATIENCE) else {
                bail!(
                    "{} ended or stands still and has not said {word}",
                    self.name
                );
            };
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// The same, where the rest is a number.
    pub(crate) fn wait_for_number<N>(&self, word: &str) -> anyhow::Result<N>
    where
        N: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let rest = self.wait_for(word)?;
        rest.parse()
            .with_context(|| format!("{} said {word} {rest}", self.name))
    }

    /// Gives it a line on standard input, for which a peer waits.
    pub(crate) fn tell(&self, line: &str) -> anyhow::Result<()> {
        let mut input = self.child.stdin.as_ref().context("there is no pipe")?;
        writeln!(input, "{line}").with_context(|| format!("{} has ended", self.name))
    }

    /// The CPU time of all its threads so far, in seconds; in steps of ten milliseconds.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // proc_pid_stat(5): utime and stime are the 14th and 15th; a name with spaces is the second.
        let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: Vec<u64> = behind_name
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse().unwrap_or(0))
            .collect();
        Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
    }

    /// How often its threads had their turn on a processor so far.
    pub(crate) fn turns(&self) -> anyhow::Result<u64> {
        let mut turns = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = std::fs::read_to_string(thread?.path().join("status"))?;
            turns += number_of(&status, "voluntary_ctxt_switches:");
            turns += number_of(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(turns)
    }

    /// Its memory that is resident, in MB of a million bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(number_of(&status, "VmRSS:") as f64 * 1024.0 / 1e6)
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        // A peer ends with its standard input, everybody else by the signal.
        drop(self.child.stdin.take());
        let mut kill = Command::new("kill");
        kill.arg(self.child.id().to_string()).stderr(Stdio::null());
        kill.status().context("cannot run kill")?;
        self.child.wait()?;
        Ok(())
    }
}

/// The number behind a name in a file such as `/proc/PID/status`; 0 where there is none.
fn number_of(status: &str, name: &str) -> u64 {
    let rest = status.lines().find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, and nobody asks any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
