//! Durable subscriptions on disk: what each has done, by name.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use logbus_schemas::TopicFilter;

use super::book::Book;
use super::rows::{Consumer, Line, key, number};
use super::store::{JournalError, Store};

/// A durable subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// The first entry that it has not done.
    pub offset: u64,
    /// Entries that it has not done, and the records in them.
    pub lag: (u64, u64),
    /// Records that were deleted before it had them, since it began.
    pub lost: u64,
    /// When it was last heard of, in ns since 1970-01-01 00:00 UTC.
    pub heard: u64,
    /// Its topics; none is all.
    pub topics: Vec<String>,
    /// The client whose it is, where clients have keys.
    pub owner: Option<String>,
}

impl Store {
    /// What people want to know of the durable subscriptions, by name. What is further behind than
    /// `most` lines of the catalog is not counted.
    pub(crate) fn consumer_infos(&self, most: u64) -> Result<Vec<ConsumerInfo>, JournalError> {
        let all = self.consumers()?.into_iter();
        all.map(|(name, consumer)| {
            Ok(ConsumerInfo {
                name,
                offset: consumer.below,
                lag: self.lag(&consumer, most)?,
                lost: consumer.all_lost(),
                heard: consumer.heard,
                topics: consumer.topics,
                owner: consumer.owner,
            })
        })
        .collect()
    }

    /// Entries that a subscription has not done, and the records in them.
    fn lag(&self, consumer: &Consumer, most: u64) -> Result<(u64, u64), JournalError> {
        let parsed = consumer.topics.iter().map(|text| TopicFilter::parse(text));
        let topics: Vec<TopicFilter> = parsed.filter_map(Result::ok).collect();
        let (mut entries, mut records, mut seen) = (0, 0, 0);
        for row in self.catalog.range(key(consumer.below)..) {
            let (offset, line) = row.into_inner()?;
            seen += 1;
            if seen > most {
                break;
            }
            let (Some(offset), Some(line)) = (number(&offset), Line::read(&line)) else {
                continue;
            };
            let topic = line.topic.as_str();
            let wants = topics.is_empty() || topics.iter().any(|filter| filter.matches(topic));
            if wants && !line.is_gone && !consumer.also.contains(&offset) {
                entries += 1;
                records += u64::from(line.records);
            }
        }
        Ok((entries, records))
    }

    /// Every durable subscription. One whose row cannot be read is left out.
    pub(crate) fn consumers(&self) -> Result<BTreeMap<String, Consumer>, JournalError> {
        let mut all = BTreeMap::new();
        for row in self.consumers.iter() {
            all.extend(Consumer::read_row(&row.value()?));
        }
        Ok(all)
    }

    /// One of them.
    pub(crate) fn consumer(&self, name: &str) -> Result<Option<Consumer>, JournalError> {
        let row = self.consumers.get(name)?;
        let row = row.as_deref().and_then(Consumer::read_row);
        Ok(row.map(|(_, consumer)| consumer))
    }
}

impl Book {
    pub(crate) fn consumers(&self) -> Result<BTreeMap<String, Consumer>, JournalError> {
        self.store.consumers()
    }

    /// Writes down where subscriptions are. What one has missed is written by retention alone, and
    /// over when the subscription has come by it.
    pub(crate) fn note(&mut self, notes: &BTreeMap<String, Consumer>) -> Result<(), JournalError> {
        let mut batch = self.store.batch();
        for (name, note) in notes {
            let mut consumer = note.clone();
            if let Some(old) = self.store.consumer(name)? {
                consumer.missed = old.missed;
                consumer.missed_to = old.missed_to;
                consumer.charged = old.charged;
            }
            if consumer.below >= consumer.missed_to {
                consumer.missed = 0;
            }
            batch.insert(&self.store.consumers, name.as_str(), consumer.to_row(name));
        }
        self.store.commit(batch, "note")
    }

    /// Forgets a subscription; says whether there was one.
    pub(crate) fn remove_consumer(&mut self, name: &str) -> Result<bool, JournalError> {
        let was = self.store.consumers.contains_key(name)?;
        let mut batch = self.store.batch();
        batch.remove(&self.store.consumers, name);
        self.store.commit(batch, "note")?;
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.remove(name);
        Ok(was)
    }

    /// Lines of the catalog that were deleted.
    pub(super) fn purged(&self) -> Result<u64, JournalError> {
        let row = self.store.meta.get("purged")?;
        Ok(row.and_then(|row| number(&row)).unwrap_or(0))
    }

    /// The journal's id, made when there is none.
    pub(crate) fn id(&self) -> Result<u64, JournalError> {
        if let Some(id) = self.store.meta.get("id")?.and_then(|row| number(&row)) {
            return Ok(id);
        }
        let id = logbus_process::random();
        let mut batch = self.store.batch();
        batch.insert(&self.store.meta, "id", key(id));
        self.store.commit(batch, "id")?;
        self.store.sync()?;
        Ok(id)
    }
}
