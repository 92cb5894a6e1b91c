//! The terminal's life: taken, given back, taken again.
//!
//! Taken, it is in raw mode and shows the alternate screen, so what stood there before is there
//! again afterwards. It is given back however the view ends: asked to, by a panic, and while the
//! process is stopped.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use super::wake::{Wake, Waker};
use crate::view::aside::Aside;

/// The thread that draws.
pub(crate) const THREAD: &str = "logsub-view";

/// A terminal that is ours.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    is_taken: Arc<AtomicBool>,
    has_mouse: bool,
}

impl Screen {
    /// Takes the terminal. A panic gives it back first and is told then; one of another thread is
    /// told aside.
    pub(crate) fn take(aside: &Aside, waker: &Waker) -> io::Result<Self> {
        let is_taken = Arc::<AtomicBool>::default();
        give_back_on_panic(&is_taken, aside, waker);
        take(&is_taken, false)?;
        Ok(Self {
            terminal: Terminal::new(CrosstermBackend::new(io::stdout()))?,
            is_taken,
            has_mouse: false,
        })
    }

    /// Draws what has changed.
    pub(crate) fn draw(&mut self, how: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(how)?;
        Ok(())
    }

    /// The size, in columns and rows.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Takes the terminal anew, whatever it went through, and forgets what stood there.
    pub(crate) fn retake(&mut self) -> io::Result<()> {
        give_back(&self.is_taken);
        take(&self.is_taken, self.has_mouse)?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }

    /// Gives the terminal back, stops the process, and takes it again when the process goes on.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        give_back(&self.is_taken);
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.retake()
    }

    /// Takes or leaves the mouse; says whether it is ours now.
    pub(crate) fn toggle_mouse(&mut self) -> io::Result<bool> {
        self.has_mouse = !self.has_mouse;
        match self.has_mouse {
            true => execute!(io::stdout(), EnableMouseCapture)?,
            false => execute!(io::stdout(), DisableMouseCapture)?,
        }
        Ok(self.has_mouse)
    }

    /// Writes a control sequence of its own.
    pub(crate) fn write(&mut self, sequence: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(sequence.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.is_taken);
    }
}

fn take(is_taken: &AtomicBool, has_mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    is_taken.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
    if has_mouse {
        execute!(io::stdout(), EnableMouseCapture)?;
    }
    let all = crossterm::terminal::ClearType::All;
    execute!(io::stdout(), crossterm::terminal::Clear(all))
}

/// Does its best: the terminal may be gone.
fn give_back(is_taken: &AtomicBool) {
    if !is_taken.swap(false, Ordering::SeqCst) {
        return;
    }
    let _written = execute!(
        io::stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _restored = disable_raw_mode();
}

fn give_back_on_panic(is_taken: &Arc<AtomicBool>, aside: &Aside, waker: &Waker) {
    let (is_taken, aside, waker) = (is_taken.clone(), aside.clone(), waker.clone());
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a thread");
        if !is_taken.load(Ordering::SeqCst) || name == THREAD || name == "main" {
            give_back(&is_taken);
            return before(panic);
        }
        aside.say(&format!("{name}: {panic}").replace('\n', ": "));
        waker.offer(Wake::News);
    }));
}
