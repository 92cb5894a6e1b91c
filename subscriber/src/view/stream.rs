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
use std::time::{Duration, Instant};

use logbus_schemas::Topic;

use super::badge::{Badges, Source};
use super::config::{Config, Goal};
use super::context::Context;
use super::filters::Filters;
use super::line::Standing;
use super::moment::TimeBase;
use super::output::Output;
use super::reorder::Reorder;
use super::style::Theme;
use super::styled::Styled;
use super::teller::{Teller, Weight};
use super::weight;
use crate::handler::{Fault, Handler};
use crate::item::{Delivered, Item, Notice};

/// Bytes that the window may hold.
const MAX_BYTES: usize = 64 << 20;
/// What a notice counts for there.
const NOTICE_BYTES: usize = 256;

/// Called when the view has shown what it was to show.
pub type Done = Arc<dyn Fn() + Send + Sync>;

/// The view; see the head of this file.
pub struct Stream {
    begun: Instant,
    base: TimeBase,
    window: Reorder<Item, (Source, Topic)>,
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
}

/// What is shown, on its way out.
struct Writer {
    base: TimeBase,
    badges: Badges,
    teller: Teller,
    output: Output,
    theme: Theme,
    delimiter: char,
    /// Of a view that shows only the last ones: those, and how many.
    tail: Option<(usize, VecDeque<Shown>)>,
    tells_routine: bool,
    /// Records written.
    written: u64,
    text: String,
    out: Box<dyn Write + Send>,
    aside: Box<dyn Write + Send>,
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
            begun: Instant::now(),
            base: look.base,
            window: Reorder::new(config.reorder, MAX_BYTES),
            filters: config.filters,
            context: Context::new(config.context),
            writer: Writer {
                base: look.base,
                badges: Badges::new(look.theme.senders),
                teller: Teller::default(),
                output: config.output,
                theme: look.theme,
                delimiter: config.delimiter,
                tail: config.tail.map(|count| (count, VecDeque::new())),
                tells_routine: config.tells_routine,
                written: 0,
                text: String::new(),
                out,
                aside,
            },
            goal: config.goal,
            taken: 0,
            asked_for: 0,
            is_done: false,
            has_left_some: false,
            done,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn take(&mut self, item: &Item, now: u64) {
        match item {
            Item::Record(delivered) => {
                self.taken += 1;
                let source = (Source::of(delivered), delivered.topic.clone());
                let (place, bytes) = (self.base.place(delivered), weight::of(delivered));
                self.window.push(item.clone(), place, source, bytes, now);
            }
            Item::Notice(notice) => {
                let source = match notice {
                    Notice::Ledger(notice) => notice
                        .topic()
                        .map(|topic| (Source::Publisher(notice.sender().id), topic.clone())),
                    _ => None,
                };
                self.window
                    .push_behind(item.clone(), source, NOTICE_BYTES, now);
            }
        }
    }

    /// Shows what is due.
    fn release(&mut self, until: u64) -> Result<(), Fault> {
        let (mut due, now) = (Vec::new(), self.now());
        self.window
            .release(until, |item, is_late| due.push((item, is_late)));
        for (item, is_late) in due {
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
        let Goal { count, until } = &self.goal;
        let is_enough = count.is_some_and(|count| self.asked_for >= count)
            || until.as_ref().is_some_and(|until| until.matches(delivered));
        if is_enough {
            self.is_done = true;
            (self.done)();
        }
    }
}

impl Writer {
    fn show(&mut self, shown: Shown, now: u64) {
        let Some((most, last)) = &mut self.tail else {
            return self.put(shown, now);
        };
        if matches!(shown, Shown::Notice(Notice::CaughtUp { .. })) {
            // Those were the last ones of the journal; what is live is shown as it comes.
            for shown in self.tail.take().into_iter().flat_map(|(_, last)| last) {
                self.put(shown, now);
            }
            return self.put(shown, now);
        }
        last.push_back(shown);
        let is_record = |shown: &Shown| matches!(shown, Shown::Record(..));
        if last.iter().filter(|shown| is_record(shown)).count() > *most {
            while let Some(first) = last.pop_front() {
                if is_record(&first) {
                    break;
                }
            }
        }
    }

    fn put(&mut self, shown: Shown, now: u64) {
        match shown {
            Shown::Record(delivered, standing) => {
                let widest = self.badges.widest();
                let badge = self.badges.of(&delivered);
                self.output.record(
                    &delivered,
                    badge,
                    widest,
                    standing,
                    self.base,
                    &mut self.text,
                );
                self.text.push(self.delimiter);
                self.written += 1;
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
        if !self.output.notice(notice, &mut self.text) {
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
        Ok(result?)
    }

    /// Writes what was kept for the end.
    fn finish(&mut self) -> Result<(), Fault> {
        if let Some((_, last)) = self.tail.take() {
            for shown in last {
                self.put(shown, 0);
            }
        }
        self.write()
    }
}

impl Handler for Stream {
    fn name(&self) -> &str {
        super::NAME
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        let now = self.now();
        for item in batch {
            self.take(item, now);
        }
        self.release(now)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.release(self.now())
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        let has_tail = self
            .writer
            .tail
            .as_ref()
            .is_some_and(|(_, last)| !last.is_empty());
        Ok(self.window.next_due().is_none() && !has_tail)
    }

    fn has_left_some(&self) -> bool {
        self.has_left_some
    }

    fn due(&self) -> Option<Instant> {
        let due = self.window.next_due()?;
        self.begun.checked_add(Duration::from_nanos(due))
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.release(u64::MAX)?;
        self.writer.finish()
    }

    /// What the filters kept back, and what came when enough was shown.
    fn held_back(&self) -> u64 {
        self.taken.saturating_sub(self.writer.written)
    }
}

#[cfg(test)]
mod tests;
