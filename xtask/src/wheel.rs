//! The Python package: its wheel, built and installed into the environment under `target/`, and
//! its tests there.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::run;
use crate::setup::{root, venv_python};

/// Where the wheel is put.
const WHEELS: &str = "target/wheels";

/// Builds the wheel with a profile of Cargo's, and installs it.
pub(crate) fn install(profile: &str) -> anyhow::Result<()> {
    let wheel = build(profile)?;
    let mut pip = Command::new(venv_python());
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    run(pip.arg("--force-reinstall").arg(wheel))
}

/// Runs the package's tests against the wheel that is installed.
pub(crate) fn test() -> anyhow::Result<()> {
    let mut pytest = Command::new(venv_python());
    pytest.args(["-m", "pytest", "-c", "publisher/python/pyproject.toml"]);
    run(pytest
        .args(["--rootdir", "publisher/python", "publisher/python/tests"])
        .env("LOGBUS_WHEELS", root().join(WHEELS)))
}

fn build(profile: &str) -> anyhow::Result<PathBuf> {
    let wheels = root().join(WHEELS);
    // maturin changes the library that Cargo built in place, and cannot do so twice.
    for stale in [
        "target/debug/deps/lib_logbus.so",
        "target/release/deps/lib_logbus.so",
    ] {
        drop(fs::remove_file(root().join(stale)));
    }
    drop(fs::remove_dir_all(&wheels));
    let bin = root().join("target/venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [bin.clone()]
            .into_iter()
            .chain(std::env::split_paths(&path)),
    )?;
    let mut maturin = Command::new(bin.join("maturin"));
    maturin.args([
        "build",
        "--quiet",
        "--auditwheel",
        "repair",
        "--profile",
        profile,
    ]);
    maturin.args([
        "--manifest-path",
        "publisher/python/Cargo.toml",
        "--out",
        WHEELS,
    ]);
    run(maturin
        .arg("--interpreter")
        .arg(venv_python())
        .env("PATH", path))?;
    let built = fs::read_dir(&wheels)?.filter_map(|entry| Some(entry.ok()?.path()));
    built
        .filter(|path| path.extension() == Some(OsStr::new("whl")))
        .max()
        .context("maturin has built no wheel")
}
