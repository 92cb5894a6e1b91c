//! The thread that has the terminal: it waits, works, and draws at most thirty times a second.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use crossterm::event::Event;
use logbus_process as process;
use ratatui::layout::Rect;

use super::gathered::Shared;
use super::model::{Effect, Model};
use super::save::{self, Page};
use super::scene::Scene;
use super::screen::{self, Screen};
use super::wake::{Wake, Wakes};
use super::{draw, signals};
use crate::pipeline::Events;
use crate::view::aside::Aside;
use crate::view::config::Config;
use crate::view::line::Lines;
use crate::view::moment::Moment;
use crate::view::style::Theme;
use crate::view::top::thousands;

/// The least time between two drawings: thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// Rates and ages change by themselves, so it is drawn at least this often.
const AGING: Duration = Duration::from_secs(1);
/// How long the lock is left to the others between two slices.
const BREATH: Duration = Duration::from_millis(1);
/// How long the buffer is worked on before keys are looked at again.
const SLICE: Duration = Duration::from_millis(12);

/// The thread.
struct Ui {
    screen: Screen,
    model: Model,
    shared: Arc<Shared>,
    wakes: Wakes,
    aside: Aside,
    /// Whether something is to be seen that was not drawn.
    is_stale: bool,
    drawn: Instant,
    has_ended: bool,
}

/// Takes the terminal and starts the thread; what it returns is closed when the terminal was given
/// back.
pub(crate) fn start(
    config: &Config,
    shared: Arc<Shared>,
    wakes: Wakes,
    events: Events,
    aside: &Aside,
) -> anyhow::Result<Receiver<Infallible>> {
    let (over_in, over) = bounded(0);
    let waker = shared.waker.clone();
    let screen = Screen::take(aside, &waker).context("cannot take the terminal")?;
    let signals = signals::watch_signals(waker.clone())?;
    signals::watch_keys(waker)?;
    let ui = Ui {
        screen,
        model: Model::new(config),
        shared,
        wakes,
        aside: aside.clone(),
        is_stale: true,
        drawn: Instant::now(),
        has_ended: false,
    };
    std::thread::Builder::new()
        .name(screen::THREAD.to_owned())
        .spawn(move || {
            // Also when this panics, the program ends and whoever waits goes on.
            let _at_end = AtEnd {
                events,
                _over: over_in,
            };
            // Declared behind it, so that the terminal is given back before anybody goes on.
            let mut ui = ui;
            if let Err(error) = ui.run() {
                ui.aside.say(&format!("the terminal is gone: {error}"));
            }
            signals.close();
        })?;
    Ok(over)
}

/// Ends the program.
struct AtEnd {
    events: Events,
    _over: crossbeam_channel::Sender<Infallible>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.events.end();
    }
}

impl Ui {
    fn run(&mut self) -> io::Result<()> {
        self.draw()?;
        let mut is_busy = false;
        while !self.has_ended {
            self.wait(is_busy)?;
            is_busy = self.work();
            self.is_stale |= is_busy;
            if self.is_stale && self.drawn.elapsed() >= FRAME {
                self.draw()?;
            }
        }
        Ok(())
    }

    /// Waits for something to happen, and takes what did.
    fn wait(&mut self, is_busy: bool) -> io::Result<()> {
        let age = self.drawn.elapsed();
        let longest = match (is_busy, self.is_stale) {
            (true, _) => BREATH,
            (false, true) => FRAME.saturating_sub(age),
            (false, false) => AGING.saturating_sub(age),
        };
        match self.wakes.wakes.recv_timeout(longest) {
            Ok(wake) => self.woken(wake)?,
            Err(RecvTimeoutError::Timeout) => self.is_stale |= age >= AGING,
            Err(RecvTimeoutError::Disconnected) => self.has_ended = true,
        }
        while let (false, Ok(wake)) = (self.has_ended, self.wakes.wakes.try_recv()) {
            self.woken(wake)?;
        }
        Ok(())
    }

    fn woken(&mut self, wake: Wake) -> io::Result<()> {
        self.is_stale = true;
        match wake {
            Wake::News => {
                self.wakes.take_news();
                if let Some(news) = self.aside.news() {
                    self.model.mention(news);
                }
            }
            Wake::Event(event) => return self.event(&event),
            Wake::Suspend => self.screen.suspend()?,
            Wake::Resume => self.screen.retake()?,
            Wake::Hangup => {
                // After a hangup a terminal has no size.
                self.screen.size()?;
            }
            Wake::End => self.has_ended = true,
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        // What the key before asked for is done first, where that does not take long.
        self.work();
        let effect = {
            let mut gathered = self.shared.lock();
            self.model.event(event, &mut gathered, process::now())
        };
        match effect {
            None => {}
            Some(Effect::Quit) => self.has_ended = true,
            Some(Effect::Suspend) => self.screen.suspend()?,
            Some(Effect::Redraw) => self.screen.retake()?,
            Some(Effect::Mouse) => match self.screen.toggle_mouse()? {
                true => self
                    .model
                    .tell("the mouse scrolls and selects; the key again leaves it"),
                false => self.model.tell("the mouse is the terminal's"),
            },
            Some(Effect::Copy(text)) => {
                let (sequence, is_all) = save::clipboard(&text);
                self.screen.write(&sequence)?;
                self.model.tell(match is_all {
                    true => "copied",
                    false => "copied; only the beginning, it is too long",
                });
            }
            Some(Effect::Save(path, is_over)) => self.save(path, is_over),
        }
        Ok(())
    }

    /// Writes what is visible on a thread of its own: it may be much.
    fn save(&mut self, path: String, is_over: bool) {
        while self.work() {}
        let page = Page::new(&mut self.shared.lock(), self.model.until());
        let mut look = self.model.look.clone();
        look.theme = Theme::plain();
        look.highlights.clear();
        let moment = Moment::new(self.model.format.clone(), self.model.zone.clone());
        let (aside, waker) = (self.aside.clone(), self.shared.waker.clone());
        let spawned = std::thread::Builder::new()
            .name("logsub-save".to_owned())
            .spawn(move || {
                let written = page.write(
                    &mut Lines::new(look, moment),
                    &PathBuf::from(&path),
                    is_over,
                );
                aside.say(&match written {
                    Ok(records) => format!("wrote {} records to {path}", thousands(records as u64)),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        format!("{path} is there already; :save! {path} writes over it")
                    }
                    Err(error) => format!("cannot write {path}: {error}"),
                });
                waker.news();
            });
        match spawned {
            Ok(_) => self.model.tell("writing"),
            Err(error) => self.model.complain(format!("cannot write: {error}")),
        }
    }

    /// Works on the index and on searches for a while; says whether more is left.
    fn work(&mut self) -> bool {
        let deadline = Instant::now() + SLICE;
        let mut gathered = self.shared.lock();
        self.model
            .work(&mut gathered, &mut || Instant::now() >= deadline)
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Some(news) = self.aside.news() {
            self.model.mention(news);
        }
        let (width, height) = self.screen.size()?;
        let scene = {
            let mut gathered = self.shared.lock();
            let screen = Rect::new(0, 0, width, height);
            Scene::take(&mut self.model, &mut gathered, screen, process::now())
        };
        let model = &self.model;
        self.screen.draw(|frame| draw::draw(frame, model, &scene))?;
        (self.is_stale, self.drawn) = (false, Instant::now());
        Ok(())
    }
}
