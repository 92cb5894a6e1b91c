//! A duplicate suppressor: of records that say the same, the first, and how many more came.
//!
//! The same is the same logger, level and message or, where that is asked for, message template. A
//! record passes again when the last one like it that passed is older than the window; how many
//! were held back meanwhile is said then, or when the window ends.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::item::{Delivered, Notice};

/// Different records that are remembered; with more, the one that passed longest ago is forgotten.
const MAX_KEYS: usize = 10_000;
/// Characters of a message that a notice quotes.
const QUOTED: usize = 80;

pub(super) const ROW: Row = Row {
    name: "repeat",
    summary: "holds back records that say the same as one before, and says how many",
    forms: &[Form {
        class: "repeat",
        parameters: &[
            parameter(
                "window",
                Kind::Seconds,
                "how long repetitions are held back; 10s",
            ),
            parameter(
                "by",
                Kind::OneOf(&["message", "template"]),
                "what must be the same; message",
            ),
        ],
        read: |options| {
            let window = options.seconds("window");
            Some(Box::new(Repeat {
                window: window.map_or(10_000_000_000, |window| window.as_nanos() as u64),
                by_template: options.one_of("by") == Some("template"),
                seen: HashMap::new(),
            }))
        },
    }],
};

/// What is the same in repetitions.
type Key = (String, i64, String);

#[derive(Debug, Clone)]
struct Repeat {
    /// In ns.
    window: u64,
    by_template: bool,
    seen: HashMap<Key, Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    /// When the last one passed, in ns.
    passed: u64,
    held_back: u64,
}

impl Repeat {
    fn key(&self, delivered: &Delivered) -> Key {
        let record = &delivered.record;
        let text = match record.text("msg") {
            Some(template) if self.by_template => template.to_owned(),
            _ => record.get_message().into_owned(),
        };
        let name = record.name().unwrap_or_default().to_owned();
        (name, record.level().map_or(0, |level| level.0), text)
    }

    fn forget_one(&mut self, notices: &mut Vec<Notice>) {
        let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.passed);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return;
        };
        let seen = self.seen.remove(&key);
        notices.extend(notice(&key, seen.map_or(0, |seen| seen.held_back)));
    }
}

fn notice((name, _, text): &Key, records: u64) -> Option<Notice> {
    let quoted: String = text.chars().take(QUOTED).collect();
    let why = format!("the same as {quoted:?} of {name}");
    (records > 0).then_some(Notice::HeldBack { records, why })
}

impl Filter for Repeat {
    fn pass(
        &mut self,
        delivered: &mut Arc<Delivered>,
        now: u64,
        notices: &mut Vec<Notice>,
    ) -> bool {
        let key = self.key(delivered);
        if let Some(seen) = self.seen.get_mut(&key) {
            if now.saturating_sub(seen.passed) < self.window {
                seen.held_back += 1;
                return false;
            }
            notices.extend(notice(&key, seen.held_back));
        } else if self.seen.len() >= MAX_KEYS {
            self.forget_one(notices);
        }
        self.seen.insert(
            key,
            Seen {
                passed: now,
                held_back: 0,
            },
        );
        true
    }

    fn tick(&mut self, now: u64, notices: &mut Vec<Notice>) {
        let window = self.window;
        self.seen.retain(|key, seen| {
            let is_over = now.saturating_sub(seen.passed) >= window;
            if is_over {
                notices.extend(notice(key, seen.held_back));
            }
            !is_over
        });
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(Self {
            seen: HashMap::new(),
            ..self.clone()
        })
    }
}
