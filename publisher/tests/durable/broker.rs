//! A broker for tests: it has a durable endpoint and does there what it is told to, as late, as
//! meanly and as seldom as a test wants. What it was sent it keeps when it vanishes and comes back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logbus_publisher::Endpoint;
use logbus_schemas::wire::durable::{Ack, Command, Refused, Welcome};
use logbus_schemas::wire::{Flags, Header, Identity, Native};
use logbus_transport::{Frame, Message, Options, Peer, PollSet, Switchboard, wait};

/// Longer than anything takes on a slow machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the broker does.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) credit: u32,
    pub(crate) max_message: u64,
    /// Whether it acknowledges now; what it does not it acknowledges later, the last topic first.
    pub(crate) acknowledges: bool,
    /// Topics that it refuses, and with which code.
    pub(crate) refuses: HashMap<String, String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            credit: 100,
            max_message: 1 << 24,
            acknowledges: true,
            refuses: HashMap::new(),
        }
    }
}

/// What it has.
#[derive(Default)]
pub(crate) struct Journal {
    /// The payloads' bytes by sender and topic, in order, each record's numbers once.
    pub(crate) messages: BTreeMap<(u64, String), Vec<(u64, u32, Vec<u8>)>>,
    /// Messages that it had already when they came.
    pub(crate) again: u64,
    /// What nobody may do: publish before hello, leave numbers out, exceed the credit.
    pub(crate) faults: Vec<String>,
    pub(crate) heartbeats: Vec<(u64, String, Header, Identity)>,
    next: HashMap<(u64, String), u64>,
    unanswered: Vec<(Peer, u64, String)>,
    greeted: HashSet<Peer>,
    was_away: bool,
    /// What was refused is refused for good.
    refused: HashMap<(u64, String, u64), String>,
    /// Sender ids that are another's, for as long as a connection stands.
    barred: HashSet<(Peer, u64)>,
}

impl Journal {
    pub(crate) fn records(&self) -> u64 {
        let messages = self.messages.values().flatten();
        messages.map(|(_, count, _)| u64::from(*count)).sum()
    }

    /// Whether somebody has said hello since it came.
    pub(crate) fn is_called(&self) -> bool {
        !self.greeted.is_empty()
    }

    /// Whether it told anybody that a sender id is another's.
    pub(crate) fn has_barred(&self) -> bool {
        !self.barred.is_empty()
    }

    pub(crate) fn goodbyes(&self) -> usize {
        let flags = self.heartbeats.iter().map(|(_, _, header, _)| header.flags);
        flags.filter(|flags| flags.is_goodbye()).count()
    }
}

pub(crate) struct Broker {
    pub(crate) endpoint: Endpoint,
    shared: Arc<(Mutex<Rules>, Mutex<Journal>)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    pub(crate) fn start(rules: Rules) -> Self {
        let mut broker = Self::absent(rules);
        broker.come_back();
        broker
    }

    /// One that is not there yet, but whose port is known.
    pub(crate) fn absent(rules: Rules) -> Self {
        let any = "tcp://127.0.0.1:0".parse().unwrap();
        let board = Switchboard::open(&[any], &Options::default()).unwrap();
        let endpoint = board.endpoints()[0].clone();
        let _closed = board.close(Duration::ZERO);
        Self {
            endpoint,
            shared: Arc::new((Mutex::new(rules), Mutex::default())),
            stop: Arc::default(),
            thread: None,
        }
    }

    pub(crate) fn come_back(&mut self) {
        let board = self.until_some("a free port", |broker| {
            Switchboard::open(std::slice::from_ref(&broker.endpoint), &Options::default()).ok()
        });
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        self.stop.store(false, Ordering::Relaxed);
        self.journal().greeted.clear();
        self.thread = Some(std::thread::spawn(move || serve(board, &shared, &stop)));
    }

    pub(crate) fn vanish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        let mut journal = self.journal();
        journal.unanswered.clear();
        journal.was_away = true;
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.shared.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so of what it has.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Journal) -> bool) {
        self.until_some(what, |broker| is_so(&broker.journal()).then_some(()));
    }

    fn until_some<T>(&self, what: &str, ask: impl Fn(&Self) -> Option<T>) -> T {
        until(what, || ask(self))
    }
}

/// Waits for something.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what}");
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(2))));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.vanish();
    }
}

fn serve(mut board: Switchboard, shared: &(Mutex<Rules>, Mutex<Journal>), stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut set = PollSet::new();
        board.poll(&mut set);
        wait(&mut set, Some(Duration::from_millis(5))).unwrap();
        while let Some((peer, message)) = board.receive().unwrap() {
            let rules = shared.0.lock().unwrap().clone();
            take(
                &mut board,
                &rules,
                &mut shared.1.lock().unwrap(),
                peer,
                &message,
            );
        }
        if shared.0.lock().unwrap().acknowledges {
            acknowledge(&mut board, &mut shared.1.lock().unwrap());
        }
    }
    let _closed = board.close(Duration::from_millis(100));
}

fn take(
    board: &mut Switchboard,
    rules: &Rules,
    journal: &mut Journal,
    peer: Peer,
    message: &Message,
) {
    match Command::decode(&message.frames()[0]).unwrap() {
        Command::Hello(_) => {
            journal.greeted.insert(peer.clone());
            let welcome = Command::Welcome(Welcome {
                credit: rules.credit,
                max_message: rules.max_message,
                ..Welcome::default()
            });
            say(board, &peer, &welcome);
        }
        Command::Publish => publish(board, rules, journal, peer, &message.frames()[1..]),
        other => journal.faults.push(format!("{other:?}")),
    }
}

fn publish(
    board: &mut Switchboard,
    rules: &Rules,
    journal: &mut Journal,
    peer: Peer,
    frames: &[Frame],
) {
    let frames: Vec<&[u8]> = frames.iter().map(|frame| &**frame).collect();
    let native = Native::split(&frames).unwrap();
    let (topic, header) = native.parse().unwrap();
    let topic = topic.to_string();
    if !journal.greeted.contains(&peer) {
        journal.faults.push(format!("{topic} came before hello"));
    }
    if let Some(code) = refusal(rules, journal, &peer, &topic, &header) {
        let refused = Command::Refused(Refused {
            code,
            reason: "because the test wants it".into(),
            sender: header.sender.0,
            topic,
            sequence: header.sequence,
            records: header.count,
            ..Refused::default()
        });
        return say(board, &peer, &refused);
    }
    keep(journal, &topic, &header, native.payload);
    journal
        .unanswered
        .push((peer.clone(), header.sender.0, topic));
    // What comes again may be answered before it is here: an answer speaks for all that is known.
    let is_again = journal.was_away || journal.again > 0;
    let slack = if is_again { 2 } else { 1 };
    let of_peer = journal.unanswered.iter().filter(|(of, ..)| *of == peer);
    let count = of_peer.count();
    if count > slack * rules.credit as usize {
        journal.faults.push(format!("{count} without an answer"));
    }
}

fn refusal(
    rules: &Rules,
    journal: &mut Journal,
    peer: &Peer,
    topic: &str,
    header: &Header,
) -> Option<String> {
    let whose = (peer.clone(), header.sender.0);
    let is_anothers = rules
        .refuses
        .get(topic)
        .is_some_and(|code| code == "sender");
    if is_anothers || journal.barred.contains(&whose) {
        journal.barred.insert(whose);
        return Some("sender".to_owned());
    }
    let key = (header.sender.0, topic.to_owned());
    let place = (key.0, key.1.clone(), header.sequence);
    if header.count == 0 {
        return None;
    }
    let next = journal.next.entry(key).or_default();
    if header.sequence < *next {
        return journal.refused.get(&place).cloned();
    }
    let code = rules.refuses.get(topic)?.clone();
    *next = header.sequence + u64::from(header.count);
    journal.refused.insert(place, code.clone());
    Some(code)
}

fn keep(journal: &mut Journal, topic: &str, header: &Header, payload: &[u8]) {
    let key = (header.sender.0, topic.to_owned());
    let next = journal.next.entry(key.clone()).or_default();
    if header.sequence > *next {
        let text = format!("{topic}: {} came and {next} was next", header.sequence);
        journal.faults.push(text);
    }
    if header.flags != Flags::default() {
        let identity = Identity::decode(header.codec, payload).unwrap();
        journal.heartbeats.push((key.0, key.1, *header, identity));
    } else if header.sequence < *next {
        journal.again += 1;
    } else {
        *next = header.sequence + u64::from(header.count);
        let message = (header.sequence, header.count, payload.to_vec());
        journal.messages.entry(key).or_default().push(message);
    }
}

fn acknowledge(board: &mut Switchboard, journal: &mut Journal) {
    let mut answered = HashSet::new();
    for (peer, sender, topic) in std::mem::take(&mut journal.unanswered).into_iter().rev() {
        if !answered.insert((peer.clone(), sender, topic.clone())) {
            continue;
        }
        let next = journal.next.get(&(sender, topic.clone())).copied();
        let ack = Command::Ack(Ack {
            sender,
            topic,
            next: next.unwrap_or_default(),
        });
        say(board, &peer, &ack);
    }
}

fn say(board: &mut Switchboard, peer: &Peer, command: &Command) {
    // One that is gone misses it and calls again.
    drop(board.send(peer, Message::single(command.encode())));
}
