//! A terminal with a program in it: what it shows, and a keyboard.
//!
//! The program leads a session of its own with this terminal, so that Ctrl-C, hanging up and new
//! sizes reach it as they do anywhere. It has no shell above it, and what nobody could wake up
//! again does not stop at Ctrl-Z: for that let [`Terminal::shell`] run it. Questions that programs
//! put to a terminal (where is the cursor, which terminal are you) are answered. Times of day are
//! UTC, and of the environment nothing comes through that would change colours or sizes.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Screen;

use crate::PATIENCE;
use crate::keys::bytes_of;
use crate::running::{Running, Watched, kill};

/// What the program finds in its environment unless a test says otherwise.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("TERM", "xterm-256color"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("LOGSUB_USER_CONFIG", ""),
];
/// What it does not find there, whoever runs the tests.
const NOT_PASSED_ON: &[&str] = &[
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "LC_ALL",
    "LC_CTYPE",
    "TERM_PROGRAM",
    "TMUX",
];
/// How many of the last bytes are kept unless a test says otherwise.
const RAW: usize = 1 << 20;
/// How long a program may keep a picture half drawn, as terminals have it.
const DRAWING: Duration = Duration::from_millis(150);
/// The prompt of [`Terminal::shell`].
const PROMPT: &str = "$ ";

type Keyboard = Arc<Mutex<Box<dyn Write + Send>>>;

/// A program and the terminal that it runs in.
pub struct Terminal {
    running: Running,
    pty: Box<dyn MasterPty + Send>,
    keyboard: Keyboard,
    seen: Arc<Watched<Seen>>,
}

impl Terminal {
    /// A program of this workspace.
    pub fn start(program: &str, args: &[&str], rows: u16, cols: u16) -> Self {
        Self::start_with(program, args, rows, cols, &[])
    }

    pub fn start_with(
        program: &str,
        args: &[&str],
        rows: u16,
        cols: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        let path = crate::path_of(program);
        Self::start_path_with(&path, args, rows, cols, environment)
    }

    /// A program of the system.
    pub fn start_path(path: &str, args: &[&str], rows: u16, cols: u16) -> Self {
        Self::start_path_with(path.as_ref(), args, rows, cols, &[])
    }

    /// A shell at its first prompt, which finds the programs of this workspace.
    pub fn shell(rows: u16, cols: u16) -> Self {
        let programs = crate::path_of("logsub").with_file_name("");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).unwrap().into_string().unwrap();
        let environment = [("PATH", path.as_str()), ("PS1", PROMPT), ("HISTFILE", "")];
        let args = ["--noprofile", "--norc", "-i"];
        let shell = Self::start_path_with("bash".as_ref(), &args, rows, cols, &environment);
        shell.wait_for(PROMPT.trim_end());
        shell
    }

    fn start_path_with(
        path: &Path,
        args: &[&str],
        rows: u16,
        cols: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).unwrap();
        let child = pair.slave.spawn_command(command(path, args, environment));
        let child = child.unwrap_or_else(|error| panic!("cannot start {path:?}: {error}"));
        let child: Box<dyn portable_pty::Child> = child;
        let child: Child = *child.downcast().expect("a process of the system");
        // The reader is told of the end when nobody holds the program's side any more.
        drop(pair.slave);
        let terminal = Self {
            running: Running::new(&path.display().to_string(), child),
            keyboard: Arc::new(Mutex::new(pair.master.take_writer().unwrap())),
            pty: pair.master,
            seen: Arc::new(Watched::new(Seen::new(rows, cols))),
        };
        terminal.spawn_reader();
        terminal
    }

    fn spawn_reader(&self) {
        let output = self.pty.try_clone_reader().unwrap();
        let (seen, keyboard) = (self.seen.clone(), self.keyboard.clone());
        std::thread::spawn(move || read(output, &seen, &keyboard));
    }

    /// The text that is visible, line by line, without blanks and empty lines at the ends.
    pub fn screen(&self) -> String {
        text_of(self.seen.lock().parser.screen())
    }

    /// Everything that is visible, with its colours.
    pub fn snapshot(&self) -> Screen {
        // A program that draws may say so; what it has drawn by half nobody sees.
        let seen = self.seen.wait(DRAWING, |seen| !seen.is_being_drawn());
        seen.parser.screen().clone()
    }

    /// The screen, once it shows this text.
    pub fn wait_for(&self, text: &str) -> String {
        let is_shown = |screen: &Screen| text_of(screen).contains(text);
        text_of(&self.wait_until(&format!("{text:?}"), is_shown))
    }

    /// Waits for what the screen should show; `what` is said when it never does.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Screen) -> bool) -> Screen {
        let is_so = |seen: &Seen| is_so(seen.parser.screen());
        let seen = self.seen.wait(PATIENCE, |seen| is_so(seen) || seen.is_over);
        if !is_so(&seen) {
            let shown = seen.shown();
            drop(seen);
            panic!("{} never showed {what}, but:\n{shown}", self.running.name());
        }
        seen.parser.screen().clone()
    }

    /// Presses keys: text as it is, and `<Up>`, `<C-c>`, `<Esc>` as `keys.rs` names them. What
    /// comes right after an `<Esc>` is taken for one key with it: wait for its effect in between.
    pub fn press(&self, keys: &str) {
        let application = self.seen.lock().parser.screen().application_cursor();
        let bytes = bytes_of(keys, application);
        let mut keyboard = self.keyboard.lock().unwrap();
        keyboard.write_all(bytes.as_bytes()).expect("a program");
        keyboard.flush().expect("a program");
    }

    /// Makes the window another size.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.seen.change(|seen| {
            let [rows, cols] = [rows, cols].map(non_zero);
            seen.parser.set_size(rows, cols);
        });
        self.pty.resize(size(rows, cols)).unwrap();
    }

    /// From now on the screen stands still, and the program must wait when it has written a few
    /// kilobytes more.
    pub fn stop_reading(&self) {
        self.seen.change(|seen| seen.is_still = true);
    }

    pub fn go_on_reading(&self) {
        self.seen.change(|seen| seen.is_still = false);
    }

    /// Every byte that came, up to that many of the last ones.
    pub fn raw(&self) -> Vec<u8> {
        let seen = self.seen.lock();
        let excess = seen.raw.len().saturating_sub(seen.most_raw);
        seen.raw[excess..].to_vec()
    }

    /// How many of the last bytes [`Terminal::raw`] knows.
    pub fn keep_raw(&self, most: usize) {
        self.seen.change(|seen| seen.most_raw = most);
    }

    pub fn is_alternate_screen(&self) -> bool {
        self.seen.lock().parser.screen().alternate_screen()
    }

    pub fn id(&self) -> u32 {
        self.running.id()
    }

    pub fn signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    /// Waits for the end, and for everything that was written until then to be on the screen.
    pub fn wait(&mut self) -> ExitStatus {
        let seen = &self.seen;
        let status = self.running.wait(|| seen.lock().shown());
        let is_over = seen.wait(PATIENCE, |seen| seen.is_over).is_over;
        assert!(is_over, "{} left its terminal open", self.running.name());
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What a shell runs in the foreground has a group of its own, and may not heed hanging up.
        let group = self.pty.process_group_leader();
        let is_over = self.seen.change(|seen| {
            seen.is_still = false;
            seen.is_over
        });
        if let (Some(group), false) = (group, is_over) {
            // It may have ended just now.
            let _ended = !kill("-KILL", &format!("-{group}"));
        }
    }
}

/// What came from the program, and what is to be done with what comes.
struct Seen {
    parser: vt100::Parser<Answers>,
    raw: Vec<u8>,
    most_raw: usize,
    is_still: bool,
    is_over: bool,
}

impl Seen {
    fn new(rows: u16, cols: u16) -> Self {
        let [rows, cols] = [rows, cols].map(non_zero);
        Self {
            parser: vt100::Parser::new_with_callbacks(rows, cols, 0, Answers::default()),
            raw: Vec::new(),
            most_raw: RAW,
            is_still: false,
            is_over: false,
        }
    }

    /// Takes in what came; what there is to answer.
    fn take(&mut self, bytes: &[u8]) -> String {
        self.raw.extend_from_slice(bytes);
        if self.raw.len() > 2 * self.most_raw {
            self.raw.drain(..self.raw.len() - self.most_raw);
        }
        self.parser.process(bytes);
        std::mem::take(&mut self.parser.callbacks_mut().text)
    }

    fn is_being_drawn(&self) -> bool {
        self.parser.callbacks().is_being_drawn
    }

    /// The whole screen, for somebody whose test has failed.
    fn shown(&self) -> String {
        let screen = self.parser.screen();
        let (rows, cols) = screen.size();
        let kind = if screen.alternate_screen() {
            "alternate"
        } else {
            "main"
        };
        let end = if self.is_over {
            ", and the program has closed it"
        } else {
            ""
        };
        let text = text_of(screen).replace('\n', "\n  │");
        format!("  the {kind} screen of {rows} rows and {cols} columns{end}\n  │{text}")
    }
}

/// What a terminal is asked, and what it hears of a picture that is not complete yet.
#[derive(Default)]
struct Answers {
    text: String,
    is_being_drawn: bool,
}

impl vt100::Callbacks for Answers {
    fn unhandled_csi(
        &mut self,
        screen: &mut Screen,
        first: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        match (first, params, last) {
            (None, [[5]], 'n') => self.text.push_str("\x1b[0n"),
            (None, [[6]], 'n') => {
                let (row, col) = screen.cursor_position();
                self.text
                    .push_str(&format!("\x1b[{};{}R", row + 1, col + 1));
            }
            (None, [[0]], 'c') => self.text.push_str("\x1b[?62;22c"),
            (Some(b'?'), [[2026]], 'h' | 'l') => self.is_being_drawn = last == 'h',
            _ => {}
        }
    }
}

/// The thread that reads. While the screen is to stand still it keeps what it has got.
fn read(
    mut output: Box<dyn Read + Send>,
    seen: &Watched<Seen>,
    keyboard: &Mutex<Box<dyn Write + Send>>,
) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = output.read(&mut bytes) {
        while seen.wait(PATIENCE, |seen| !seen.is_still).is_still {}
        let answer = seen.change(|seen| seen.take(&bytes[..count]));
        if !answer.is_empty() {
            // A program that has ended meanwhile wants no answer.
            drop(keyboard.lock().unwrap().write_all(answer.as_bytes()));
        }
    }
    seen.change(|seen| seen.is_over = true);
}

fn command(path: &Path, args: &[&str], environment: &[(&str, &str)]) -> CommandBuilder {
    let mut command = CommandBuilder::new(path);
    command.args(args);
    command.cwd(std::env::current_dir().unwrap());
    for name in NOT_PASSED_ON {
        command.env_remove(name);
    }
    for (name, value) in ENVIRONMENT.iter().chain(environment) {
        command.env(name, value);
    }
    command
}

fn text_of(screen: &Screen) -> String {
    let (_, cols) = screen.size();
    let lines: Vec<String> = screen
        .rows(0, cols.get())
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n").trim_end_matches('\n').to_owned()
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}

fn non_zero(cells: u16) -> NonZeroU16 {
    cells.try_into().expect("a terminal has rows and columns")
}

#[cfg(test)]
mod tests;
