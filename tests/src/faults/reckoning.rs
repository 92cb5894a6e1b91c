//! What came of the records of a bus: accounts of files and of the journal, and the tables in which
//! readers say what they lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bus::{Bus, PATIENCE, output, text_of};
use super::{Account, Note};
use crate::{Program, command, path_of};

/// Longer than silence takes to be noticed.
const SILENCE: Duration = Duration::from_secs(7);

/// What a reader's table says of one sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) discarded: u64,
    pub(super) late: u64,
    pub(super) duplicate: u64,
    pub(super) malformed: u64,
    pub(super) earlier: u64,
}

impl Row {
    fn of(numbers: [u64; 7]) -> Self {
        let [
            received,
            lost,
            discarded,
            late,
            duplicate,
            malformed,
            earlier,
        ] = numbers;
        Self {
            received,
            lost,
            discarded,
            late,
            duplicate,
            malformed,
            earlier,
        }
    }

    /// All records of which it is known what became of them.
    pub(super) fn known(&self) -> u64 {
        self.received + self.lost + self.discarded + self.malformed + self.earlier
    }

    pub(super) fn sum<'a>(rows: impl IntoIterator<Item = &'a Self>) -> Self {
        rows.into_iter().fold(Self::default(), |sum, row| Self {
            received: sum.received + row.received,
            lost: sum.lost + row.lost,
            discarded: sum.discarded + row.discarded,
            late: sum.late + row.late,
            duplicate: sum.duplicate + row.duplicate,
            malformed: sum.malformed + row.malformed,
            earlier: sum.earlier + row.earlier,
        })
    }
}

/// The table of `--stats`, by the senders' names; those of one name together.
pub(super) fn rows(lines: &[String]) -> BTreeMap<String, Row> {
    let row = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Vec<u64> = words
            .iter()
            .rev()
            .map_while(|word| word.parse().ok())
            .collect();
        let mut numbers: [u64; 7] = numbers.get(..7)?.try_into().ok()?;
        numbers.reverse();
        words
            .first()?
            .starts_with('w')
            .then(|| (words[0].to_owned(), Row::of(numbers)))
    };
    let mut rows = BTreeMap::new();
    for (name, row) in lines.iter().filter_map(row) {
        let known: &mut Row = rows.entry(name).or_default();
        *known = Row::sum([&*known, &row]);
    }
    rows
}

impl Bus {
    pub(super) fn notes(&self) -> BTreeMap<String, Note> {
        self.named_notes().collect()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.named_notes().map(|(_, note)| note.acknowledged).sum()
    }

    /// All that the journal holds, read from its begin to its end.
    pub(super) fn journal_lines(&self) -> String {
        let args = ["--since", "begin", "--no-follow", "--quiet", "-o", "raw"];
        let mut reader = command(path_of("logsub"));
        let reader = reader
            .args(args)
            .args(["--durable-endpoint", &self.own.durable]);
        output(reader)
    }

    /// What a reader of all the journal counts.
    pub(super) fn journal_summary(&self) -> Vec<String> {
        let args = ["--since", "begin", "--no-follow", "--stats", "--no-console"];
        let args = [&args[..], &["--durable-endpoint", &self.own.durable]].concat();
        self.succeed(Program::start("logsub", &args))
    }

    pub(super) fn account(&self, lines: &str) -> Account {
        Account::of(&self.notes(), lines.lines())
    }

    pub(super) fn account_of_file(&self, name: &str) -> Account {
        self.account(&text_of(&self.path(name)))
    }

    /// Waits until a reader's file tells this of a publisher.
    pub(super) fn wait_for_notice(&self, file: &str, name: &str, what: &str) {
        let name = format!("-- {name} (");
        let is_it = |line: &str| line.starts_with(&name) && line.contains(what);
        let path = self.path(file);
        let is_told = self.until(|| text_of(&path).lines().any(is_it));
        assert!(is_told, "{file} never told: {name}{what}");
    }

    /// Waits until a file holds all that is owed to it.
    pub(super) fn wait_for_all(&self, name: &str) -> Account {
        let last = std::cell::RefCell::new(Account::default());
        self.until(|| {
            *last.borrow_mut() = self.account_of_file(name);
            last.borrow().missing == 0
        });
        last.into_inner()
    }

    /// Waits until more comes from each of these than came before: whoever ends then is heard.
    fn wait_until_all_are_heard(&self, file: &str, names: &[String]) {
        let before = self.account_of_file(file).of;
        let unheard = || {
            let now = self.account_of_file(file).of;
            let is_unheard = |name: &&String| now[*name] <= before[*name];
            names.iter().find(is_unheard).cloned()
        };
        let are_heard = self.until(|| unheard().is_none());
        assert!(are_heard, "{file} hears no more of {:?}", unheard());
    }

    /// Ends the last publishers of a PUB/SUB bus so that whoever counts hears it, and then him: his
    /// account of each publisher is exact. `killed` ones are known to be gone, all but their tails.
    pub(super) fn reckon(
        &self,
        counter: Program,
        file: &str,
        issuers: Vec<super::bus::Issuer>,
        killed: &[String],
    ) -> Reckoning {
        let names: Vec<String> = issuers.iter().map(|issuer| issuer.name.clone()).collect();
        self.wait_until_all_are_heard(file, &names);
        self.end_all(issuers);
        for name in &names {
            self.wait_for_notice(file, name, " ended");
        }
        if !killed.is_empty() {
            self.pause(SILENCE);
        }
        let rows = rows(&counter.stop());
        let sink = self.account_of_file(file);
        let silent = |name: &str| {
            let mut notices = sink.notices.iter();
            notices.any(|line| line.contains(&format!("{name} ")) && line.contains("went silent"))
        };
        let mut reckoning = Reckoning::default();
        for (name, note) in &self.notes() {
            let was_killed = killed.contains(name);
            let Some(row) = rows.get(name) else {
                if !was_killed {
                    reckoning.wrong(format!("{name} was never heard of"));
                }
                reckoning.unheard += 1;
                reckoning.tail += note.issued;
                continue;
            };
            if !was_killed && row.known() != note.issued {
                reckoning.wrong(format!("{name}: {} issued, {row:?}", note.issued));
            }
            if row.known() > note.issued || row.duplicate > 0 || sink.of[name] != row.received {
                let written = sink.of[name];
                reckoning.wrong(format!("{name}: {note:?}, {written} written, {row:?}"));
            }
            if was_killed && !silent(name) {
                reckoning.wrong(format!("{name} was killed, and nobody said so"));
            }
            reckoning.tail += note.issued.saturating_sub(row.known());
        }
        reckoning.sum = Row::sum(rows.values());
        reckoning.sink = sink;
        reckoning
    }
}

/// What became of all records of a PUB/SUB bus.
#[derive(Debug, Default)]
pub(super) struct Reckoning {
    pub(super) sum: Row,
    pub(super) sink: Account,
    /// Records of killed publishers that were said after the last that anybody heard of.
    pub(super) tail: u64,
    /// Killed publishers that nobody ever heard of.
    unheard: u32,
    problems: Vec<String>,
}

impl Reckoning {
    fn wrong(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Fails where anything is not as it must be; `told` says what was done.
    pub(super) fn check(&self, told: &str) -> String {
        let told = format!("{told}{self}");
        assert_eq!(self.problems, Vec::<String>::new(), "{told}");
        assert!(self.sink.issued > 0 && self.sink.again == 0, "{told}");
        assert_eq!(self.sink.corrupt, Vec::<String>::new(), "{told}");
        told
    }
}

impl std::fmt::Display for Reckoning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row {
            received,
            lost,
            discarded,
            late,
            malformed,
            earlier,
            ..
        } = self.sum;
        write!(
            f,
            "{} issued = {received} received + {lost} lost + {discarded} discarded + {earlier} earlier + \
             {malformed} malformed",
            self.sink.issued
        )?;
        if self.tail > 0 {
            write!(f, " + {} in the tails of killed ones", self.tail)?;
        }
        if self.unheard > 0 {
            write!(f, " ({} of them never heard of)", self.unheard)?;
        }
        write!(f, "; {late} came late")
    }
}

/// Fails where something owed is missing, or anything came changed; whether it came twice is the
/// caller's to say.
pub(super) fn nothing_missing(account: &Account, told: &str) {
    assert!(account.issued > 0, "{told}");
    assert_eq!(account.missing, 0, "after {PATIENCE:?}: {told}");
    assert_eq!(account.corrupt, Vec::<String>::new(), "{told}");
}

/// Fails where something was not acknowledged, or is not there once.
pub(super) fn all_there_once(account: &Account, told: &str) {
    nothing_missing(account, told);
    assert_eq!(account.again, 0, "{told}");
    assert_eq!(account.acknowledged, account.issued, "{told}");
}
