//! The streaming view: a line a record, many senders interleaved in time order.
//!
//! It is a handler like others (`handler/mod.rs`), with a lane of its own: a terminal that is too
//! slow holds up nobody, and what it had no room for is told where it is missing. Inside, a record
//! goes through the window that orders (`reorder.rs`), the filters (`filters.rs`) and the context
//! (`context.rs`), and is written (`output.rs`). Losses stand among the records, on standard
//! output, in every format; who comes and goes is told on standard error.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use super::badge::Badges;
use super::config::{Config, Goal};
use super::context::Context;
use super::filters::Filters;
use super::line::Standing;
use super::moment::TimeBase;
use super::output::Output;
use super::style::Theme;
use super::styled::Styled;
use super::teller::{Teller, Weight};
use super::window::Window;
use crate::handler::{Fault, Handler};
use crate::item::{Delivered, Item, Notice};

/// Called when the view has shown what it was to show.
pub type Done = Arc<dyn Fn() + Send + Sync>;

/// The view; see the head of this file.
pub struct Stream {
    window: Window,
    filters: Filters,
    context: Context,
    writer: Writer,
    goal: Goal,
    /// Records taken in.
    taken: u64,
    /// Of those: asked for.
    asked_for: u64,
    is_done: bool,
    /// Whether records came after that.
    has_left_some: bool,
    done: Done,
    /// Whether nobody reads any more; told with the next call, because this one took its batch in.
    has_ended: bool,
}

/// What is shown, on its way out.
struct Writer {
    base: TimeBase,
    badges: Badges,
    teller: Teller,
    output: Output,
    theme: Theme,
    /// Columns of the widest badge that was written.
    widest: usize,
    delimiter: char,
    /// Of a view that shows only the last ones: those.
    tail: Option<Tail>,
    tells_routine: bool,
    /// Records written.
    written: u64,
    /// Records that could not be written.
    failed: u64,
    text: String,
    /// Records in it.
    in_text: u64,
    out: Box<dyn Write + Send>,
    aside: Box<dyn Write + Send>,
}

/// The last records, with the notices between them.
struct Tail {
    most: usize,
    records: usize,
    /// Each with when it was to be shown.
    last: VecDeque<(Shown, u64)>,
}

/// Something to be written.
enum Shown {
    Record(Arc<Delivered>, Standing),
    Notice(Notice),
}

impl Stream {
    /// A view that writes records to `out` and who comes and goes to `aside`.
    pub fn new(
        config: Config,
        done: Done,
        out: Box<dyn Write + Send>,
        aside: Box<dyn Write + Send>,
    ) -> Self {
        let Config { look, .. } = config;
        Self {
            window: Window::new(look.base, config.reorder),
            filters: config.filters,
            context: Context::new(config.context),
            writer: Writer {
                base: look.base,
                badges: Badges::new(look.theme.senders),
                teller: Teller::default(),
                output: config.output,
                theme: look.theme,
                widest: 0,
                delimiter: config.delimiter,
                tail: config.tail.map(|most| Tail {
                    most,
                    records: 0,
                    last: VecDeque::new(),
                }),
                tells_routine: config.tells_routine,
                written: 0,
                failed: 0,
                text: String::new(),
                in_text: 0,
                out,
                aside,
            },
            goal: config.goal,
            taken: 0,
            asked_for: 0,
            is_done: false,
            has_left_some: false,
            done,
            has_ended: false,
        }
    }

    /// Shows what is due.
    fn release(&mut self, until: u64) -> Result<(), Fault> {
        let now = self.window.now();
        for (item, is_late) in self.window.release(until) {
            if self.is_done {
                self.has_left_some |= matches!(item, Item::Record(_));
                continue;
            }
            match item {
                Item::Record(delivered) => self.record(delivered, is_late),
                Item::Notice(notice) => self.writer.show(Shown::Notice(notice), now),
            }
        }
        self.writer.write()
    }

    fn record(&mut self, delivered: Arc<Delivered>, is_late: bool) {
        let Self {
            filters,
            context,
            writer,
            ..
        } = self;
        // Who is filtered out has a name and a colour, too: they stay when the filter goes.
        writer.badges.of(&delivered);
        let is_asked_for = filters.admit(&delivered);
        context.sift(
            delivered.clone(),
            is_late,
            is_asked_for,
            |delivered, is_late, is_context| {
                writer.show(
                    Shown::Record(
                        delivered,
                        Standing {
                            is_late,
                            is_context,
                        },
                    ),
                    0,
                );
            },
        );
        if is_asked_for {
            self.count(&delivered);
        }
    }

    /// Notes that a record was shown that was asked for, and whether that was enough.
    fn count(&mut self, delivered: &Delivered) {
        self.asked_for += 1;
        let Goal { count, until, .. } = &self.goal;
        let is_enough = count.is_some_and(|count| self.asked_for >= count)
            || until.as_ref().is_some_and(|until| until.matches(delivered));
        if is_enough {
            self.is_done = true;
            self.goal.reach();
            (self.done)();
        }
    }
}

impl Writer {
    fn show(&mut self, shown: Shown, now: u64) {
        if matches!(shown, Shown::Notice(Notice::CaughtUp { .. })) {
            // Those were the last ones of the journal; what is live is shown as it comes.
            for (kept, at) in self.tail.take().into_iter().flat_map(|tail| tail.last) {
                self.put(kept, at);
            }
        }
        match &mut self.tail {
            // Who comes and goes is no news any more at the end.
            Some(tail) if !shown.is_routine() => tail.keep(shown, now),
            _ => self.put(shown, now),
        }
    }

    fn put(&mut self, shown: Shown, now: u64) {
        match shown {
            Shown::Record(delivered, standing) => {
                let badge = self.badges.of(&delivered);
                self.widest = self.widest.max(badge.width);
                let widest = self.widest;
                self.output.record(
                    &delivered,
                    badge,
                    widest,
                    standing,
                    self.base,
                    &mut self.text,
                );
                self.text.push(self.delimiter);
                self.in_text += 1;
            }
            Shown::Notice(notice) => self.notice(&notice, now),
        }
    }

    fn notice(&mut self, notice: &Notice, now: u64) {
        let mut styled = Styled::default();
        let weight = self
            .teller
            .tell(notice, &mut self.badges, &self.theme, now, &mut styled);
        if weight == Weight::Routine {
            if self.tells_routine {
                self.tell_aside(&styled);
            }
            return;
        }
        let reason = self.teller.reason_of(notice, now);
        if !self.output.notice(notice, reason, &mut self.text) {
            styled.write_ansi(&mut self.text);
        }
        self.text.push(self.delimiter);
    }

    /// Writes to standard error, behind what comes before.
    fn tell_aside(&mut self, styled: &Styled) {
        let mut line = String::new();
        styled.write_ansi(&mut line);
        line.push('\n');
        // What fails here shows when the records themselves are written.
        let _written = self
            .write()
            .and_then(|()| Ok(self.aside.write_all(line.as_bytes())?));
    }

    fn write(&mut self) -> Result<(), Fault> {
        if self.text.is_empty() {
            return Ok(());
        }
        let result = self
            .out
            .write_all(self.text.as_bytes())
            .and_then(|()| self.out.flush());
        self.text.clear();
        let records = std::mem::take(&mut self.in_text);
        match result {
            Ok(()) => self.written += records,
            Err(_) => self.failed += records,
        }
        Ok(result?)
    }

    /// Writes what was kept for the end.
    fn finish(&mut self) -> Result<(), Fault> {
        if let Some(tail) = self.tail.take() {
            for (shown, now) in tail.last {
                self.put(shown, now);
            }
        }
        self.write()
    }
}

impl Tail {
    fn keep(&mut self, shown: Shown, now: u64) {
        self.records += usize::from(shown.is_record());
        self.last.push_back((shown, now));
        while self.records > self.most {
            let first = self.last.pop_front();
            self.records -= usize::from(first.is_some_and(|(shown, _)| shown.is_record()));
        }
    }
}

impl Shown {
    fn is_record(&self) -> bool {
        matches!(self, Shown::Record(..))
    }

    fn is_routine(&self) -> bool {
        matches!(self, Shown::Notice(notice) if notice.is_routine())
    }
}

impl Handler for Stream {
    fn name(&self) -> &str {
        super::NAME
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        if self.has_ended {
            return Err(Fault::Ended);
        }
        let now = self.window.now();
        for item in batch {
            self.taken += u64::from(matches!(item, Item::Record(_)));
            self.window.push(item, now);
        }
        match self.release(now) {
            Err(Fault::Ended) => self.has_ended = true,
            Err(Fault::Io(error)) => return Err(Fault::Partly(error)),
            other => return other,
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        match self.has_ended {
            true => Err(Fault::Ended),
            false => self.release(self.window.now()),
        }
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        let has_tail = self
            .writer
            .tail
            .as_ref()
            .is_some_and(|tail| !tail.last.is_empty());
        Ok(self.window.due().is_none() && !has_tail)
    }

    fn has_left_some(&self) -> bool {
        self.has_left_some
    }

    fn due(&self) -> Option<Instant> {
        self.window.due()
    }

    fn close(&mut self) -> Result<(), Fault> {
        let released = self.release(u64::MAX);
        self.writer.finish().and(released)
    }

    fn dropped(&self) -> u64 {
        self.writer.failed
    }

    /// What the filters kept back, and what came when enough was shown.
    fn held_back(&self) -> u64 {
        let Writer {
            written, failed, ..
        } = &self.writer;
        self.taken.saturating_sub(written + failed)
    }
}

#[cfg(test)]
mod tests;
