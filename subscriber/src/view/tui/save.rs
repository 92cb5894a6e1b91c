//! Taking records out: into a file, and into the clipboard.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::gathered::Gathered;
use super::place::Visible;
use super::store::Thing;
use crate::item::Delivered;
use crate::view::badge::{Badge, Source};
use crate::view::line::{Lines, Standing};
use crate::view::styled::Styled;

/// Bytes that are given to the clipboard at most: some terminals take no more.
const MAX_COPY: usize = 74_994;

/// What is visible, taken out of the buffer to be written.
pub(crate) struct Page {
    things: Vec<Printed>,
    widest: usize,
}

enum Printed {
    Record(Arc<Delivered>, Badge, bool),
    Notice(Styled),
}

impl Page {
    /// Everything that is visible below the number `until`.
    pub(crate) fn new(gathered: &mut Gathered, until: Option<u64>) -> Self {
        let Gathered { store, badges, .. } = gathered;
        let visible = Visible::new(store, until);
        let mut things = Vec::with_capacity(visible.count());
        for at in 0..visible.count() {
            let Some(entry) = store.entry(visible.number(at)) else {
                continue;
            };
            things.push(match &entry.thing {
                Thing::Record(delivered) => {
                    let known = badges.get(Source::of(delivered)).cloned();
                    let badge = known.unwrap_or_else(|| badges.of(delivered).clone());
                    Printed::Record(delivered.clone(), badge, entry.is_late)
                }
                Thing::Notice(told, _) => Printed::Notice(told.clone()),
            });
        }
        Self {
            things,
            widest: badges.widest(),
        }
    }

    /// Writes it as lines into a file that is not there yet, or over it; says how many records.
    pub(crate) fn write(&self, lines: &mut Lines, path: &Path, is_over: bool) -> io::Result<usize> {
        let mut options = OpenOptions::new();
        options.write(true);
        match is_over {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        let mut file = BufWriter::new(options.open(path)?);
        let (mut styled, mut records) = (Styled::default(), 0);
        for thing in &self.things {
            styled.clear();
            match thing {
                Printed::Record(delivered, badge, is_late) => {
                    let standing = Standing {
                        is_late: *is_late,
                        is_context: false,
                    };
                    lines.record(delivered, badge, self.widest, standing, &mut styled);
                    records += 1;
                }
                Printed::Notice(told) => styled.append(told),
            }
            writeln!(file, "{}", styled.text())?;
        }
        file.flush()?;
        Ok(records)
    }
}

/// A name for a file that is likely not there yet; `now` is in ns since 1970.
pub(crate) fn proposed_name(now: u64, zone: &TimeZone) -> String {
    let now = Timestamp::from_nanosecond(now.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    let now = now.to_zoned(zone.clone());
    let mut name = String::from("logsub-");
    crate::format::strftime::strftime("%Y%m%d-%H%M%S", &now, &mut name);
    name + ".log"
}

/// What makes a terminal take a text into the clipboard (xterm's OSC 52), and whether that is all of
/// the text.
pub(crate) fn clipboard(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(MAX_COPY);
    let encoded = BASE64_STANDARD.encode(&text[..end]);
    (format!("\x1b]52;c;{encoded}\x07"), end == text.len())
}
