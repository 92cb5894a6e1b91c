//! Three hosts and a network between them, made of network namespaces: a publisher's, the broker's
//! with a bridge, a reader's. Cutting a host off takes its port from the bridge, so that packets are
//! gone and nobody is told, as with a broken switch.
//!
//! Needs root; without it this is left out. Delay and loss come from netem where the kernel has it.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::bus::{Bus, Issuer, pause, strs};
use super::{Chance, Plan};
use crate::{Program, path_of};

const CUTS: [&str; 4] = ["pub", "sub", "pub", "sub"];
const BROKER: &str = "10.231.77.1";

/// The namespaces, until they are dropped.
struct Hosts {
    id: u32,
}

impl Hosts {
    fn new() -> Option<Self> {
        let id = std::process::id();
        let hosts = Self { id };
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
    fn cut(&self, host: &str, is_cut: bool) {
        let broker = self.name("broker");
        let how: &[&str] = if is_cut {
            &["nomaster"]
        } else {
            &["master", "br0"]
        };
        let args = [&["-n", &broker, "link", "set", host][..], how].concat();
        assert!(is_done(&args), "ip {args:?}");
    }

    /// Makes a host's network slow and lossy; whether the kernel can.
    fn spoil(&self, host: &str) -> bool {
        let broker = self.name("broker");
        let how = ["root", "netem", "delay", "20ms", "10ms", "loss", "2%"];
        let mut tc = Command::new("tc");
        tc.args(["-n", &broker, "qdisc", "add", "dev", host])
            .args(how);
        succeeds(&mut tc)
    }

    fn start(&self, host: &str, program: &str, args: &[String]) -> Program {
        let (name, path) = (self.name(host), path_of(program));
        let begin = ["netns", "exec", &name, path.to_str().unwrap()];
        Program::start_path("ip", &[&begin[..], &strs(args)].concat())
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

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A durable publisher and a durable reader are cut off in turn, and nothing is missing.
pub(super) fn partition(plan: Plan) -> String {
    let Some(hosts) = Hosts::new() else {
        return "left out: there are no network namespaces here".to_owned();
    };
    let mut bus = Bus::new().at(BROKER);
    let mut chance = Chance::new(plan.seed);
    let broker = hosts.start("broker", "bus-broker", &bus.broker_args(&["--insecure"]));
    broker.wait_for("durable ones to");
    let is_spoilt = ["pub", "sub"].map(|host| hosts.spoil(host)) == [true; 2];
    let reader = hosts.start("sub", "logsub", &bus.durable_reader_args("sink"));
    let mut issuers = Vec::new();
    for slot in 0..2 {
        let (name, args) = bus.issuer_args(slot, plan.rate / 2, true);
        issuers.push(Issuer::of(name, hosts.start("pub", "test-worker", &args)));
    }
    let each = Duration::from_secs(plan.seconds.into()) / (2 * CUTS.len() as u32);
    let mut cuts = Vec::new();
    for host in CUTS {
        pause(chance.around(each));
        let time = chance.around(each);
        hosts.cut(host, true);
        pause(time);
        hosts.cut(host, false);
        cuts.push(format!("{host} for {time:.1?}"));
    }
    Issuer::end_all(issuers);
    let sink = bus.wait_for_all("sink");
    reader.stop();
    broker.stop();
    let told = format!(
        "cut off: {}; {}\n  file: {sink}",
        cuts.join(", "),
        if is_spoilt {
            "20 ms +- 10 ms delay and 2 % loss all the time"
        } else {
            "delay and loss left out, this kernel has no netem"
        }
    );
    assert_eq!(sink.acknowledged, sink.issued, "{told}");
    assert_eq!(sink.missing, 0, "{told}");
    assert_eq!(sink.corrupt, Vec::<String>::new(), "{told}");
    told
}
