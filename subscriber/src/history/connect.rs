//! Connecting to a durable endpoint: hello, and the welcome.
//!
//! An endpoint that must be there has some seconds to answer, one that need not be only moments, so
//! that a bus without a journal holds up nobody. What comes after the welcome is `client.rs`'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use crossbeam_channel::Receiver;
use logbus_process as process;
use logbus_schemas::wire::durable::{Command, Hello, Welcome};
use logbus_transport::{
    Caller, Endpoint, Error, Message, Options, PeerEvent, PollSet, Security, Waker, wait,
};

use super::client::{self, Running, Told};
use super::progress::Progress;
use super::wanted::Wanted;
use crate::format::visible;
use crate::handler::Say;

/// How long an endpoint that must be there may take to greet.
const GREETING: Duration = Duration::from_secs(5);
/// How long one may take to be connected to that need not be there.
const PROBE: Duration = Duration::from_millis(300);
/// How long it may take to greet, once it is connected to: something else may listen there.
const PROBED_GREETING: Duration = Duration::from_secs(1);

/// A durable endpoint that has greeted; see the head of this file.
pub struct History {
    pub(super) endpoint: Endpoint,
    pub(super) security: Option<Security>,
    pub(super) caller: Caller,
    pub(super) welcome: Welcome,
    pub(super) wanted: Wanted,
    pub(super) waker: Waker,
    pub(super) progress: Arc<Progress>,
}

impl History {
    /// Connects, with the keys that are shown where one dials; `None` where nobody greets and nobody
    /// must.
    pub fn connect(wanted: Wanted, security: Option<Security>) -> anyhow::Result<Option<Self>> {
        let has_key = security.is_some();
        let endpoint = wanted.endpoint.clone();
        let mut caller = dial(&endpoint, security.clone())?;
        let welcome = match greet(&mut caller, wanted.is_optional)? {
            Greeted::Welcome(welcome) => welcome,
            Greeted::Nobody | Greeted::Refused if wanted.is_optional => return Ok(None),
            Greeted::Nobody => bail!(
                "no journal answers at {endpoint}; start bus-broker with one, or say where it is \
                 with --durable-endpoint"
            ),
            Greeted::Refused if has_key => bail!(
                "the journal at {endpoint} does not let this key in, or its own is not the one in \
                 --server-key; docs/security.md tells of both"
            ),
            Greeted::Refused => bail!(
                "the journal at {endpoint} asks for a key; say which with --key and --server-key"
            ),
        };
        let waker = Waker::new()?;
        Ok(Some(Self {
            endpoint,
            security,
            caller,
            welcome,
            wanted,
            progress: Progress::new(waker.clone()),
            waker,
        }))
    }

    /// What was asked for.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Where lanes, or the decoding stage, say how far they are.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Where it is read, and from whom.
    pub fn describe(&self) -> String {
        let mut owner = String::new();
        visible::on_one_line(&self.welcome.program, &mut owner);
        format!("reading the journal of {owner} at {}", self.endpoint)
    }

    /// Asks, and hands what comes to the other end. `refused` is called when the broker refuses.
    pub(super) fn start(
        self,
        say: &Say,
        refused: Box<dyn Fn() + Send>,
    ) -> anyhow::Result<(Running, Receiver<Told>)> {
        client::start(self, say, refused)
    }
}

/// A socket for one connection: once that is broken, another one is dialled.
pub(super) fn dial(endpoint: &Endpoint, security: Option<Security>) -> Result<Caller, Error> {
    let options = Options {
        heartbeat: Some(Duration::from_secs(2)),
        security,
        ..Options::default()
    };
    Caller::open(endpoint, &options)
}

/// Who answered.
enum Greeted {
    Welcome(Welcome),
    Nobody,
    /// Somebody who let nobody in.
    Refused,
}

/// Says hello and waits for the answer.
fn greet(caller: &mut Caller, is_optional: bool) -> Result<Greeted, Error> {
    let begun = Instant::now();
    let (mut is_connected, mut is_refused) = (false, false);
    loop {
        for event in caller.peer_events() {
            match event {
                PeerEvent::Connected => {
                    is_connected = true;
                    drop(caller.send(Message::single(hello().encode()))?);
                }
                PeerEvent::Refused => is_refused = true,
                PeerEvent::Disconnected => {}
            }
        }
        while let Some(message) = caller.receive()? {
            if let Some(Command::Welcome(welcome)) = command(&message) {
                return Ok(Greeted::Welcome(welcome));
            }
        }
        let patience = match (is_optional, is_connected) {
            (true, false) => PROBE,
            (true, true) => PROBED_GREETING,
            (false, _) => GREETING,
        };
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() && is_refused {
            return Ok(Greeted::Refused);
        }
        if left.is_zero() {
            return Ok(Greeted::Nobody);
        }
        let mut set = PollSet::new();
        caller.poll(&mut set, false);
        wait(&mut set, Some(left))?;
    }
}

/// Who this is.
pub(super) fn hello() -> Command {
    Command::Hello(Hello {
        program: "logsub".to_owned(),
        host: process::host_name(),
        pid: std::process::id(),
    })
}

/// What a message says, if that can be read.
pub(super) fn command(message: &Message) -> Option<Command> {
    Command::decode(message.frames().first()?).ok()
}
