//! Three hosts and a network between them, made of network namespaces: a publisher's, the broker's
//! with a bridge, a reader's.
//!
//! Cutting a host off takes its port from the bridge, so that packets are gone and nobody is told, as
//! with a broken switch. Packets are lost by a rule of nftables that draws numbers, and come late and
//! out of their order by a second, slow queue that some are drawn for. Needs root; everything goes with
//! the namespaces.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::bus::{Bus, strs};
use crate::{Program, path_of};

pub(super) const BROKER: &str = "10.231.77.1";
pub(super) const LEFT_OUT: &str = "left out: there are no network namespaces here";

/// Of 1000 packets so many are lost, coming in, and so many late, going out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoil {
    pub(super) lost: u32,
    pub(super) late: u32,
}

/// The namespaces, until they are dropped.
pub(super) struct Hosts {
    id: String,
}

impl Hosts {
    pub(super) fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let hosts = Self {
            id: format!("{}-{made}", std::process::id()),
        };
        for host in ["broker", "pub", "sub"] {
            if !is_done(&["netns", "add", &hosts.name(host)]) {
                return None;
            }
        }
        let broker = hosts.name("broker");
        let own = |args: &str| {
            let words: Vec<&str> = args.split(' ').collect();
            let args = [&["-n", &broker][..], &words].concat();
            assert!(is_done(&args), "ip {args:?}");
        };
        own("link add br0 type bridge");
        own(&format!("addr add {BROKER}/24 dev br0"));
        own("link set lo up");
        own("link set br0 up");
        for (host, address) in [("pub", "10.231.77.2/24"), ("sub", "10.231.77.3/24")] {
            let there = hosts.name(host);
            own(&format!(
                "link add {host} type veth peer name eth0 netns {there}"
            ));
            own(&format!("link set {host} master br0 up"));
            for args in [
                &["link", "set", "lo", "up"][..],
                &["addr", "add", address, "dev", "eth0"],
                &["link", "set", "eth0", "up"],
            ] {
                let args = [&["-n", &there][..], args].concat();
                assert!(is_done(&args), "ip {args:?}");
            }
        }
        Some(hosts)
    }

    fn name(&self, host: &str) -> String {
        format!("logbus-{}-{host}", self.id)
    }

    /// Cuts a host off, or lets it come back.
    pub(super) fn cut(&self, host: &str, is_cut: bool) {
        let broker = self.name("broker");
        let how: &[&str] = if is_cut {
            &["nomaster"]
        } else {
            &["master", "br0"]
        };
        let args = [&["-n", &broker, "link", "set", host][..], how].concat();
        assert!(is_done(&args), "ip {args:?}");
    }

    /// Has packets of a host lost and late; whether that can be done here.
    pub(super) fn spoil(&self, host: &str, how: Spoil) -> bool {
        let there = self.name(host);
        let inside = |words: &str| {
            let mut ip = Command::new("ip");
            ip.args(["netns", "exec", &there]).args(words.split(' '));
            ip
        };
        // What has the mark of the second class waits there for others that have it, at 2 Mbit/s, while
        // all else goes past.
        let is_queued = [
            "tc qdisc add dev eth0 root handle 1: htb default 1",
            "tc class add dev eth0 parent 1: classid 1:1 htb rate 1gbit quantum 60000",
            "tc class add dev eth0 parent 1: classid 1:2 htb rate 2mbit quantum 1500",
        ]
        .iter()
        .all(|words| succeeds(&mut inside(words)));
        let Spoil { lost, late } = how;
        let rules = format!(
            "table inet faults {{\n\
             chain come {{ type filter hook input priority 0; numgen random mod 1000 < {lost} counter drop; }}\n\
             chain go {{ type filter hook output priority 0; \
             numgen random mod 1000 < {late} counter meta priority set 1:2 ; }}\n}}\n"
        );
        is_queued && feed(&mut inside("nft -f -"), &rules)
    }

    /// How many packets of a host were lost and late.
    pub(super) fn spoilt(&self, host: &str) -> [u64; 2] {
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", &self.name(host)])
            .args(["nft", "list", "table", "inet", "faults"]);
        let rules = super::bus::output(&mut nft);
        let counts = rules.split("counter packets ").skip(1);
        let mut counts = counts.map(|rest| {
            let word = rest.split(' ').next();
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        });
        [counts.next().unwrap_or(0), counts.next().unwrap_or(0)]
    }

    /// Starts a program of a bus at a host.
    pub(super) fn start(&self, bus: &Bus, host: &str, program: &str, args: &[String]) -> Program {
        let (name, path) = (self.name(host), path_of(program));
        let begin = ["netns", "exec", &name, path.to_str().unwrap()];
        let program = Program::start_path("ip", &[&begin[..], &strs(args)].concat());
        bus.watch(&program);
        program
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in ["broker", "pub", "sub"] {
            is_done(&["netns", "del", &self.name(host)]);
        }
    }
}

fn is_done(args: &[&str]) -> bool {
    succeeds(Command::new("ip").args(args))
}

pub(super) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a command that reads this.
fn feed(command: &mut Command, text: &str) -> bool {
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
        return false;
    };
    let is_written = child.stdin.take().unwrap().write_all(text.as_bytes());
    let status = child.wait();
    is_written.is_ok() && status.is_ok_and(|status| status.success())
}
