//! Badges: the shortest name that tells a sender from all others, and its colour.
//!
//! A sender is its program where no other sender has that; else its host and program, else its
//! program and process, else all three: `shop`, `web1/shop`, `shop:613`, `web1/shop:613`. A name
//! grows when another sender makes it ambiguous, and stays known after the sender has ended, so
//! that no two lines of a stream mean different senders by one name. A colour is chosen by what
//! the sender is, so it is the same in the next run; where another sender has it, it is the next one
//! that is free.
//!
//! Records of foreign senders come under the bus's own name; they are told apart by their process.

use std::collections::{HashMap, HashSet};

use compact_str::{CompactString, ToCompactString, format_compact};
use logbus_schemas::wire::SenderId;
use logbus_schemas::wire::ledger::{self, Sender};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::Color;
use crate::format::visible;
use crate::item::Delivered;

/// Senders remembered; when there are more, those that have ended are forgotten.
const MAX_SENDERS: usize = 4096;
/// The widest badge; longer names lose their middle.
const WIDEST: usize = 24;

/// Who a record is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A publisher.
    Publisher(SenderId),
    /// A foreign sender's process, behind whoever passed its records on.
    Behind(Option<SenderId>, i64),
}

impl Source {
    /// Who a record is from.
    pub fn of(delivered: &Delivered) -> Self {
        let sender = delivered.origin.map(|(id, _)| id);
        match (delivered.passed_on(), sender) {
            (None, Some(id)) => Source::Publisher(id),
            (Some((_, pid)), _) => Source::Behind(sender, pid),
            (None, None) => Source::Behind(None, 0),
        }
    }
}

/// A sender as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Badge {
    /// Its name; nothing in it can steer a terminal.
    pub name: CompactString,
    /// The columns that the name takes.
    pub width: usize,
    /// Its colour; none where the theme has none.
    pub color: Option<Color>,
}

/// All badges.
#[derive(Debug)]
pub struct Badges {
    palette: &'static [Color],
    known: HashMap<Source, Known>,
    /// Who has each program's name.
    programs: HashMap<CompactString, Namesakes>,
    /// How many senders have each colour now.
    taken: Vec<usize>,
    widest: usize,
}

/// Senders of one program: all, and those of each host and process id.
#[derive(Debug, Default)]
struct Namesakes {
    all: HashSet<Source>,
    by_host: HashMap<CompactString, HashSet<Source>>,
    by_pid: HashMap<i64, HashSet<Source>>,
}

#[derive(Debug)]
struct Known {
    host: CompactString,
    program: CompactString,
    pid: i64,
    /// Whether it has said who it is.
    is_introduced: bool,
    has_ended: bool,
    slot: Option<usize>,
    badge: Badge,
}

impl Badges {
    /// No sender yet; they will get these colours.
    pub fn new(palette: &'static [Color]) -> Self {
        Self {
            palette,
            known: HashMap::new(),
            programs: HashMap::new(),
            taken: vec![0; palette.len()],
            widest: 0,
        }
    }

    /// The badge of a record's sender.
    pub fn of(&mut self, delivered: &Delivered) -> &Badge {
        let source = Source::of(delivered);
        let identity = delivered
            .sender
            .as_ref()
            .and_then(|sender| sender.identity.as_ref());
        let is_news = match self.known.get(&source) {
            None => true,
            Some(known) => !known.is_introduced && identity.is_some(),
        };
        if is_news {
            self.meet(source, known_by(delivered));
        }
        &self.known[&source].badge
    }

    /// The badge of a source, when it is known.
    pub fn get(&self, source: Source) -> Option<&Badge> {
        self.known.get(&source).map(|known| &known.badge)
    }

    /// All that a publisher has said of who it is, as `@sender` has it: `web1/shop:613`; its id where
    /// it has said nothing.
    pub fn whole_name(&self, source: Source) -> Option<String> {
        let Source::Publisher(id) = source else {
            return None;
        };
        let Some(known) = self.known.get(&source).filter(|known| known.is_introduced) else {
            return Some(id.to_string());
        };
        let Known {
            host, program, pid, ..
        } = known;
        let host = if host.is_empty() {
            String::new()
        } else {
            format!("{host}/")
        };
        Some(match pid {
            0 => format!("{host}{program}"),
            pid => format!("{host}{program}:{pid}"),
        })
    }

    /// The widest name so far, in columns.
    pub fn widest(&self) -> usize {
        self.widest
    }

    /// The name that a notice should use for a sender.
    pub fn name(&mut self, sender: &Sender) -> CompactString {
        let source = Source::Publisher(sender.id);
        match self.known.get(&source) {
            Some(known) => known.badge.name.clone(),
            None => {
                self.meet(source, known_of(sender));
                self.known[&source].badge.name.clone()
            }
        }
    }

    /// Takes note of who comes and goes.
    pub fn notice(&mut self, notice: &ledger::Notice) {
        match notice {
            ledger::Notice::Joined(sender) => self.meet_sender(sender),
            ledger::Notice::Restarted { sender, previous } => {
                // The successor is given its predecessor's colour.
                let slot = self.release(previous);
                self.meet_sender(sender);
                self.move_to(Source::Publisher(sender.id), slot);
            }
            ledger::Notice::Ended(sender) => {
                self.release(sender);
            }
            _ => {}
        }
    }

    fn meet_sender(&mut self, sender: &Sender) {
        let source = Source::Publisher(sender.id);
        if self
            .known
            .get(&source)
            .is_none_or(|known| !known.is_introduced)
        {
            self.meet(source, known_of(sender));
        }
    }

    fn meet(&mut self, source: Source, mut new: Known) {
        if self.known.len() >= MAX_SENDERS {
            self.forget_ended();
        }
        if let Some(before) = self.known.remove(&source) {
            self.leave_program(source, &before);
            self.free(before.slot);
        }
        new.slot = self.choose(&new);
        new.badge.color = new.slot.map(|slot| self.palette[slot]);
        let namesakes = self.programs.entry(new.program.clone()).or_default();
        let ambiguous = namesakes.enter(source, &new);
        self.known.insert(source, new);
        for source in ambiguous {
            self.name_anew(source);
        }
    }

    /// Gives a slot back.
    fn free(&mut self, slot: Option<usize>) {
        if let Some(slot) = slot {
            self.taken[slot] = self.taken[slot].saturating_sub(1);
        }
    }

    fn release(&mut self, sender: &Sender) -> Option<usize> {
        let known = self.known.get_mut(&Source::Publisher(sender.id))?;
        known.has_ended = true;
        let slot = known.slot.take();
        self.free(slot);
        slot
    }

    fn move_to(&mut self, source: Source, slot: Option<usize>) {
        let (Some(slot), Some(known)) = (slot, self.known.get_mut(&source)) else {
            return;
        };
        known.badge.color = Some(self.palette[slot]);
        let before = known.slot.replace(slot);
        self.taken[slot] += 1;
        self.free(before);
    }

    /// The slot that a sender's hash says, else the next one that is free, else that one after all.
    fn choose(&mut self, new: &Known) -> Option<usize> {
        let count = self.palette.len();
        let identity = format_compact!("{}/{}:{}", new.host, new.program, new.pid);
        let first = fnv1a(identity.as_bytes()).checked_rem(count as u64)? as usize;
        let mut slots = (first..count).chain(0..first);
        let slot = slots.find(|slot| self.taken[*slot] == 0).unwrap_or(first);
        self.taken[slot] += 1;
        Some(slot)
    }

    fn leave_program(&mut self, source: Source, known: &Known) {
        if let Some(namesakes) = self.programs.get_mut(&known.program) {
            namesakes.leave(source, known);
            if namesakes.all.is_empty() {
                self.programs.remove(&known.program);
            }
        }
    }

    fn forget_ended(&mut self) {
        let ended: Vec<Source> = self
            .known
            .iter()
            .filter(|(_, known)| known.has_ended)
            .map(|(source, _)| *source)
            .collect();
        // Where nobody has ended, everybody is met anew.
        let gone = if ended.is_empty() {
            self.known.keys().copied().collect()
        } else {
            ended
        };
        for source in gone {
            if let Some(known) = self.known.remove(&source) {
                self.leave_program(source, &known);
                self.free(known.slot);
            }
        }
    }

    /// Gives a sender the shortest name that no other of its program has now.
    fn name_anew(&mut self, source: Source) {
        let Some(known) = self.known.get_mut(&source) else {
            return;
        };
        let Known {
            host, program, pid, ..
        } = &*known;
        let Some(namesakes) = self.programs.get(program) else {
            return;
        };
        let name = if program.is_empty() {
            format_compact!(":{pid}")
        } else if namesakes.all.len() == 1 {
            program.clone()
        } else if !host.is_empty() && namesakes.by_host[host].len() == 1 {
            format_compact!("{host}/{program}")
        } else if namesakes.by_pid[pid].len() == 1 {
            format_compact!("{program}:{pid}")
        } else {
            format_compact!("{host}/{program}:{pid}")
        };
        known.badge.name = cut(&name);
        known.badge.width = known.badge.name.width();
        self.widest = self.widest.max(known.badge.width);
    }
}

impl Namesakes {
    /// Takes one in; returns it with those whose names may have become ambiguous by that: where
    /// there were two before, their names told them apart already.
    fn enter(&mut self, source: Source, known: &Known) -> HashSet<Source> {
        let mut ambiguous = HashSet::from([source]);
        for set in [
            &mut self.all,
            self.by_host.entry(known.host.clone()).or_default(),
            self.by_pid.entry(known.pid).or_default(),
        ] {
            set.insert(source);
            if set.len() == 2 {
                ambiguous.extend(set.iter());
            }
        }
        ambiguous
    }

    fn leave(&mut self, source: Source, known: &Known) {
        self.all.remove(&source);
        if let Some(set) = self.by_host.get_mut(&known.host) {
            set.remove(&source);
            if set.is_empty() {
                self.by_host.remove(&known.host);
            }
        }
        if let Some(set) = self.by_pid.get_mut(&known.pid) {
            set.remove(&source);
            if set.is_empty() {
                self.by_pid.remove(&known.pid);
            }
        }
    }
}

/// What a record tells of its sender.
fn known_by(delivered: &Delivered) -> Known {
    match (delivered.passed_on(), &delivered.sender) {
        (Some((program, pid)), _) => known("", program, pid, true),
        (None, Some(sender)) if sender.identity.is_some() => known_of(sender),
        (None, _) => match (delivered.pid(), delivered.origin) {
            (Some(pid), _) => known("", "", pid, false),
            (None, Some((id, _))) => unknown(id),
            (None, None) => known("", "", 0, false),
        },
    }
}

fn known_of(sender: &Sender) -> Known {
    match &sender.identity {
        Some(identity) => known(&identity.host, &identity.program, identity.pid.into(), true),
        None => unknown(sender.id),
    }
}

/// A sender that has not said who it is.
fn unknown(id: SenderId) -> Known {
    let id = id.to_compact_string();
    known("", &id[..8.min(id.len())], 0, false)
}

fn known(host: &str, program: &str, pid: i64, is_introduced: bool) -> Known {
    Known {
        host: shown(host),
        program: shown(program),
        pid,
        is_introduced,
        has_ended: false,
        slot: None,
        badge: Badge {
            name: CompactString::default(),
            width: 0,
            color: None,
        },
    }
}

/// A sender's word of itself as a terminal may see it.
fn shown(name: &str) -> CompactString {
    let mut text = String::new();
    visible::on_one_line(name, &mut text);
    text.replace('\t', " ").into()
}

/// A name without its middle, where it is too wide.
fn cut(name: &str) -> CompactString {
    if name.width() <= WIDEST {
        return name.into();
    }
    let half = (WIDEST - 1) / 2;
    let take = |chars: &mut dyn Iterator<Item = char>| {
        let mut width = 0;
        let mut taken: Vec<char> = Vec::new();
        for c in chars {
            width += c.width().unwrap_or(0);
            if width > half {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let head: CompactString = take(&mut name.chars()).into_iter().collect();
    let tail: CompactString = take(&mut name.chars().rev()).into_iter().rev().collect();
    format_compact!("{head}…{tail}")
}

/// The same in every run (FNV-1a, draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logbus_schemas::wire::Identity;
    use logbus_schemas::{Record, Topic};
    use proptest::prelude::*;

    use super::*;

    const COLORS: &[Color] = &[20, 21, 22, 23];

    fn sender(id: u64, host: &str, program: &str, pid: u32) -> Arc<Sender> {
        let identity = Identity {
            host: host.into(),
            program: program.into(),
            pid,
            ..Identity::default()
        };
        Arc::new(Sender {
            id: SenderId(id),
            identity: Some(identity),
        })
    }

    fn record_of(sender: &Arc<Sender>, process: i64) -> Delivered {
        let mut record = Record::new("shop.db", 20, "m");
        record.set("process", process);
        Delivered {
            record,
            topic: Topic::for_name("shop.db"),
            origin: Some((sender.id, 0)),
            sender: Some(sender.clone()),
            received: 1,
            offset: None,
        }
    }

    fn joined(badges: &mut Badges, sender: &Arc<Sender>) {
        badges.notice(&ledger::Notice::Joined(sender.clone()));
    }

    fn names(badges: &mut Badges, senders: &[Arc<Sender>]) -> Vec<String> {
        senders
            .iter()
            .map(|sender| badges.name(sender).to_string())
            .collect()
    }

    #[test]
    fn a_sender_has_the_shortest_name_that_tells_it_from_all_others() {
        let mut badges = Badges::new(COLORS);
        let senders = [
            sender(1, "web1", "shop", 613),
            sender(2, "web1", "jobs", 613),
            sender(3, "web1", "shop", 614),
            sender(4, "web2", "shop", 613),
        ];
        joined(&mut badges, &senders[0]);
        joined(&mut badges, &senders[1]);
        assert_eq!(names(&mut badges, &senders[..2]), ["shop", "jobs"]);
        joined(&mut badges, &senders[2]);
        assert_eq!(
            names(&mut badges, &senders[..3]),
            ["shop:613", "jobs", "shop:614"]
        );
        joined(&mut badges, &senders[3]);
        let expected = ["web1/shop:613", "jobs", "shop:614", "web2/shop"];
        assert_eq!(names(&mut badges, &senders), expected);
        assert_eq!(badges.widest(), "web1/shop:613".len());
    }

    #[test]
    fn a_name_is_not_given_away_when_its_sender_has_ended() {
        let mut badges = Badges::new(COLORS);
        let (first, second) = (sender(1, "h", "shop", 1), sender(2, "h", "shop", 2));
        joined(&mut badges, &first);
        badges.notice(&ledger::Notice::Ended(first));
        joined(&mut badges, &second);
        assert_eq!(badges.name(&second), "shop:2");
    }

    #[test]
    fn senders_behind_the_bus_are_told_apart_by_their_process() {
        let mut badges = Badges::new(COLORS);
        let bus = sender(9, "h", "bus-broker", 1);
        let (one, other) = (record_of(&bus, 613), record_of(&bus, 614));
        assert_eq!(badges.of(&one).name, "shop");
        assert_eq!(badges.of(&other).name, "shop:614");
        assert_eq!(badges.of(&one).name, "shop:613");
        assert_eq!(badges.of(&record_of(&bus, 1)).name, "bus-broker");
    }

    #[test]
    fn colours_collide_only_when_none_is_left_and_are_the_same_in_the_next_run() {
        let senders: Vec<_> = (0..6).map(|n| sender(n, "h", "shop", n as u32)).collect();
        let colors = |senders: &[Arc<Sender>]| {
            let mut badges = Badges::new(COLORS);
            let color = |sender: &Arc<Sender>| {
                badges
                    .of(&record_of(sender, sender.id.0 as i64))
                    .color
                    .unwrap()
            };
            senders.iter().map(color).collect::<Vec<_>>()
        };
        let all = colors(&senders);
        let mut first: Vec<_> = all[..4].to_vec();
        first.sort_unstable();
        assert_eq!(first, COLORS, "four senders, four colours");
        assert_eq!(colors(&senders[..4]), all[..4]);
        assert_eq!(colors(&senders), all);
    }

    #[test]
    fn a_colour_is_free_again_when_its_sender_has_ended_and_a_successor_inherits_it() {
        let mut badges = Badges::new(COLORS);
        let senders: Vec<_> = (0..5).map(|n| sender(n, "h", "shop", n as u32)).collect();
        for sender in &senders[..4] {
            joined(&mut badges, sender);
        }
        let before = badges.get(Source::Publisher(SenderId(2))).unwrap().color;
        badges.notice(&ledger::Notice::Restarted {
            sender: senders[4].clone(),
            previous: senders[2].clone(),
        });
        assert_eq!(
            badges.get(Source::Publisher(SenderId(4))).unwrap().color,
            before
        );
        badges.notice(&ledger::Notice::Ended(senders[4].clone()));
        let next = sender(7, "h", "shop", 7);
        joined(&mut badges, &next);
        assert_eq!(
            badges.get(Source::Publisher(SenderId(7))).unwrap().color,
            before
        );
    }

    #[test]
    fn a_name_cannot_steer_the_terminal_and_is_never_too_wide() {
        let mut badges = Badges::new(COLORS);
        let odd = sender(1, "h", "\x1b[2J", 1);
        assert_eq!(badges.name(&odd), "\\x1b[2J");
        let long = sender(2, "h", "a-very-long-name-of-a-program-東京", 2);
        let name = badges.name(&long);
        assert!(name.width() <= WIDEST && name.contains('…'), "{name}");
    }

    #[test]
    fn a_sender_costs_no_more_where_there_are_thousands_of_its_program() {
        let mut badges = Badges::new(COLORS);
        let bus = sender(9, "h", "bus-broker", 1);
        // Were each of them named anew for each that comes, this would take minutes.
        for n in 0..20_000 {
            let name = badges.of(&record_of(&bus, 1000 + n)).name.to_string();
            let is_first = n % MAX_SENDERS as i64 == 0;
            assert!(is_first || name == format!("shop:{}", 1000 + n), "{name}");
        }
        assert_eq!(badges.of(&record_of(&bus, 20_000)).name, "shop:20000");
    }

    proptest! {
        #[test]
        fn no_two_senders_have_one_name(
            senders in prop::collection::vec((0..3_usize, 0..2_usize, 1..4_u32), 1..12),
        ) {
            let mut badges = Badges::new(COLORS);
            let mut all = std::collections::BTreeMap::new();
            for (id, (host, program, pid)) in senders.into_iter().enumerate() {
                let sender = sender(id as u64, ["", "a", "b"][host], ["x", "y"][program], pid);
                // The same process twice cannot be told apart.
                if host > 0 && !all.contains_key(&(host, program, pid)) {
                    joined(&mut badges, &sender);
                    all.insert((host, program, pid), sender);
                }
            }
            let mut names: Vec<_> = all.values().map(|sender| badges.name(sender)).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            prop_assert_eq!(names.len(), count, "{:?}", names);
        }
    }

    #[test]
    fn more_senders_than_are_remembered_do_no_harm() {
        let mut badges = Badges::new(COLORS);
        for n in 0..2 * MAX_SENDERS as u64 {
            joined(&mut badges, &sender(n, "h", &format!("p{n}"), 1));
        }
        assert!(badges.known.len() <= MAX_SENDERS && badges.programs.len() <= MAX_SENDERS);
    }
}
