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

    /// One that receives by UDP, TCP and a unix socket, and writes what it understood of each
    /// message into the file `received`. Returns it with the two ports.
    pub fn receiving() -> (Self, u16, u16) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let (udp, tcp) = (crate::free_port(), crate::free_port());
        let config = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             module(load=\"imudp\")\n\
             module(load=\"imtcp\")\n\
             template(name=\"understood\" type=\"string\" string=\"%syslogfacility-text%.%syslogseverity-text% \
             %hostname% %app-name% %procid% %msgid% %structured-data% %msg%\\n\")\n\
             input(type=\"imuxsock\" Socket=\"{}\")\n\
             input(type=\"imudp\" address=\"127.0.0.1\" port=\"{udp}\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"understood\")\n",
            path("log"),
            path("received"),
        );
        std::fs::write(path("conf"), config).unwrap();
        let args = ["-n", "-f", &path("conf"), "-i", &path("pid")];
        let rsyslog = Self {
            program: Program::start_path("/usr/sbin/rsyslogd", &args),
            log: UnixDatagram::unbound().unwrap(),
            dir,
        };
        // It has read its configuration when it takes messages at its socket.
        while rsyslog
            .log
            .send_to(b"<14>ready", rsyslog.path("log"))
            .is_err()
        {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        crate::wait_for_file(&rsyslog.path("received"), "ready");
        (rsyslog, udp, tcp)
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
