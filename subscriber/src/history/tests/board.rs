//! A broker's durable endpoint for tests: a journal that a test writes, behind a switchboard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logbus_schemas::codec::MSGPACK;
use logbus_schemas::wire::durable::{
    At, Command, Entry, From, Gone, Read, Refused, Until, Welcome,
};
use logbus_schemas::wire::{Header, SenderId};
use logbus_schemas::{Record, TopicFilter};
use logbus_transport::{Endpoint, Frame, Message, Options, Peer, PollSet, Switchboard, Told, wait};

/// A message of the journal: its frames, and the highest level in it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) frames: Vec<Vec<u8>>,
    level: i64,
}

/// A message of sender 1, of records of level 20.
pub(crate) fn message(topic: &str, sequence: u64, texts: &[&str]) -> Kept {
    message_of(1, topic, sequence, 20, texts)
}

pub(crate) fn message_of(
    sender: u64,
    topic: &str,
    sequence: u64,
    level: i64,
    texts: &[&str],
) -> Kept {
    let mut payload = Vec::new();
    for text in texts {
        MSGPACK.encode(&Record::new(topic, level, text), &mut payload);
    }
    let header = Header {
        sequence,
        count: texts.len() as u32,
        sent: 1,
        ..Header::new(MSGPACK, SenderId(sender))
    };
    Kept {
        frames: vec![
            topic.as_bytes().to_vec(),
            header.to_bytes().to_vec(),
            payload,
        ],
        level,
    }
}

impl Kept {
    pub(crate) fn message(&self) -> Message {
        self.frames
            .iter()
            .map(|frame| Frame::from(&**frame))
            .collect()
    }

    fn records(&self) -> u64 {
        Header::parse(&self.frames[1]).map_or(0, |header| u64::from(header.count))
    }
}

/// Waits for so many ms, where what is waited for gives no sign.
pub(crate) fn pause(millis: u64) {
    wait(&mut PollSet::new(), Some(Duration::from_millis(millis))).unwrap();
}

/// What a test looks at and changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) entries: Vec<Kept>,
    /// What is below is gone.
    pub(crate) first: u64,
    /// With which code it refuses reads, if it does.
    pub(crate) refuses: Option<&'static str>,
    /// Entries that one reader has in hand at most, of those that share.
    pub(crate) most_for_one: usize,
    /// Everything that clients said.
    pub(crate) heard: Vec<Command>,
    pub(crate) sent: u64,
    pub(crate) credit_of_last_more: u32,
    /// Of the one durable subscription: where it goes on.
    pub(crate) noted: u64,
    /// Of the one shared subscription.
    pub(crate) done: BTreeSet<u64>,
    /// What was said by somebody who had not said hello over that connection.
    pub(crate) unasked: Vec<Command>,
    handed: BTreeMap<u64, Peer>,
    restarts: bool,
    stops: bool,
}

impl State {
    pub(crate) fn reads(&self) -> Vec<Read> {
        let reads = self.heard.iter().filter_map(|command| match command {
            Command::Read(read) => Some(read.clone()),
            _ => None,
        });
        reads.collect()
    }
}

/// The broker, running.
pub(crate) struct Board {
    endpoint: Endpoint,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Board {
    pub(crate) fn new(entries: impl IntoIterator<Item = Kept>) -> Self {
        let any = "tcp://127.0.0.1:0".parse().unwrap();
        let switchboard = Switchboard::open(&[any], &Options::default()).unwrap();
        let endpoint = switchboard.endpoints()[0].clone();
        let state = Arc::new(Mutex::new(State {
            entries: entries.into_iter().collect(),
            most_for_one: usize::MAX,
            ..State::default()
        }));
        let worker = Worker {
            endpoint: endpoint.clone(),
            switchboard: Some(switchboard),
            greeted: BTreeSet::new(),
            readers: BTreeMap::new(),
            state: state.clone(),
        };
        let thread = std::thread::spawn(move || worker.run());
        Self {
            endpoint,
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(crate) fn add(&self, kept: Kept) {
        self.change(|state| state.entries.push(kept));
    }

    pub(crate) fn change(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.state.lock().unwrap());
    }

    pub(crate) fn look<T>(&self, ask: impl Fn(&State) -> T) -> T {
        ask(&self.state.lock().unwrap())
    }

    /// Waits until an answer is not the type's default.
    pub(crate) fn wait_for<T: Default + PartialEq>(&self, ask: impl Fn(&State) -> T) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.look(&ask);
            if answer != T::default() {
                return answer;
            }
            assert!(Instant::now() < deadline, "it did not happen");
            pause(2);
        }
    }

    /// Breaks every connection and listens again.
    pub(crate) fn restart(&self) {
        self.change(|state| state.restarts = true);
        self.wait_for(|state| !state.restarts);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.state.lock().unwrap().stops = true;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

struct Reader {
    read: Read,
    at: u64,
    credit: u32,
    is_live: bool,
    is_over: bool,
}

struct Worker {
    endpoint: Endpoint,
    switchboard: Option<Switchboard>,
    greeted: BTreeSet<Peer>,
    readers: BTreeMap<Peer, Reader>,
    state: Arc<Mutex<State>>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let state = self.state.clone();
            let mut state = state.lock().unwrap();
            if state.stops {
                return;
            }
            if std::mem::take(&mut state.restarts) {
                self.restart(&mut state);
            }
            while let Some((peer, message)) = self.receive() {
                let command = Command::decode(&message.frames()[0]).unwrap();
                state.heard.push(command.clone());
                self.hear(&peer, command, &mut state);
            }
            let peers: Vec<Peer> = self.readers.keys().cloned().collect();
            for peer in peers {
                self.feed(&peer, &mut state);
            }
            drop(state);
            let mut set = PollSet::new();
            if let Some(switchboard) = &self.switchboard {
                switchboard.poll(&mut set);
            }
            wait(&mut set, Some(Duration::from_millis(3))).unwrap();
        }
    }

    fn restart(&mut self, state: &mut State) {
        if let Some(switchboard) = self.switchboard.take() {
            let _flushed = switchboard.close(Duration::ZERO);
        }
        self.greeted.clear();
        self.readers.clear();
        state.handed.clear();
        let options = Options::default();
        self.switchboard =
            Some(Switchboard::open(std::slice::from_ref(&self.endpoint), &options).unwrap());
    }

    fn receive(&mut self) -> Option<(Peer, Message)> {
        self.switchboard.as_mut()?.receive().unwrap()
    }

    fn hear(&mut self, peer: &Peer, command: Command, state: &mut State) {
        match command {
            Command::Hello(_) => {
                self.greeted.insert(peer.clone());
                self.say(
                    peer,
                    &Command::Welcome(Welcome {
                        program: "board".into(),
                        journal: 7,
                        ..Welcome::default()
                    }),
                );
            }
            stray if !self.greeted.contains(peer) => {
                state.unasked.push(stray);
                let refused = Refused {
                    code: "form".into(),
                    reason: "say hello first".into(),
                    ..Refused::default()
                };
                self.say(peer, &Command::Refused(refused));
            }
            Command::Read(read) if state.refuses.is_some() => {
                let refused = Refused {
                    code: state.refuses.unwrap_or_default().into(),
                    reason: "not for you".into(),
                    read: read.read,
                    ..Refused::default()
                };
                self.say(peer, &Command::Refused(refused));
            }
            Command::Read(read) => self.begin(peer, read, state),
            Command::More(more) => {
                state.credit_of_last_more = more.credit;
                let reader = self.readers.get_mut(peer).unwrap();
                assert_eq!(reader.read.read, more.read);
                reader.credit += more.credit;
            }
            Command::Stop(_) => drop(self.readers.remove(peer)),
            Command::Done(done) => {
                state.noted = state.noted.max(done.below);
                state.done.extend(done.also);
                let offset = state.noted;
                let read = done.read;
                self.say(peer, &Command::Noted(At { read, offset }));
            }
            other => panic!("{other:?} is a broker's word"),
        }
    }

    fn begin(&mut self, peer: &Peer, read: Read, state: &State) {
        let end = state.entries.len() as u64;
        let at = match read.from {
            _ if read.name.is_some() && !read.share => state.noted,
            From::Now => end,
            From::Begin => 0,
            From::Offset(offset) => offset,
            From::Time(time) => time,
            From::Last(records) => end.saturating_sub(records),
        };
        if at < state.first {
            let gone = &state.entries[at as usize..state.first as usize];
            self.say(
                peer,
                &Command::Gone(Gone {
                    read: read.read,
                    from: at,
                    to: state.first,
                    records: gone.iter().map(Kept::records).sum(),
                    reason: "retention".into(),
                }),
            );
        }
        self.readers.insert(
            peer.clone(),
            Reader {
                at: at.max(state.first),
                credit: read.credit,
                read,
                is_live: false,
                is_over: false,
            },
        );
    }

    fn feed(&mut self, peer: &Peer, state: &mut State) {
        loop {
            let reader = self.readers.get(peer).unwrap();
            let in_hand = state
                .handed
                .iter()
                .filter(|(at, of)| *of == peer && !state.done.contains(at));
            let is_full = reader.read.share && in_hand.count() >= state.most_for_one;
            let Some(next) = next(reader, state).filter(|_| !is_full) else {
                return self.end(peer, state);
            };
            let reader = self.readers.get_mut(peer).unwrap();
            if reader.credit == 0 {
                return;
            }
            let kept = &state.entries[next as usize];
            let is_bare = reader.read.level.is_some_and(|level| kept.level < level);
            let entry = Command::Entry(Entry {
                read: reader.read.read,
                offset: next,
                received: next + 1,
                again: false,
            });
            let mut message = Message::single(entry.encode());
            for frame in kept.message().into_frames() {
                message.push(frame);
            }
            if is_bare {
                let frames: Vec<Frame> = message.into_frames().take(3).collect();
                message = frames
                    .into_iter()
                    .chain([Frame::from(Vec::new())])
                    .collect();
            }
            let board = self.switchboard.as_mut().unwrap();
            match board.send(peer, message).unwrap() {
                Told::Taken => state.sent += 1,
                Told::Busy(_) => return,
                Told::Gone => {
                    self.readers.remove(peer);
                    return;
                }
            }
            reader.credit -= 1;
            reader.at = next + 1;
            if reader.read.share {
                state.handed.insert(next, peer.clone());
            }
        }
    }

    /// There is nothing for a reader just now.
    fn end(&mut self, peer: &Peer, state: &State) {
        let reader = self.readers.get_mut(peer).unwrap();
        let at = At {
            read: reader.read.read,
            offset: state.entries.len() as u64,
        };
        let is_at_until = match reader.read.until {
            Some(Until::Offset(until) | Until::Time(until)) => reader.at >= until,
            None => false,
        };
        if (is_at_until || !reader.read.follow) && !std::mem::replace(&mut reader.is_over, true) {
            self.say(peer, &Command::End(at));
        } else if reader.read.follow && !std::mem::replace(&mut reader.is_live, true) {
            self.say(peer, &Command::Live(at));
        }
    }

    fn say(&mut self, peer: &Peer, command: &Command) {
        let message = Message::single(command.encode());
        if let Some(board) = &mut self.switchboard {
            drop(board.send(peer, message).unwrap());
        }
    }
}

/// The next entry that a reader should have.
fn next(reader: &Reader, state: &State) -> Option<u64> {
    let topics: Vec<TopicFilter> = reader
        .read
        .topics
        .iter()
        .map(|topic| TopicFilter::parse(topic).unwrap())
        .collect();
    let fits = |kept: &Kept| {
        let topic = std::str::from_utf8(&kept.frames[0]).unwrap();
        topics.is_empty() || topics.iter().any(|filter| filter.matches(topic))
    };
    let end = match reader.read.until {
        Some(Until::Offset(until) | Until::Time(until)) => until,
        None => u64::MAX,
    };
    let end = end.min(state.entries.len() as u64);
    let is_free =
        |at: &u64| !reader.read.share || !state.handed.contains_key(at) && !state.done.contains(at);
    let mut offsets = reader.at..end;
    offsets.find(|at| fits(&state.entries[*at as usize]) && is_free(at))
}
