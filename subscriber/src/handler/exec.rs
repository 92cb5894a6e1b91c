//! The exec handler: records to a command's standard input, one JSON object a line.
//!
//! ```yaml
//! speak: {type: exec, command: [espeak, --stdin], formatter: short, level: CRITICAL}
//! ```
//!
//! The command is run as it is, without a shell. When it ends it is started again, at growing
//! distances; the line that found it gone goes to its successor. What it prints on standard error
//! is passed on, some lines at a time. At the end its input is closed, and it has some seconds
//! before it is ended. A command that reads slowly holds up nobody but this handler.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use logbus_process as process;

use super::outbox::{Outbox, Wire};
use super::{Fault, Handler, Opener, Row, Say, Setting, render};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::format::{self, Formatter};
use crate::item::Item;

/// How long the command has at the end, and then again after it was asked to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Lines of standard error that are passed on in one go, and how often that begins anew.
const LINES: u32 = 10;
const LINES_EVERY: Duration = Duration::from_secs(10);
/// Characters of such a line.
const MAX_LINE: usize = 300;

pub(super) const ROW: Row = Row {
    name: "exec",
    summary: "to the standard input of a command, one JSON object a line",
    forms: &[Form {
        class: "exec",
        parameters: &[parameter(
            "command",
            Kind::Texts,
            "the command and its arguments, as [espeak, --stdin]; no shell",
        )],
        read,
    }],
};

fn read(options: &mut Options<'_>) -> Option<Opener> {
    let command = options.texts("command").unwrap_or_default();
    if command.is_empty() {
        options.missing("command");
        return None;
    }
    Some(Box::new(move |setting: Setting| {
        let program = Program {
            command: command.clone(),
            say: setting.say.clone(),
            name: setting.name.clone(),
            running: None,
        };
        Ok(Box::new(Exec {
            outbox: Outbox::new(program, &setting.name, &command[0], &setting.say),
            format: setting.formatter.unwrap_or_else(format::json_lines),
            name: setting.name,
            verbose: setting.verbose,
            line: String::new(),
        }) as Box<dyn Handler>)
    }))
}

/// The handler; see the head of this file.
pub struct Exec {
    name: String,
    verbose: bool,
    format: Box<dyn Formatter>,
    outbox: Outbox<Program>,
    line: String,
}

impl Handler for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            self.line.clear();
            if render(&mut *self.format, item, self.verbose, &mut self.line) {
                self.line.push('\n');
                let bytes = self.line.as_bytes().to_vec();
                self.outbox
                    .push(bytes, u64::from(matches!(item, Item::Record(_))));
            }
        }
        Ok(())
    }

    /// What the command does is the outbox's to tell.
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

struct Program {
    command: Vec<String>,
    say: Say,
    name: String,
    running: Option<(Child, ChildStdin)>,
}

impl Wire for Program {
    fn connect(&mut self) -> io::Result<()> {
        if let Some((child, _)) = &mut self.running
            && let Some(status) = child.try_wait()?
        {
            self.running = None;
            return Err(io::Error::other(format!("it ended with {status}")));
        }
        if self.running.is_some() {
            return Ok(());
        }
        let [program, arguments @ ..] = &self.command[..] else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        if let Some(errors) = child.stderr.take() {
            let (say, name) = (self.say.clone(), self.name.clone());
            std::thread::Builder::new()
                .name("logsub-exec".to_owned())
                .spawn(move || pass_on(BufReader::new(errors), &name, &say))?;
        }
        self.running = Some((child, input));
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &mut self.running {
            Some((_, input)) => input.write_all(message),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn disconnect(&mut self) {
        let Some((mut child, input)) = self.running.take() else {
            return;
        };
        drop(input);
        if !ends(&mut child) {
            process::send_signal(child.id(), signal_hook::consts::SIGTERM);
            if !ends(&mut child) {
                // It is gone after this, one way or the other.
                drop(child.kill());
                drop(child.wait());
            }
        }
    }
}

/// Whether a child ends within the patience that there is.
fn ends(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::park_timeout(Duration::from_millis(10)),
            Ok(Some(_)) | Err(_) => return true,
        }
    }
    false
}

/// Passes lines on, and counts those that come too fast.
fn pass_on(lines: impl BufRead, name: &str, say: &Say) {
    let (mut begun, mut passed, mut kept_back) = (Instant::now(), 0, 0_u64);
    for line in lines.split(b'\n').map_while(Result::ok) {
        if begun.elapsed() >= LINES_EVERY {
            (begun, passed) = (Instant::now(), 0);
        }
        if passed >= LINES {
            kept_back += 1;
            continue;
        }
        passed += 1;
        if kept_back > 0 {
            say(&format!("{name}: {kept_back} more lines"));
            kept_back = 0;
        }
        let text = String::from_utf8_lossy(&line);
        let mut shown = String::new();
        let short: String = text.chars().take(MAX_LINE).collect();
        format::visible::on_one_line(&short, &mut shown);
        say(&format!("{name}: {shown}"));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::node::{Node, Tree};
    use crate::handler::conformance::{self, Look, item};
    use crate::handler::socket::tests::made;
    use logbus_schemas::Record;
    use std::path::Path;

    fn command(words: &[&str]) -> [(&'static str, Tree); 1] {
        let words = words.iter().map(|word| Tree::Text((*word).to_owned()));
        let words = words.map(|tree| Node::new(Default::default(), tree));
        [("command", Tree::List(words.collect()))]
    }

    /// For the conformance suite: `tee` into a file.
    pub(in crate::handler) fn to_tee(dir: &Path, verbose: bool) -> (Box<dyn Handler>, Look) {
        let path = dir.join("tee.log");
        // It acknowledges each line only by writing it, so the file is waited for.
        std::fs::write(&path, "").unwrap();
        let script = "import json, sys\nfor line in sys.stdin:\n    text = json.loads(line)['message']\n    \
                      shown = ''.join(c if c.isprintable() else '?' for c in text)\n    \
                      open(sys.argv[1], 'a').write(shown + '\\n')\n    \
                      open(sys.argv[1] + '.count', 'a').write('x')\n";
        let path_shown = path.display().to_string();
        let options = command(&["python3", "-c", script, &path_shown]);
        let handler = made(&ROW.forms[0], &options, verbose);
        let (handler, count) = conformance::counted(handler, verbose);
        let look = move || {
            let deadline = Instant::now() + Duration::from_secs(30);
            while dir_count(&path) < count() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            std::fs::read_to_string(&path).unwrap()
        };
        (handler, Box::new(look))
    }

    fn dir_count(path: &Path) -> usize {
        let count = path.with_extension("log.count");
        std::fs::metadata(count).map_or(0, |metadata| metadata.len() as usize)
    }

    #[test]
    fn a_command_that_ends_is_started_again_and_no_line_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let path_shown = path.display().to_string();
        // Each life takes one line.
        let script = "read line; echo \"$line\" >> \"$0\"";
        let mut handler = made(
            &ROW.forms[0],
            &command(&["sh", "-c", script, &path_shown]),
            false,
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        for number in 0..3 {
            handler
                .emit(&[item(Record::new("a", 20, &number.to_string()))])
                .unwrap();
            let lines = || {
                std::fs::read_to_string(&path)
                    .unwrap_or_default()
                    .lines()
                    .count()
            };
            while lines() <= number && Instant::now() < deadline {
                handler.flush().unwrap();
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        handler.close().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let messages: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|record| record["message"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(messages, ["0", "1", "2"]);
    }

    #[test]
    fn a_command_that_does_not_exist_is_said_and_its_records_are_counted() {
        let mut handler = made(&ROW.forms[0], &command(&["no-such-command-here"]), false);
        handler.emit(&[item(Record::new("a", 20, "m"))]).unwrap();
        handler.flush().unwrap();
        handler.close().unwrap();
        assert_eq!(handler.dropped(), 1);
    }
}
