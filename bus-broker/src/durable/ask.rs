//! Asking a running broker about its durable subscriptions.
//!
//! A hello may have two more keys, which only brokers read: `ask`, whose one value is `consumers`,
//! and `forget`, the name of a durable subscription that nobody reads. The welcome has two more
//! then: `consumers`, a list, and `forgotten`, whether there was such a one. Where clients have keys,
//! each is told of its own, and who may read everything of all of them.

use std::time::{Duration, Instant};

use logbus_schemas::wire::durable::{Command, Welcome};
use logbus_schemas::wire::{MAGIC, VERSION};
use logbus_transport::{
    Caller, Endpoint, Error, ErrorKind, Message, Options, PeerEvent, PollSet, Security, Sent, wait,
};
use serde::{Deserialize, Serialize};

use crate::journal::ConsumerInfo;

/// What is asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    ask: String,
    pub(super) forget: Option<String>,
    program: String,
    host: String,
    pid: u32,
}

/// What is answered, besides the welcome.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub(super) welcome: Welcome,
    pub(super) consumers: Vec<Told>,
    pub(super) forgotten: bool,
}

/// A durable subscription.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    name: String,
    offset: u64,
    messages: u64,
    records: u64,
    lost: u64,
    heard: u64,
    topics: Vec<String>,
    client: Option<String>,
}

/// The question in a hello, if there is one.
pub(super) fn question(frame: &[u8]) -> Option<Question> {
    let question: Question = rmp_serde::from_slice(frame.get(5..)?).ok()?;
    (question.ask == "consumers").then_some(question)
}

/// A welcome that answers.
pub(super) fn answer(welcome: &Welcome, consumers: &[ConsumerInfo], forgotten: bool) -> Vec<u8> {
    let consumers = consumers.iter().map(|one| Told {
        name: one.name.clone(),
        offset: one.offset,
        messages: one.lag.0,
        records: one.lag.1,
        lost: one.lost,
        heard: one.heard,
        topics: one.topics.clone(),
        client: one.owner.clone(),
    });
    let answer = Answer {
        welcome: welcome.clone(),
        consumers: consumers.collect(),
        forgotten,
    };
    frame(b'W', &answer)
}

fn frame(letter: u8, fields: &impl Serialize) -> Vec<u8> {
    let mut frame = [&MAGIC[..], &[VERSION, letter]].concat();
    // Writing to memory does not fail.
    frame.extend(rmp_serde::to_vec_named(fields).unwrap_or_default());
    frame
}

/// Asks the broker at this endpoint for its durable subscriptions, and to forget one. `None` when
/// nobody answers in time; an error when the broker says no. Says besides whether there was one to
/// forget.
pub fn ask_consumers(
    endpoint: &Endpoint,
    security: Option<Security>,
    forget: Option<&str>,
    patience: Duration,
) -> Result<Option<(Vec<ConsumerInfo>, bool)>, Error> {
    let deadline = Instant::now() + patience;
    let options = Options {
        security,
        ..Options::default()
    };
    let mut caller = Caller::open(endpoint, &options)?;
    let (mut unsent, mut is_refused) = (None, false);
    let question = Question {
        ask: "consumers".to_owned(),
        forget: forget.map(str::to_owned),
        program: "bus-broker consumers".to_owned(),
        host: logbus_process::host_name(),
        pid: std::process::id(),
    };
    let answer = loop {
        for event in caller.peer_events() {
            match event {
                // What was said before may have gone with a connection that was refused.
                PeerEvent::Connected => unsent = Some(Message::single(frame(b'H', &question))),
                PeerEvent::Refused => is_refused = true,
                PeerEvent::Disconnected => {}
            }
        }
        if let Some(message) = unsent.take()
            && let Sent::Busy(back) = caller.send(message)?
        {
            unsent = Some(back);
        }
        if let Some(message) = caller.receive()? {
            let frame = message.frames().first();
            if let Some(Ok(Command::Refused(refused))) = frame.map(|frame| Command::decode(frame)) {
                return Err(says_no(endpoint, &refused.reason));
            }
            let fields = frame.and_then(|frame| frame.get(5..));
            break fields.and_then(|fields| rmp_serde::from_slice::<Answer>(fields).ok());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() && is_refused {
            let why = "it lets in nobody without a key that it knows (--key and --server-key)";
            return Err(says_no(endpoint, why));
        }
        if left.is_zero() {
            break None;
        }
        let mut set = PollSet::new();
        caller.poll(&mut set, unsent.is_some());
        wait(&mut set, Some(left))?;
    };
    let _flushed = caller.close(Duration::ZERO);
    Ok(answer.map(|answer| {
        let infos = answer.consumers.into_iter().map(|told| ConsumerInfo {
            name: told.name,
            offset: told.offset,
            lag: (told.messages, told.records),
            lost: told.lost,
            heard: told.heard,
            topics: told.topics,
            owner: told.client,
        });
        (infos.collect(), answer.forgotten)
    }))
}

fn says_no(endpoint: &Endpoint, why: &str) -> Error {
    Error {
        kind: ErrorKind::Unusable,
        endpoint: Some(endpoint.clone()),
        source: why.into(),
    }
}
