//! An rsyslog of a test's own: Debian's program with a folder and a socket for itself.
//!
//! It needs no root and touches nothing of the system's rsyslog. It ends with the test.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::Program;

pub struct Rsyslog {
    dir: TempDir,
    program: Program,
    log: UnixDatagram,
}

impl Rsyslog {
    /// One that hands everything to `omczmq` with these options. `{dir}` stands for its folder.
    pub fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let options = options.replace("{dir}", &path(""));
        let config = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             module(load=\"omczmq\")\n\
             input(type=\"imuxsock\" Socket=\"{}\")\n\
             action(type=\"omczmq\" {options})\n",
            path("log")
        );
        std::fs::write(path("conf"), config).unwrap();
        let args = ["-n", "-f", &path("conf"), "-i", &path("pid")];
        Self {
            program: Program::start_path("/usr/sbin/rsyslogd", &args),
            log: UnixDatagram::unbound().unwrap(),
            dir,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Logs as a program does with syslog(3).
    pub fn log(&self, message: &str) {
        // Until it listens there is nobody to take it.
        drop(self.log.send_to(message.as_bytes(), self.path("log")));
    }

    pub fn stop(self) {
        self.program.signal("-TERM");
        self.program.succeed();
    }
}
