//! Notices as people read them between the records, with the senders' badges.
//!
//! ```text
//! + shop:613 joined
//! ── shop:613 lost 17 records of myapp.db, 1041..1057: this viewer was too slow ──
//! ```

use logbus_schemas::wire::ledger;

use super::badge::Badges;
use super::style::Theme;
use super::styled::Styled;
use crate::item::Notice;

/// A loss that shows so soon after this program had no room is taken to be this program's, in ns.
const SOON: u64 = 3_000_000_000;

/// Tells of notices.
#[derive(Debug, Default)]
pub struct Teller {
    /// When messages last came faster than they could be taken.
    full_at: Option<u64>,
}

/// Where a notice belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Part of an orderly day: who comes and goes.
    Routine,
    /// Something that belongs where it stands among the records.
    Inline,
}

impl Teller {
    /// Adds what a notice says. `now` is in ns of any clock that does not go back.
    pub fn tell(
        &mut self,
        notice: &Notice,
        badges: &mut Badges,
        theme: &Theme,
        now: u64,
        out: &mut Styled,
    ) -> Weight {
        if let Notice::ReceiverFull { .. } = notice {
            self.full_at = Some(now);
        }
        if let Notice::Ledger(notice) = notice {
            badges.notice(notice);
        }
        let said = self.said(notice, badges, now);
        if notice.is_routine() {
            let mark = if matches!(notice, Notice::Ledger(ledger::Notice::Ended(_))) {
                "- "
            } else {
                "+ "
            };
            out.push(theme.notice, mark);
            out.foreign(theme.notice, &said);
            return Weight::Routine;
        }
        let style = if notice.is_loss() {
            theme.loss
        } else {
            theme.notice
        };
        out.push(style, "── ");
        out.foreign(style, &said);
        out.push(style, " ──");
        Weight::Inline
    }

    fn said(&self, notice: &Notice, badges: &mut Badges, now: u64) -> String {
        let Notice::Ledger(notice) = notice else {
            return notice.to_string();
        };
        let mut said = notice.told(&mut |sender| badges.name(sender).into());
        if let Some(reason) = self.reason(notice, now) {
            said.push_str(": ");
            said.push_str(reason);
        }
        said
    }

    /// Why records were lost, as far as can be told from here.
    fn reason(&self, notice: &ledger::Notice, now: u64) -> Option<&'static str> {
        let ledger::Notice::Lost { .. } = notice else {
            return None;
        };
        let full = self.full_at;
        let is_ours = full.is_some_and(|full| now.saturating_sub(full) <= SOON);
        Some(match is_ours {
            true => "this viewer was too slow",
            false => "on the way, the network or a queue was too slow",
        })
    }

    /// The same for programs.
    pub fn reason_of(&self, notice: &Notice, now: u64) -> Option<&'static str> {
        match notice {
            Notice::Ledger(notice) => self.reason(notice, now),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logbus_schemas::Topic;
    use logbus_schemas::wire::ledger::Sender;
    use logbus_schemas::wire::{Identity, SenderId};

    use super::*;

    fn told(teller: &mut Teller, badges: &mut Badges, notice: &Notice, now: u64) -> String {
        let mut out = Styled::default();
        teller.tell(notice, badges, &Theme::plain(), now, &mut out);
        out.text().to_owned()
    }

    #[test]
    fn a_loss_says_whose_it_is_and_why_as_far_as_that_is_known() {
        let identity = Identity {
            program: "web\x1b".into(),
            pid: 613,
            ..Identity::default()
        };
        let sender = Arc::new(Sender {
            id: SenderId(1),
            identity: Some(identity),
        });
        let lost = Notice::Ledger(ledger::Notice::Lost {
            sender: sender.clone(),
            topic: Topic::for_name("myapp.db"),
            records: 1041..1058,
        });
        let joined = Notice::Ledger(ledger::Notice::Joined(sender));
        let (mut teller, mut badges) = (Teller::default(), Badges::new(&[]));
        assert_eq!(
            told(&mut teller, &mut badges, &joined, 0),
            "+ web\\x1b joined"
        );
        assert_eq!(
            told(&mut teller, &mut badges, &lost, 0),
            "── web\\x1b lost 17 records of myapp.db, 1041..1057: on the way, the network or a queue was too slow ──"
        );
        told(
            &mut teller,
            &mut badges,
            &Notice::ReceiverFull { messages: 3 },
            SOON,
        );
        let ours = told(&mut teller, &mut badges, &lost, SOON + 1);
        assert!(ours.ends_with(": this viewer was too slow ──"), "{ours}");
    }
}
