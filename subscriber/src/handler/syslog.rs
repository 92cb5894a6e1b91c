//! The syslog handler: records to a syslog server by UDP, TCP, TLS or a unix socket.
//!
//! ```yaml
//! central: {type: syslog, address: 'tls://logs.example:6514', facility: local0, app_name: shop}
//! ```
//!
//! Messages are those of RFC 5424, with the record's extras as structured data, or of RFC 3164 for
//! old servers (`syslog/message.rs`); what carries them is in `syslog/line.rs`. Python's
//! `SysLogHandler` sends here the bytes that it sends there. An outage is waited for, within bounds
//! (`outbox.rs`); over UDP nobody can tell whether anything arrives.

mod line;
mod message;

use logbus_process as process;

use self::line::{Framing, Line, Target};
use self::message::{Facility, Format, Rendering};
use super::outbox::Outbox;
use super::{Fault, Handler, Opener, Row, Setting, render};
use crate::config::node::Tree;
use crate::config::options::{Form, Kind, Options, Parameter, parameter};
use crate::format::{self, Formatter};
use crate::item::Item;

/// Bytes of a datagram, when nothing else is said.
const MAX_DATAGRAM: u64 = 8192;

const FACILITY: Parameter = parameter(
    "facility",
    Kind::Any,
    "the facility, as local0 or a number; user",
);

pub(super) const ROW: Row = Row {
    name: "syslog",
    summary: "to a syslog server, as RFC 5424 or RFC 3164, by UDP, TCP, TLS or a unix socket",
    forms: &[
        Form {
            class: "syslog",
            parameters: &[
                parameter(
                    "address",
                    Kind::Text,
                    "udp://HOST:514, tcp://HOST:601, tls://HOST:6514 or unix:///dev/log",
                ),
                FACILITY,
                parameter(
                    "format",
                    Kind::OneOf(&["rfc5424", "rfc3164"]),
                    "how messages are written; rfc5424",
                ),
                parameter(
                    "framing",
                    Kind::OneOf(&["octet-counting", "newline"]),
                    "how streams are divided (RFC 6587); octet-counting",
                ),
                parameter(
                    "app_name",
                    Kind::Text,
                    "APP-NAME, or the tag; the record's processName",
                ),
                parameter("hostname", Kind::Text, "HOSTNAME; what the system says"),
                parameter(
                    "sd_id",
                    Kind::Text,
                    "the name of the structured data; logbus@32473",
                ),
                parameter(
                    "max_bytes",
                    Kind::Bytes,
                    "bytes of a datagram, longer messages are cut; 8KiB",
                ),
                parameter(
                    "ca_file",
                    Kind::Text,
                    "certificates to trust in place of the system's, PEM",
                ),
            ],
            read: read_own,
        },
        Form {
            class: "logging.handlers.SysLogHandler",
            parameters: &[
                parameter(
                    "address",
                    Kind::Any,
                    "a path as /dev/log, or [host, port]; [localhost, 514]",
                ),
                FACILITY,
                parameter(
                    "socktype",
                    Kind::Any,
                    "ext://socket.SOCK_DGRAM or ext://socket.SOCK_STREAM",
                ),
                parameter(
                    "timeout",
                    Kind::Seconds,
                    "accepted; sending takes 5s at most",
                ),
            ],
            read: read_pythons,
        },
    ],
};

fn read_own(options: &mut Options<'_>) -> Option<Opener> {
    let address = options.required_text("address");
    let facility = facility(options);
    let rendering = Rendering {
        facility,
        format: match options.one_of("format") {
            Some("rfc3164") => Format::Rfc3164,
            _ => Format::Rfc5424,
        },
        app_name: options.text("app_name"),
        host: options.text("hostname").unwrap_or_else(process::host_name),
        sd_id: options
            .text("sd_id")
            .unwrap_or_else(|| "logbus@32473".to_owned()),
    };
    let framing = match options.one_of("framing") {
        Some("newline") => Framing::Newline,
        _ => Framing::OctetCounting,
    };
    let most = options.bytes("max_bytes").unwrap_or(MAX_DATAGRAM).max(480);
    let ca_file = options.path("ca_file");
    let target = match Target::parse(&address?) {
        Ok(target) => target,
        Err(problem) => {
            options.wrong("address", problem);
            return None;
        }
    };
    let line = Line::new(target, framing, most as usize, ca_file);
    Some(opener(line, rendering))
}

fn read_pythons(options: &mut Options<'_>) -> Option<Opener> {
    let facility = facility(options);
    let is_stream = match options.take("socktype").map(|node| node.tree) {
        None | Some(Tree::Int(2)) => false,
        Some(Tree::Int(1)) => true,
        Some(Tree::Text(name)) if name.ends_with("SOCK_DGRAM") => false,
        Some(Tree::Text(name)) if name.ends_with("SOCK_STREAM") => true,
        Some(_) => {
            options.wrong(
                "socktype",
                "write ext://socket.SOCK_DGRAM or ext://socket.SOCK_STREAM",
            );
            false
        }
    };
    // Whatever it is, sending is bounded here.
    options.seconds("timeout");
    let target = target(options, is_stream)?;
    let rendering = Rendering {
        facility,
        format: Format::Python,
        app_name: None,
        host: String::new(),
        sd_id: String::new(),
    };
    // Python ends each message with a NUL, and with nothing else.
    let line = Line::new(target, Framing::Bare, 65_507, None);
    Some(opener(line, rendering))
}

/// A path, or a host and a port in a list.
fn target(options: &mut Options<'_>, is_stream: bool) -> Option<Target> {
    let node = options.take("address");
    let host = |host: &str, port: u16| match is_stream {
        true => Target::Tcp(host.to_owned(), port),
        false => Target::Udp(host.to_owned(), port),
    };
    match node.as_ref().map(|node| &node.tree) {
        None => return Some(host("localhost", 514)),
        Some(Tree::Text(path)) => return Some(Target::Unix(path.into())),
        Some(Tree::List(items)) => {
            if let [name, port] = &items[..]
                && let (Tree::Text(name), Tree::Int(port)) = (&name.tree, &port.tree)
                && let Ok(port) = u16::try_from(*port)
            {
                return Some(host(name, port));
            }
        }
        Some(_) => {}
    }
    options.wrong(
        "address",
        "write a path as /dev/log, or a list [host, port]",
    );
    None
}

fn facility(options: &mut Options<'_>) -> Facility {
    let Some(node) = options.take("facility") else {
        return Facility::USER;
    };
    let found = match &node.tree {
        Tree::Int(number) => Facility::numbered(*number),
        Tree::Text(name) => Facility::named(name),
        _ => None,
    };
    if found.is_none() {
        options.wrong(
            "facility",
            format!("{node} is no facility; write for example user or local0"),
        );
    }
    found.unwrap_or(Facility::USER)
}

fn opener(line: Line, rendering: Rendering) -> Opener {
    Box::new(move |setting: Setting| {
        let address = line.to_string();
        Ok(Box::new(Syslog {
            format: setting.formatter.unwrap_or_else(format::message_only),
            outbox: Outbox::new(line, &setting.name, &address, &setting.say),
            name: setting.name,
            verbose: setting.verbose,
            rendering,
            text: String::new(),
        }) as Box<dyn Handler>)
    })
}

/// The handler; see the head of this file.
pub struct Syslog {
    name: String,
    verbose: bool,
    format: Box<dyn Formatter>,
    rendering: Rendering,
    outbox: Outbox<Line>,
    text: String,
}

impl Handler for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            self.text.clear();
            if !render(&mut *self.format, item, self.verbose, &mut self.text) {
                continue;
            }
            let now = process::now();
            let bytes = match item {
                Item::Record(delivered) => {
                    self.rendering.message(&delivered.record, &self.text, now)
                }
                Item::Notice(notice) => {
                    self.rendering
                        .message(&notice.to_record(now), &self.text, now)
                }
            };
            self.outbox
                .push(bytes, u64::from(matches!(item, Item::Record(_))));
        }
        Ok(())
    }

    /// An outage is the outbox's to tell.
    fn flush(&mut self) -> Result<(), Fault> {
        self.outbox.flush();
        Ok(())
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.outbox.is_empty())
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.outbox.close();
        Ok(())
    }

    fn dropped(&self) -> u64 {
        self.outbox.dropped()
    }
}

#[cfg(test)]
pub(super) mod tests;
