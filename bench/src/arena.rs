//! Where contests are held: the programs, a folder for each run, and how long it may take.
//!
//! Programs of the project are those beside this one, so they are of the same profile. Peers are
//! subcommands of this program (`peers/mod.rs`), scripts under `bench/peers/` in the Python
//! environment, or what Debian installed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::program::Program;

/// Rounds and sizes of one run, and where its programs are.
pub(crate) struct Arena {
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// What every contest's amount of work is multiplied by.
    pub(crate) scale: f64,
    pub(crate) is_talkative: bool,
}

impl Arena {
    /// So many records, as scaled.
    pub(crate) fn amount(&self, usual: u64) -> u64 {
        (usual as f64 * self.scale).max(1000.0) as u64
    }

    /// A folder that goes with its handle.
    pub(crate) fn folder(&self) -> anyhow::Result<TempDir> {
        tempfile::tempdir().context("there is no room for a temporary folder")
    }

    /// One of the project's programs, without a configuration of the user's.
    pub(crate) fn own(&self, program: &str) -> anyhow::Result<Command> {
        let this = std::env::current_exe()?;
        let path = this.with_file_name(program);
        anyhow::ensure!(
            path.exists(),
            "{} is not built; cargo xtask bench builds it",
            path.display()
        );
        let mut command = Command::new(path);
        command.env("LOGSUB_USER_CONFIG", "").stderr(Stdio::null());
        Ok(command)
    }

    /// A peer that is part of this program, running.
    pub(crate) fn peer(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Program> {
        let mut command = Command::new(std::env::current_exe()?);
        Program::start(command.arg("peer").arg(name).args(arguments))
    }

    /// A Python script of `bench/`.
    pub(crate) fn script(&self, path: &str) -> Command {
        let mut command = Command::new(root().join("target/venv/bin/python"));
        command.arg(root().join("bench").join(path));
        command
    }

    /// Says how it goes.
    #[expect(clippy::print_stderr, reason = "a run takes minutes")]
    pub(crate) fn say(&self, line: &str) {
        if self.is_talkative {
            eprintln!("{line}");
        }
    }
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Sees to it that this program and those that it starts may have so many descriptors each.
pub(crate) fn allow_descriptors(count: u64) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= count {
        return Ok(());
    }
    anyhow::ensure!(
        hard >= count,
        "{count} descriptors are needed, and {hard} allowed: ulimit -Hn"
    );
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// A TCP port of this machine that nobody listens at.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
