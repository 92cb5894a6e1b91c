//! Who has called at the durable endpoint, and what still has to be said to each.
//!
//! The switchboard never waits, so what a caller does not take now is kept here and said later. A
//! caller that takes nothing for a long time is given up, and so is one whose connection is gone.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use logbus_schemas::wire::durable::{At, Command, Hello};
use logbus_transport::{Error, Frame, Message, Peer, Switchboard, Told, Way};

/// A caller that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// And one for which so many messages wait.
const MAX_WAITING: usize = 10_000;

/// Says nothing, of a read that nobody has.
const NOTHING: Command = Command::Noted(At {
    read: u32::MAX,
    offset: 0,
});

/// A caller.
pub(super) struct Caller {
    pub(super) hello: Hello,
    way: Option<Way>,
    /// Its messages that have no answer yet.
    pub(super) unanswered: usize,
    /// Sender ids that it may not use. A message behind one that was refused would be kept if the id
    /// became free meanwhile, and the refused one be taken for known when it comes again; so what is
    /// refused once is refused for as long as the connection stands.
    pub(super) barred: BTreeSet<u64>,
    /// What it was told last of its messages.
    last_ack: Option<Command>,
    waiting: VecDeque<Message>,
    since: Instant,
}

/// The callers, and the socket at which they are.
pub(super) struct Callers {
    pub(super) board: Switchboard,
    all: HashMap<Peer, Caller>,
    /// Those who are gone, and why that is worth a line.
    lost: Vec<(Peer, Option<&'static str>)>,
}

impl Callers {
    pub(super) fn new(board: Switchboard) -> Self {
        Self {
            board,
            all: HashMap::new(),
            lost: Vec::new(),
        }
    }

    /// Enters a caller. One that says hello again over the same connection is who it was: what waits for
    /// it and what it may not do any more stay.
    pub(super) fn greet(&mut self, peer: &Peer, hello: Hello, way: Option<Way>) {
        if let Some(caller) = self.all.get_mut(peer)
            && caller.way == way
        {
            caller.hello = hello;
            return;
        }
        let caller = Caller {
            hello,
            way,
            unanswered: 0,
            barred: BTreeSet::new(),
            last_ack: None,
            waiting: VecDeque::new(),
            since: Instant::now(),
        };
        self.all.insert(peer.clone(), caller);
    }

    pub(super) fn get(&mut self, peer: &Peer) -> Option<&mut Caller> {
        self.all.get_mut(peer)
    }

    pub(super) fn forget(&mut self, peer: &Peer) -> Option<Caller> {
        self.all.remove(peer)
    }

    /// Forgets a caller that is given up, and ends its connection.
    pub(super) fn cut(&mut self, peer: &Peer, why: &str) -> Option<Caller> {
        let caller = self.all.remove(peer)?;
        self.board.put_out(peer, caller.way, why);
        Some(caller)
    }

    /// Ends the connection of a caller whose rights are others than when it asked. It may come again.
    pub(super) fn put_out(&mut self, peer: &Peer) {
        self.board.put_out(peer, None, "its rights have changed");
        self.lost.push((peer.clone(), None));
    }

    /// Says something to a caller, now or as soon as it takes it.
    pub(super) fn say(&mut self, peer: &Peer, command: &Command) -> Result<(), Error> {
        self.send(peer, Message::single(command.encode()))
    }

    /// Acknowledges messages.
    pub(super) fn acknowledge(&mut self, peer: &Peer, ack: Command) -> Result<(), Error> {
        self.say(peer, &ack)?;
        if let Some(caller) = self.all.get_mut(peer) {
            caller.last_ack = Some(ack);
        }
        Ok(())
    }

    /// Says something to everybody who has nothing to wait for: one that is gone is noticed by that,
    /// and nothing else tells. A publisher hears once more what it was told last, and all others of a
    /// read that nobody has, which they pass over.
    pub(super) fn probe(&mut self) -> Result<(), Error> {
        let idle = self.all.iter().filter(|(_, caller)| caller.unanswered == 0);
        let said =
            idle.map(|(peer, caller)| (peer.clone(), caller.last_ack.clone().unwrap_or(NOTHING)));
        for (peer, said) in said.collect::<Vec<_>>() {
            self.say(&peer, &said)?;
        }
        Ok(())
    }

    /// Says nothing to a caller: one that is gone is noticed by that.
    pub(super) fn try_whether_there(&mut self, peer: &Peer) -> Result<(), Error> {
        self.say(peer, &NOTHING)
    }

    /// Says something with the frames of a native message behind it.
    pub(super) fn say_with(
        &mut self,
        peer: &Peer,
        command: &Command,
        frames: [&[u8]; 3],
    ) -> Result<(), Error> {
        let command = Frame::from(command.encode());
        let frames = frames.into_iter().map(Frame::from);
        self.send(peer, std::iter::once(command).chain(frames).collect())
    }

    /// Whether a caller takes what it is sent.
    pub(super) fn is_ready(&self, peer: &Peer) -> bool {
        let caller = self.all.get(peer);
        caller.is_some_and(|caller| caller.waiting.is_empty())
    }

    pub(super) fn send(&mut self, peer: &Peer, message: Message) -> Result<(), Error> {
        if let Some(caller) = self.all.get_mut(peer)
            && !caller.waiting.is_empty()
        {
            caller.waiting.push_back(message);
            if caller.waiting.len() > MAX_WAITING {
                self.lost
                    .push((peer.clone(), Some("takes nothing of much that it is sent")));
            }
            return Ok(());
        }
        match self.board.send(peer, message)? {
            Told::Taken => {}
            Told::Gone => self.lost.push((peer.clone(), None)),
            Told::Busy(message) => {
                if let Some(caller) = self.all.get_mut(peer) {
                    caller.since = Instant::now();
                    caller.waiting.push_back(message);
                }
            }
        }
        Ok(())
    }

    /// Says what waits to those who take it. Returns whether anybody still has something to take.
    pub(super) fn say_what_waits(&mut self) -> Result<bool, Error> {
        let mut is_any = false;
        for (peer, caller) in &mut self.all {
            while let Some(message) = caller.waiting.pop_front() {
                match self.board.send(peer, message)? {
                    Told::Taken => caller.since = Instant::now(),
                    Told::Gone => self.lost.push((peer.clone(), None)),
                    Told::Busy(message) => {
                        caller.waiting.push_front(message);
                        break;
                    }
                }
            }
            is_any |= !caller.waiting.is_empty();
            if !caller.waiting.is_empty() && caller.since.elapsed() > PATIENCE {
                let why = "has taken nothing of what it is sent for 30 s";
                self.lost.push((peer.clone(), Some(why)));
            }
        }
        Ok(is_any)
    }

    /// Those who were lost since the last call, each once.
    pub(super) fn take_lost(&mut self) -> Vec<(Peer, Option<&'static str>)> {
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_by(|a, b| a.0.cmp(&b.0));
        lost.dedup_by(|a, b| a.0 == b.0);
        lost
    }
}

impl Caller {
    /// As people know it.
    pub(super) fn name(&self) -> String {
        let Hello { program, host, pid } = &self.hello;
        format!("{program} ({host}, pid {pid})")
    }
}

#[cfg(test)]
mod tests {
    use logbus_transport::{Caller as Dialler, Options, PollSet, Sent, wait};

    use super::*;

    #[test]
    fn a_caller_that_went_without_a_word_is_forgotten() {
        let options = Options::default();
        let board = Switchboard::open(&["tcp://127.0.0.1:0".parse().unwrap()], &options).unwrap();
        let endpoint = board.endpoints()[0].clone();
        let mut callers = Callers::new(board);
        let mut dialler = Dialler::open(&endpoint, &options).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut message = Message::single(vec![1]);
        while let Sent::Busy(back) = dialler.send(message).unwrap() {
            assert!(Instant::now() < deadline, "nobody takes it");
            message = back;
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
        }
        let peer = loop {
            if let Some((peer, _)) = callers.board.receive().unwrap() {
                break peer;
            }
            assert!(Instant::now() < deadline, "nobody calls");
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
        };
        callers.greet(&peer, Hello::default(), None);
        callers.probe().unwrap();
        assert_eq!(callers.take_lost(), [], "it is there");
        drop(dialler);
        while callers.take_lost() != [(peer.clone(), None)] {
            assert!(Instant::now() < deadline, "it is kept for ever");
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
            callers.probe().unwrap();
        }
    }
}
