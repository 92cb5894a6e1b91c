//! The list of senders: who they are, how much they say, and how they are chosen.

use compact_str::CompactString;

use super::gathered::Gathered;
use crate::view::badge::Source;
use crate::view::census::{Account, Key};
use crate::view::style::Color;

/// A sender.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SenderRow {
    /// Who it is.
    pub(crate) source: Source,
    /// What it is called.
    pub(crate) name: CompactString,
    /// Its colour.
    pub(crate) color: Option<Color>,
    /// Its account.
    pub(crate) account: Account,
    /// It is shown alone.
    pub(crate) is_solo: bool,
    /// It is not shown.
    pub(crate) is_muted: bool,
}

/// Every sender, by name.
pub(crate) fn senders(gathered: &Gathered) -> Vec<SenderRow> {
    let choice = gathered.store.choice();
    let mut rows: Vec<SenderRow> = gathered
        .census
        .accounts()
        .filter_map(|(key, account)| {
            let Key::Sender(source) = key else {
                return None;
            };
            let badge = gathered.badges.get(*source);
            Some(SenderRow {
                source: *source,
                name: badge.map_or_else(|| "unknown".into(), |badge| badge.name.clone()),
                color: badge.and_then(|badge| badge.color),
                account: account.clone(),
                is_solo: choice.solo().contains(source),
                is_muted: choice.muted().contains(source),
            })
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name).then(a.source.cmp(&b.source)));
    rows
}
