//! The smtp handler: records by e-mail, some at a time.
//!
//! ```yaml
//! mail: {type: smtp, host: mail.example, security: starttls, user: logs, password_file: /run/secrets/mail,
//!        from: logs@example.org, to: [ops@example.org], level: ERROR}
//! ```
//!
//! Records are gathered until there are enough of them, one is serious enough, or the first has
//! waited long enough (the Logging Cookbook's `BufferingSMTPHandler`), and go in one mail. There
//! are so many mails an hour at most: what comes beyond waits and goes together, so that a storm of
//! errors is no storm of mails. A server that is away is waited for (`outbox.rs`). No record can
//! put a line into a mail's head.

use std::io;
use std::time::{Duration, Instant};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use logbus_schemas::{Level, Record};

use super::outbox::{Outbox, Wire};
use super::{Fault, Handler, Opener, Row, Setting, render};
use crate::config::node::Tree;
use crate::config::options::{Form, Kind, Options, parameter};
use crate::format::{self, Formatter, PythonFormat};
use crate::item::Item;

/// Records of one mail, and how long the first waits, when nothing else is said.
const CAPACITY: u64 = 100;
const WAIT: Duration = Duration::from_secs(60);
const PER_HOUR: u64 = 60;
/// Records and bytes of one mail, whatever is said.
const MAX_RECORDS: usize = 10_000;
const MAX_BODY: usize = 1 << 20;
/// Characters of a subject.
const MAX_SUBJECT: usize = 200;
const HOUR: Duration = Duration::from_secs(3600);

pub(super) const ROW: Row = Row {
    name: "smtp",
    summary: "by e-mail, some records at a time",
    forms: &[
        Form {
            class: "smtp",
            parameters: &[
                parameter("host", Kind::Text, "the mail server"),
                parameter(
                    "port",
                    Kind::Count,
                    "its port; 25, 587 with starttls, 465 with tls",
                ),
                parameter(
                    "security",
                    Kind::OneOf(&["none", "starttls", "tls"]),
                    "how the connection is protected; none",
                ),
                parameter("user", Kind::Text, "the user to log in as"),
                parameter("password", Kind::Secret, "the user's password"),
                parameter("password_file", Kind::Text, "a file with the password"),
                parameter("from", Kind::Text, "who writes, as logs@example.org"),
                parameter("to", Kind::Texts, "who is written to"),
                parameter(
                    "subject",
                    Kind::Text,
                    "the subject, in Python's { style, of the most serious record; {levelname} {name}: {message}",
                ),
                parameter("capacity", Kind::Count, "records of one mail; 100"),
                parameter(
                    "flush_level",
                    Kind::Level,
                    "a record of this level or above is mailed at once, with those before it; CRITICAL",
                ),
                parameter(
                    "flush_after",
                    Kind::Seconds,
                    "how long a record waits for others; 1min",
                ),
                parameter("max_per_hour", Kind::Count, "mails in an hour at most; 60"),
                parameter("timeout", Kind::Seconds, "how long the server may take; 5s"),
            ],
            read: read_own,
        },
        Form {
            class: "logging.handlers.SMTPHandler",
            parameters: &[
                parameter("mailhost", Kind::Any, "the mail server, or [host, port]"),
                parameter("fromaddr", Kind::Text, "who writes"),
                parameter("toaddrs", Kind::Texts, "who is written to"),
                parameter("subject", Kind::Text, "the subject"),
                parameter("credentials", Kind::Secret, "[user, password]"),
                parameter("secure", Kind::Any, "an empty list for STARTTLS"),
                parameter("timeout", Kind::Seconds, "how long the server may take; 5s"),
            ],
            read: read_pythons,
        },
    ],
};

/// When records become a mail.
#[derive(Debug, Clone)]
struct Policy {
    capacity: usize,
    flush_level: Level,
    wait: Duration,
    per_hour: u64,
}

fn read_own(options: &mut Options<'_>) -> Option<Opener> {
    let host = options.required_text("host");
    let security = options.one_of("security").unwrap_or("none");
    let usual = match security {
        "tls" => 465,
        "starttls" => 587,
        _ => 25,
    };
    let port = options.count("port").unwrap_or(usual);
    let Ok(port) = u16::try_from(port) else {
        options.wrong("port", "a port is a number from 1 to 65535");
        return None;
    };
    let password = password(options);
    let login = options.text("user").zip(password);
    let timeout = options.seconds("timeout").unwrap_or(Duration::from_secs(5));
    let count = |count: Option<u64>, usual: u64| count.unwrap_or(usual).max(1);
    let policy = Policy {
        capacity: (count(options.count("capacity"), CAPACITY) as usize).min(MAX_RECORDS),
        flush_level: options.level("flush_level").unwrap_or(Level::CRITICAL),
        wait: options.seconds("flush_after").unwrap_or(WAIT),
        per_hour: count(options.count("max_per_hour"), PER_HOUR),
    };
    let subject = options.text("subject");
    let subject = subject
        .as_deref()
        .unwrap_or("{levelname} {name}: {message}");
    let subject = match PythonFormat::brace(subject) {
        Ok(subject) => Subject::Format(subject),
        Err(error) => {
            options.wrong("subject", error);
            return None;
        }
    };
    let from = mailbox(options, "from", None);
    let to = mailboxes(options, "to");
    let server = server(&host?, port, security, login, timeout);
    finish(options, server, from, to, subject, policy, format::default)
}

fn read_pythons(options: &mut Options<'_>) -> Option<Opener> {
    let host = match options.take("mailhost").map(|node| node.tree) {
        Some(Tree::Text(host)) => Some((host, 25)),
        Some(Tree::List(items)) => {
            match items.iter().map(|item| &item.tree).collect::<Vec<_>>()[..] {
                [Tree::Text(host), Tree::Int(port)] => {
                    u16::try_from(*port).ok().map(|port| (host.clone(), port))
                }
                _ => None,
            }
        }
        _ => None,
    };
    if host.is_none() {
        options.wrong("mailhost", "write a host, or a list [host, port]");
    }
    let login = match options.take("credentials").map(|node| node.tree) {
        Some(Tree::List(items)) => {
            match items.iter().map(|item| &item.tree).collect::<Vec<_>>()[..] {
                [Tree::Text(user), Tree::Text(password)] => Some((user.clone(), password.clone())),
                _ => {
                    options.wrong("credentials", "write a list [user, password]");
                    None
                }
            }
        }
        Some(_) => {
            options.wrong("credentials", "write a list [user, password]");
            None
        }
        None => None,
    };
    // As in Python: any value, also an empty tuple, asks for STARTTLS where there are credentials.
    let security = match options.take("secure") {
        Some(_) if login.is_some() => "starttls",
        _ => "none",
    };
    let timeout = options.seconds("timeout").unwrap_or(Duration::from_secs(5));
    let subject = Subject::Text(options.required_text("subject").unwrap_or_default());
    let from = mailbox(options, "fromaddr", None);
    let to = mailboxes(options, "toaddrs");
    let policy = Policy {
        capacity: 1,
        flush_level: Level(i64::MIN),
        wait: Duration::ZERO,
        per_hour: u64::MAX,
    };
    let (host, port) = host?;
    let server = server(&host, port, security, login, timeout);
    finish(
        options,
        server,
        from,
        to,
        subject,
        policy,
        format::message_only,
    )
}

fn password(options: &mut Options<'_>) -> Option<String> {
    let password = options.text("password");
    let Some(path) = options.path("password_file") else {
        return password;
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.trim_end_matches('\n').to_owned()),
        Err(error) => {
            options.wrong(
                "password_file",
                format!("cannot read {}: {error}", path.display()),
            );
            None
        }
    }
}

fn mailbox(
    options: &mut Options<'_>,
    name: &'static str,
    given: Option<String>,
) -> Option<Mailbox> {
    let text = match given {
        Some(text) => text,
        None => options.required_text(name)?,
    };
    match text.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(error) => {
            let problem =
                format!("{text:?} is no address: {error}; write for example a@example.org");
            options.wrong(name, problem);
            None
        }
    }
}

fn mailboxes(options: &mut Options<'_>, name: &'static str) -> Vec<Mailbox> {
    let texts = options.texts(name).unwrap_or_default();
    // Also a text with commas between addresses.
    let texts: Vec<String> = texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(|text| text.trim().to_owned())
        .collect();
    if texts.is_empty() {
        options.missing(name);
    }
    let mailboxes = texts.into_iter();
    mailboxes
        .filter_map(|text| mailbox(options, name, Some(text)))
        .collect()
}

fn server(
    host: &str,
    port: u16,
    security: &str,
    login: Option<(String, String)>,
    timeout: Duration,
) -> Result<Server, String> {
    let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| error.to_string());
    let tls = match security {
        "tls" => Tls::Wrapper(parameters()?),
        "starttls" => Tls::Required(parameters()?),
        _ => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(timeout));
    if let Some((user, password)) = login {
        builder = builder.credentials(Credentials::new(user, password));
    }
    Ok(Server {
        transport: builder.build(),
        address: format!("{host}:{port}"),
        envelope: None,
    })
}

fn finish(
    options: &mut Options<'_>,
    server: Result<Server, String>,
    from: Option<Mailbox>,
    to: Vec<Mailbox>,
    subject: Subject,
    policy: Policy,
    usual: fn() -> Box<dyn Formatter>,
) -> Option<Opener> {
    let server = server
        .map_err(|problem| options.wrong("host", problem))
        .ok()?;
    let from = from?;
    Some(Box::new(move |setting: Setting| {
        let address = server.address.clone();
        Ok(Box::new(Smtp {
            format: setting.formatter.unwrap_or_else(usual),
            outbox: Outbox::new(server, &setting.name, &address, &setting.say),
            name: setting.name,
            verbose: setting.verbose,
            from,
            to,
            subject,
            policy,
            gathered: Gathered::default(),
            sent: Vec::new(),
            unmade: 0,
        }) as Box<dyn Handler>)
    }))
}

/// What a mail is called.
enum Subject {
    /// By its most serious record.
    Format(PythonFormat),
    Text(String),
}

/// The handler; see the head of this file.
pub struct Smtp {
    name: String,
    verbose: bool,
    format: Box<dyn Formatter>,
    from: Mailbox,
    to: Vec<Mailbox>,
    subject: Subject,
    policy: Policy,
    gathered: Gathered,
    /// When the mails of the last hour were made.
    sent: Vec<Instant>,
    outbox: Outbox<Server>,
    /// Records of mails that could not be made.
    unmade: u64,
}

/// Records that are not mailed yet.
#[derive(Default)]
struct Gathered {
    body: String,
    records: u64,
    /// What is not in the body, because that would be too large.
    left_out: u64,
    since: Option<Instant>,
    /// The most serious record, and its level.
    worst: Option<(Level, Record)>,
    is_urgent: bool,
}

impl Smtp {
    /// Makes a mail of what was gathered, when it is time.
    fn mail_when_due(&mut self) {
        let Gathered {
            records,
            since,
            is_urgent,
            ..
        } = self.gathered;
        let is_due = is_urgent
            || records as usize >= self.policy.capacity
            || since.is_some_and(|since| since.elapsed() >= self.policy.wait);
        self.sent.retain(|at| at.elapsed() < HOUR);
        if records > 0 && is_due && (self.sent.len() as u64) < self.policy.per_hour {
            self.mail();
        }
    }

    fn mail(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        if gathered.left_out > 0 {
            let line = format!("and {} more records\n", gathered.left_out);
            gathered.body.push_str(&line);
        }
        let subject = self.subject(&gathered);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        match builder.body(gathered.body) {
            Ok(message) => {
                self.outbox.wire().envelope = Some(message.envelope().clone());
                self.outbox.push(message.formatted(), gathered.records);
                if self.policy.per_hour < u64::MAX {
                    self.sent.push(Instant::now());
                }
            }
            Err(_) => self.unmade += gathered.records,
        }
    }

    /// One line, whatever the record holds.
    fn subject(&mut self, gathered: &Gathered) -> String {
        let mut text = String::new();
        match (&mut self.subject, &gathered.worst) {
            (Subject::Format(format), Some((_, record))) => {
                // Of a traceback the subject has nothing.
                let mut head = record.clone();
                for key in ["exc_text", "stack_info"] {
                    head.set(key, logbus_schemas::Value::Null);
                }
                format.format(&head, &mut text);
            }
            (Subject::Text(subject), _) => text.push_str(subject),
            (Subject::Format(_), None) => text.push_str("log records"),
        }
        if gathered.records > 1 {
            text.push_str(&format!(" (and {} more)", gathered.records - 1));
        }
        let one_line = |c: char| if c.is_control() { ' ' } else { c };
        text.chars().map(one_line).take(MAX_SUBJECT).collect()
    }

    fn gather(&mut self, item: &Item) {
        let mut line = String::new();
        if !render(&mut *self.format, item, self.verbose, &mut line) {
            return;
        }
        if self.gathered.body.len() + line.len() > MAX_BODY {
            self.gathered.left_out += u64::from(matches!(item, Item::Record(_)));
        } else {
            self.gathered.body.push_str(&line);
            self.gathered.body.push('\n');
        }
        let Item::Record(delivered) = item else {
            return;
        };
        let level = delivered.record.level().unwrap_or(Level::NOTSET);
        self.gathered.records += 1;
        self.gathered.since.get_or_insert_with(Instant::now);
        self.gathered.is_urgent |= level >= self.policy.flush_level;
        if self
            .gathered
            .worst
            .as_ref()
            .is_none_or(|(worst, _)| level > *worst)
        {
            self.gathered.worst = Some((level, delivered.record.clone()));
        }
    }
}

impl Handler for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            self.gather(item);
            self.mail_when_due();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.mail_when_due();
        self.outbox.flush();
        Ok(())
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.gathered.records == 0 && self.outbox.is_empty())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.gathered.records > 0 {
            self.mail();
        }
        self.outbox.close();
        Ok(())
    }

    fn dropped(&self) -> u64 {
        self.outbox.dropped() + self.unmade
    }
}

/// The mail server. A connection is made for each mail, as there are few.
struct Server {
    transport: SmtpTransport,
    address: String,
    /// Who writes to whom: the same for every mail.
    envelope: Option<lettre::address::Envelope>,
}

impl Wire for Server {
    fn connect(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let Some(envelope) = &self.envelope else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let sent = self.transport.send_raw(envelope, message);
        sent.map(drop).map_err(io::Error::other)
    }

    fn disconnect(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Node;
    use crate::handler::conformance::item;
    use crate::handler::socket::tests::made;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// Python's own mail server, which prints each mail as a line of JSON.
    const SERVER: &str = r#"
import asyncore, email, email.policy, json, sys, warnings
warnings.simplefilter("ignore")
import smtpd
class Server(smtpd.SMTPServer):
    def process_message(self, peer, mailfrom, rcpttos, data, **options):
        mail = email.message_from_bytes(data, policy=email.policy.default)
        print(json.dumps({"from": mailfrom, "to": rcpttos, "subject": mail["subject"],
            "keys": mail.keys(), "body": mail.get_content()}), flush=True)
server = Server(("127.0.0.1", 0), None, decode_data=False)
print(server.socket.getsockname()[1], flush=True)
asyncore.loop()
"#;

    struct MailServer {
        child: Child,
        lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
        port: i64,
    }

    impl MailServer {
        fn start() -> Self {
            let mut child = Command::new("python3")
                .args(["-W", "ignore", "-c", SERVER])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let port = lines.next().unwrap().unwrap().parse().unwrap();
            Self { child, lines, port }
        }

        fn mail(&mut self) -> serde_json::Value {
            serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
        }
    }

    impl Drop for MailServer {
        fn drop(&mut self) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }

    fn text(text: &str) -> Tree {
        Tree::Text(text.to_owned())
    }

    fn handler(port: i64, more: &[(&'static str, Tree)]) -> Box<dyn Handler> {
        let mut options = vec![
            ("host", text("127.0.0.1")),
            ("port", Tree::Int(port)),
            ("from", text("logs@example.org")),
            ("to", text("ann@example.org, Bob <bob@example.org>")),
        ];
        options.extend_from_slice(more);
        made(&ROW.forms[0], &options, false)
    }

    #[test]
    fn records_are_gathered_until_one_is_serious() {
        let mut server = MailServer::start();
        let mut handler = handler(server.port, &[]);
        let serious = Record::new("shop", 50, "größe %s\nBcc: all@example.org");
        for record in [
            Record::new("shop", 20, "one"),
            Record::new("shop", 40, "two"),
            serious,
        ] {
            handler.emit(&[item(record)]).unwrap();
        }
        handler.flush().unwrap();
        let mail = server.mail();
        assert_eq!(mail["from"], "logs@example.org");
        assert_eq!(mail["to"].as_array().unwrap().len(), 2);
        assert_eq!(
            mail["subject"],
            "CRITICAL shop: größe %s Bcc: all@example.org (and 2 more)"
        );
        assert!(!mail["keys"].to_string().contains("Bcc"));
        let body = mail["body"].as_str().unwrap();
        assert_eq!(body.lines().count(), 4, "{body}");
        assert!(body.contains("one") && body.contains("größe"));
        handler.close().unwrap();
        assert_eq!(handler.dropped(), 0);
    }

    #[test]
    fn a_storm_of_errors_is_so_many_mails_and_no_record_is_missing() {
        let mut server = MailServer::start();
        let more = [("max_per_hour", Tree::Int(2)), ("capacity", Tree::Int(1))];
        let mut handler = handler(server.port, &more);
        for number in 0..50 {
            handler
                .emit(&[item(Record::new("a", 50, &format!("<{number}>")))])
                .unwrap();
        }
        handler.flush().unwrap();
        handler.close().unwrap();
        // Two at once, and what waited at the end.
        let bodies: Vec<String> = (0..3)
            .map(|_| server.mail()["body"].as_str().unwrap().to_owned())
            .collect();
        let all = bodies.concat();
        assert!((0..50).all(|number| all.contains(&format!("<{number}>"))));
        assert_eq!(bodies[0].lines().count(), 1);
    }

    #[test]
    fn pythons_handler_mails_each_record() {
        let mut server = MailServer::start();
        let host = [text("127.0.0.1"), Tree::Int(server.port)];
        let host = host.map(|tree| Node::new(Default::default(), tree));
        let options = [
            ("mailhost", Tree::List(host.to_vec())),
            ("fromaddr", text("a@example.org")),
            ("toaddrs", text("b@example.org")),
            ("subject", text("It failed")),
        ];
        let mut handler = made(&ROW.forms[1], &options, false);
        for message in ["one", "two"] {
            handler
                .emit(&[item(Record::new("a", 20, message))])
                .unwrap();
        }
        handler.close().unwrap();
        for message in ["one", "two"] {
            let mail = server.mail();
            assert_eq!(mail["subject"], "It failed");
            assert!(mail["body"].as_str().unwrap().contains(message));
        }
    }

    #[test]
    fn a_server_that_is_away_costs_nothing_until_the_end() {
        let mut handler = handler(9, &[]);
        handler.emit(&[item(Record::new("a", 50, "m"))]).unwrap();
        handler.flush().unwrap();
        assert_eq!(handler.dropped(), 0);
        handler.close().unwrap();
        assert_eq!(handler.dropped(), 1);
    }
}
