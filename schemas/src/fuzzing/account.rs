//! The receiver's account of losses, under headers that anybody may have forged.

use crate::codec::JSON;
use crate::topic::Topic;
use crate::wire::ledger::{Ledger, Notice, Verdict};
use crate::wire::{Flags, Header, Identity, SenderId};

/// Bytes of one step: who, what, and the numbers of a header.
const STEP: usize = 32;

/// Bytes as a sequence of messages, heartbeats and moments. Whatever headers claim, the verdict is
/// within the message, a notice can be told, and every number stays within its range.
pub fn ledger(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let mut ledger = match first & 1 {
        0 => Ledger::new(1_000),
        _ => Ledger::of_a_share(1_000),
    };
    let mut notices = Vec::new();
    for step in rest.as_chunks::<STEP>().0 {
        take(&mut ledger, step, &mut notices);
    }
    ledger.tick(u64::MAX, &mut notices);
    for notice in &notices {
        assert!(!notice.to_string().is_empty());
    }
    let sum: u128 = ledger
        .senders()
        .map(|(_, totals)| u128::from(totals.received))
        .sum();
    assert_eq!(
        u64::try_from(sum).unwrap_or(u64::MAX),
        ledger.totals().received
    );
}

fn take(ledger: &mut Ledger, step: &[u8; STEP], notices: &mut Vec<Notice>) {
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| step[at + i]));
    let topic = Topic::for_name(["a", "b", "a.b", "c"][usize::from(step[1] % 4)]);
    // Numbers near both ends of the range are what arithmetic goes wrong at.
    let near = |number: u64| match step[2] & 1 {
        0 => number % 256,
        _ => number,
    };
    let header = Header {
        sequence: near(number(8)),
        count: u32::from_le_bytes(std::array::from_fn(|i| step[4 + i])) % 300,
        age: u32::from(step[2] >> 1),
        discarded: near(number(16)),
        sent: number(24),
        flags: Flags(step[3]),
        ..Header::new(JSON, SenderId(u64::from(step[1] >> 2)))
    };
    let Ok(header) = Header::parse(&header.to_bytes()) else {
        return;
    };
    match step[0] % 4 {
        0 => ledger.tick(header.sent, notices),
        1 => {
            let identity = Identity {
                program: "web".to_owned(),
                ..Identity::default()
            };
            let identity = (step[0] & 4 == 0).then_some(identity);
            ledger.heartbeat(&topic, &header, identity, header.sent, notices);
        }
        2 => ledger.malformed(header.sender, u64::from(header.count)),
        _ => check_verdict(
            &ledger.records(&topic, &header, header.sent, notices),
            &header,
        ),
    }
}

fn check_verdict(verdict: &Verdict, header: &Header) {
    let Verdict::Only(parts) = verdict else {
        return;
    };
    for part in parts {
        assert!(
            part.start < part.end && part.end <= header.count,
            "{parts:?}"
        );
    }
    assert!(
        parts.windows(2).all(|two| two[0].end <= two[1].start),
        "{parts:?}"
    );
}
