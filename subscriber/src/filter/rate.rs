//! A rate limiter: so many records in so much time, and a word about the rest.
//!
//! Each key, the values of some fields, has a bucket of its own that fills up evenly (a token
//! bucket). What is held back is counted and told, when a record of that key passes again, when the
//! key is forgotten, and at least every ten seconds.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Filter, Row, key_of};
use crate::config::options::{Form, Kind, parameter};
use crate::item::{Delivered, Notice};

/// Keys that are remembered; with more, the one that was used longest ago is forgotten.
const MAX_KEYS: usize = 10_000;
/// How long a count is kept to itself, in ns.
const TELL_EVERY: u64 = 10_000_000_000;

pub(super) const ROW: Row = Row {
    name: "rate",
    summary: "lets so many records in so much time through, and says how many it held back",
    forms: &[Form {
        class: "rate",
        parameters: &[
            parameter("records", Kind::Count, "how many"),
            parameter("per", Kind::Seconds, "in how much time; 1s"),
            parameter(
                "burst",
                Kind::Count,
                "how many may come at once; the same number",
            ),
            parameter(
                "by",
                Kind::Texts,
                "fields whose values have a limit each, as [name, levelno]",
            ),
        ],
        read: |options| {
            if !options.has("records") {
                options.missing("records");
            }
            let records = options.count("records").unwrap_or(1);
            let per = options.seconds("per").map_or(1.0, |per| per.as_secs_f64());
            if records == 0 || per <= 0.0 {
                options.wrong(
                    "records",
                    "a limit lets at least one record through in some time",
                );
            }
            Some(Box::new(Rate {
                records: records as f64,
                per: per * 1e9,
                burst: options.count("burst").unwrap_or(records).max(1) as f64,
                by: options.texts("by").unwrap_or_default(),
                buckets: HashMap::new(),
            }))
        },
    }],
};

#[derive(Debug, Clone)]
struct Rate {
    records: f64,
    /// In ns.
    per: f64,
    burst: f64,
    by: Vec<String>,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug, Clone)]
struct Bucket {
    /// Records that may pass now.
    left: f64,
    /// When that was calculated, in ns.
    at: u64,
    held_back: u64,
    /// When the first of those came.
    since: u64,
}

impl Rate {
    fn notice(&self, key: &str, bucket: &mut Bucket) -> Option<Notice> {
        let records = std::mem::take(&mut bucket.held_back);
        let of = if key.is_empty() { "" } else { " of " };
        let seconds = self.per / 1e9;
        let why = format!("more than {} in {seconds} s{of}{key}", self.records);
        (records > 0).then_some(Notice::HeldBack { records, why })
    }

    /// Forgets the key that was used longest ago.
    fn forget_one(&mut self, notices: &mut Vec<Notice>) {
        let oldest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.at);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return;
        };
        if let Some(mut bucket) = self.buckets.remove(&key) {
            notices.extend(self.notice(&key, &mut bucket));
        }
    }
}

impl Filter for Rate {
    fn pass(
        &mut self,
        delivered: &mut Arc<Delivered>,
        now: u64,
        notices: &mut Vec<Notice>,
    ) -> bool {
        let key = key_of(&delivered.record, &self.by);
        if !self.buckets.contains_key(&key) && self.buckets.len() >= MAX_KEYS {
            self.forget_one(notices);
        }
        let full = Bucket {
            left: self.burst,
            at: now,
            held_back: 0,
            since: now,
        };
        let mut bucket = self.buckets.remove(&key).unwrap_or(full);
        let more = now.saturating_sub(bucket.at) as f64 * self.records / self.per;
        bucket.left = (bucket.left + more).min(self.burst);
        bucket.at = now;
        let passes = bucket.left >= 1.0;
        if passes {
            bucket.left -= 1.0;
            notices.extend(self.notice(&key, &mut bucket));
        } else {
            if bucket.held_back == 0 {
                bucket.since = now;
            }
            bucket.held_back += 1;
        }
        self.buckets.insert(key, bucket);
        passes
    }

    fn tick(&mut self, now: u64, notices: &mut Vec<Notice>) {
        let mut buckets = std::mem::take(&mut self.buckets);
        for (key, bucket) in &mut buckets {
            if now.saturating_sub(bucket.since) >= TELL_EVERY {
                notices.extend(self.notice(key, bucket));
                bucket.since = now;
            }
        }
        self.buckets = buckets;
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(Self {
            buckets: HashMap::new(),
            ..self.clone()
        })
    }
}
