//! The socket handler: records to a log server, framed as Python's `SocketHandler` frames them.
//!
//! ```yaml
//! central: {type: socket, host: logs.example, port: 9020, codec: pickle}
//! ```
//!
//! Four bytes of length, big-endian, and a dict: as a pickle of plain data, which the receivers of
//! the Logging Cookbook read as they are, or as JSON, which cannot run anything where it is read.
//! As from Python's own handler, `msg` is the rendered message and `args` and `exc_info` are
//! `None`. `DatagramHandler` sends the same in one datagram each.

use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use logbus_process as process;
use logbus_schemas::codec::{json, pickle};
use logbus_schemas::{Record, Value};

use super::outbox::{Outbox, Wire};
use super::{Fault, Handler, Opener, Row, Setting, is_shown};
use crate::config::options::{Form, Kind, Options, Parameter, parameter};
use crate::item::Item;

/// How long connecting and sending may take.
const PATIENCE: Duration = Duration::from_secs(5);

const HOST: Parameter = parameter("host", Kind::Text, "the server's name or address");
const PORT: Parameter = parameter(
    "port",
    Kind::Count,
    "its port; without one, host is the path of a unix socket",
);

pub(super) const ROW: Row = Row {
    name: "socket",
    summary: "to a log server, framed as Python's SocketHandler frames records",
    forms: &[
        Form {
            class: "socket",
            parameters: &[
                HOST,
                PORT,
                parameter(
                    "codec",
                    Kind::OneOf(&["json", "pickle"]),
                    "how records are written; json",
                ),
            ],
            read: |options| {
                let codec = match options.one_of("codec") {
                    Some("pickle") => Codec::Pickle,
                    _ => Codec::Json,
                };
                opener(options, codec, false)
            },
        },
        Form {
            class: "logging.handlers.SocketHandler",
            parameters: &[HOST, PORT],
            read: |options| opener(options, Codec::Pickle, false),
        },
        Form {
            class: "logging.handlers.DatagramHandler",
            parameters: &[HOST, PORT],
            read: |options| opener(options, Codec::Pickle, true),
        },
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Json,
    Pickle,
}

fn opener(options: &mut Options<'_>, codec: Codec, is_datagram: bool) -> Option<Opener> {
    let host = options.required_text("host");
    let port = options.count("port");
    if port.is_some_and(|port| port == 0 || port > 65_535) {
        options.wrong("port", "a port is a number from 1 to 65535");
    }
    let (host, port) = (host?, port.and_then(|port| u16::try_from(port).ok()));
    Some(Box::new(move |setting: Setting| {
        let address = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let line = Line {
            host,
            port,
            is_datagram,
            connection: None,
        };
        Ok(Box::new(Socket {
            outbox: Outbox::new(line, &setting.name, &address, &setting.say),
            name: setting.name,
            verbose: setting.verbose,
            codec,
        }) as Box<dyn Handler>)
    }))
}

/// The handler; see the head of this file.
pub struct Socket {
    name: String,
    verbose: bool,
    codec: Codec,
    outbox: Outbox<Line>,
}

impl Socket {
    fn push(&mut self, record: &Record, is_record: bool) {
        let mut frame = vec![0; 4];
        let mut record = record.clone();
        let message = record.get_message().into_owned();
        record.set("msg", message.as_str());
        for key in ["args", "exc_info"] {
            record.set(key, Value::Null);
        }
        match self.codec {
            Codec::Json => json::encode_record(&record, &mut frame),
            Codec::Pickle => pickle::encode(record.fields(), &mut frame),
        }
        let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.outbox.push(frame, u64::from(is_record));
    }
}

impl Handler for Socket {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            match item {
                Item::Record(delivered) => self.push(&delivered.record, true),
                Item::Notice(notice) if is_shown(notice, self.verbose) => {
                    self.push(&notice.to_record(process::now()), false);
                }
                Item::Notice(_) => {}
            }
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

struct Line {
    host: String,
    port: Option<u16>,
    is_datagram: bool,
    connection: Option<Connection>,
}

enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
    Udp(UdpSocket),
}

impl Wire for Line {
    fn connect(&mut self) -> io::Result<()> {
        if let Some(Connection::Tcp(stream)) = &self.connection
            && is_closed(stream)?
        {
            self.connection = None;
        }
        if self.connection.is_some() {
            return Ok(());
        }
        self.connection = Some(match self.port {
            None => {
                let stream = UnixStream::connect(&self.host)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Connection::Unix(stream)
            }
            Some(port) if self.is_datagram => {
                let socket = UdpSocket::bind(("0.0.0.0", 0))?;
                socket.connect((self.host.as_str(), port))?;
                Connection::Udp(socket)
            }
            Some(port) => Connection::Tcp(connect(&self.host, port)?),
        });
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &mut self.connection {
            Some(Connection::Tcp(stream)) => stream.write_all(message),
            Some(Connection::Unix(stream)) => stream.write_all(message),
            Some(Connection::Udp(socket)) => socket.send(message).map(drop),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
    }
}

/// Connects to the first address of a host that answers.
pub(super) fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether the other side has closed the connection: what is written then is lost without a word.
pub(super) fn is_closed(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    Ok(match peeked {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::node::{Entry, Node, Place, Tree};
    use crate::config::options::Problems;
    use crate::handler::conformance::{Look, item};
    use std::io::Read;
    use std::net::TcpListener;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    /// A handler of a class, with texts and numbers as options.
    pub(in crate::handler) fn made(
        form: &Form<Opener>,
        options: &[(&str, Tree)],
        verbose: bool,
    ) -> Box<dyn Handler> {
        let place = Place::of("x");
        let entries = options.iter().map(|(key, tree)| Entry {
            key: (*key).to_owned(),
            place: place.clone(),
            value: Node::new(place.clone(), tree.clone()),
        });
        let mut problems = Problems::default();
        let mut given = Options::new(
            "h",
            &place,
            entries.collect(),
            form.parameters,
            &mut problems,
        );
        let opener = (form.read)(&mut given);
        assert!(given.finish(), "{problems:?}");
        let setting = Setting {
            name: form.class.to_owned(),
            formatter: None,
            verbose,
            say: Arc::new(|_| {}),
            target: Arc::default(),
        };
        opener.unwrap()(setting).unwrap()
    }

    /// For the conformance suite: a server that remembers the messages it got.
    pub(in crate::handler) fn to_server(verbose: bool) -> (Box<dyn Handler>, Look) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = i64::from(listener.local_addr().unwrap().port());
        let options = [
            ("host", Tree::Text("127.0.0.1".into())),
            ("port", Tree::Int(port)),
        ];
        let handler = made(&ROW.forms[0], &options, verbose);
        let got = std::sync::Mutex::new((Vec::new(), None::<TcpStream>));
        let look = move || {
            let mut got = got.lock().unwrap();
            let (bytes, stream) = &mut *got;
            if stream.is_none() {
                listener.set_nonblocking(true).unwrap();
                *stream = listener.accept().ok().map(|(stream, _)| stream);
            }
            if let Some(stream) = stream {
                stream.set_nonblocking(true).unwrap();
                let _until_empty = stream.read_to_end(bytes);
            }
            messages(bytes)
        };
        (handler, Box::new(look))
    }

    fn messages(mut bytes: &[u8]) -> String {
        let mut messages = String::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            let record = logbus_schemas::codec::JSON.decode(frame).unwrap();
            let visible = |c: char| if c.is_control() { '?' } else { c };
            messages.extend(record.get_message().chars().map(visible));
            messages.push('\n');
            bytes = rest;
        }
        messages
    }

    /// The receiver of the Logging Cookbook, "Sending and receiving logging events across a
    /// network", as it stands there, but for its end after so many records.
    const COOKBOOK: &str = r#"
import logging, logging.handlers, pickle, socketserver, struct, sys

class LogRecordStreamHandler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            chunk = self.connection.recv(4)
            if len(chunk) < 4:
                break
            slen = struct.unpack('>L', chunk)[0]
            chunk = self.connection.recv(slen)
            while len(chunk) < slen:
                chunk = chunk + self.connection.recv(slen - len(chunk))
            obj = self.unPickle(chunk)
            record = logging.makeLogRecord(obj)
            self.handleLogRecord(record)

    def unPickle(self, data):
        return pickle.loads(data)

    def handleLogRecord(self, record):
        logger = logging.getLogger(record.name)
        logger.handle(record)

logging.basicConfig(stream=sys.stdout, format="%(name)s %(levelname)s %(message)s %(user)s %(big)d")
server = socketserver.TCPServer(("127.0.0.1", 0), LogRecordStreamHandler)
print(server.server_address[1], flush=True)
server.handle_request()
"#;

    #[test]
    fn the_cookbooks_server_receives_as_from_python() {
        let mut server = Command::new("python3")
            .args(["-u", "-c", COOKBOOK])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufRead::lines(io::BufReader::new(server.stdout.take().unwrap()));
        let port: i64 = lines.next().unwrap().unwrap().parse().unwrap();
        let options = [
            ("host", Tree::Text("127.0.0.1".into())),
            ("port", Tree::Int(port)),
        ];
        let mut handler = made(&ROW.forms[1], &options, false);
        for number in 0..3 {
            let mut record = Record::new("shop", 40, "order %d of %s");
            record.set("args", vec![Value::from(number), Value::from("grün")]);
            record.set("user", "fred\n'x'");
            record.set(
                "big",
                Value::BigInt("123456789012345678901234567890".into()),
            );
            handler.emit(&[item(record)]).unwrap();
        }
        handler.flush().unwrap();
        handler.close().unwrap();
        drop(handler);
        let shown: Vec<String> = lines.map(Result::unwrap).collect();
        server.wait().unwrap();
        let expected = "shop ERROR order 1 of grün fred";
        assert_eq!(shown.len(), 6, "{shown:?}");
        assert_eq!(shown[2], expected);
        assert_eq!(shown[3], "'x' 123456789012345678901234567890");
    }

    #[test]
    fn a_server_that_closes_and_comes_back_gets_what_came_meanwhile() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = i64::from(listener.local_addr().unwrap().port());
        let options = [
            ("host", Tree::Text("127.0.0.1".into())),
            ("port", Tree::Int(port)),
        ];
        let mut handler = made(&ROW.forms[0], &options, false);
        let mut received = String::new();
        for round in 0..3 {
            handler
                .emit(&[item(Record::new("a", 20, &format!("round {round}")))])
                .unwrap();
            handler.flush().unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4];
            stream.read_exact(&mut head).unwrap();
            let mut frame = vec![0; u32::from_be_bytes(head) as usize];
            stream.read_exact(&mut frame).unwrap();
            received += &messages(&[&head[..], &frame].concat());
            // The connection is closed here.
            drop(stream);
        }
        assert_eq!(received, "round 0\nround 1\nround 2\n");
        assert_eq!(handler.dropped(), 0);
    }
}
