//! What one caller may claim of the broker's memory.

use super::*;
use crate::ask_consumers;

fn refused(client: &mut Client) -> (String, u32) {
    loop {
        match client.hear() {
            Command::Refused(refused) => return (refused.code, refused.read),
            Command::Noted(_) | Command::Live(_) | Command::End(_) => {}
            other => panic!("not refused but {other:?}"),
        }
    }
}

#[test]
fn a_caller_has_a_bounded_number_of_reads_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    let follow = |read| Read {
        read,
        follow: true,
        ..all(From::Begin)
    };
    for read in 0..16 {
        client.read(follow(read));
        assert!(matches!(client.hear(), Command::Live(at) if at.read == read));
    }
    client.read(follow(16));
    assert_eq!(refused(&mut client), ("full".into(), 16));
    client.read(follow(3));
    assert!(matches!(client.hear(), Command::Live(_)), "in place of one");
    client.say(Command::Stop(Stop { read: 3 }));
    client.read(follow(16));
    assert!(matches!(client.hear(), Command::Live(at) if at.read == 16));
    world.close();
}

#[test]
fn a_read_names_a_bounded_number_of_topics_and_a_hello_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    let topics = |count, length| Read {
        topics: vec!["t".repeat(length); count],
        ..all(From::Begin)
    };
    client.read(topics(1000, 1));
    assert!(client.rest().is_empty());
    for too_much in [topics(1001, 1), topics(200, 200)] {
        client.read(too_much);
        assert_eq!(refused(&mut client), ("full".into(), 1));
    }
    client.say(Command::Hello(Hello {
        program: "p".repeat(2000),
        ..Hello::default()
    }));
    assert_eq!(refused(&mut client).0, "form");
    world.close();
}

#[test]
fn there_is_a_bounded_number_of_durable_subscriptions_and_those_there_are_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let mut client = world.client();
    // Whether one begins; if so, it is noted, and nobody reads it any more.
    let begin = |client: &mut Client, read: u32| {
        client.read(Read {
            read,
            ..named(&format!("name{read}"), false, 1)
        });
        let (mut is_live, mut is_noted) = (false, false);
        while !is_live || !is_noted {
            match client.hear() {
                Command::Live(at) => is_live |= at.read == read,
                Command::Noted(at) => is_noted |= at.read == read,
                Command::Refused(refused) => {
                    assert_eq!(refused.code, "full", "{refused:?}");
                    return false;
                }
                other => panic!("{other:?}"),
            }
        }
        client.say(Command::Stop(Stop { read }));
        true
    };
    for number in 0..1000 {
        assert!(begin(&mut client, number), "{number}");
    }
    assert!(!begin(&mut client, 1000));
    assert!(begin(&mut client, 7), "it is known");
    let ask = |forget| {
        let patience = Duration::from_secs(20);
        let answer = ask_consumers(&world.endpoint(), None, forget, patience);
        answer.unwrap().unwrap()
    };
    assert_eq!(ask(None).0.len(), 1000);
    assert!(ask(Some("name8")).1);
    assert!(begin(&mut client, 1000), "there is room again");
    world.close();
    // Those that an earlier run has noted count.
    let world = start(dir.path());
    let mut client = world.client();
    assert!(!begin(&mut client, 1001));
    assert!(begin(&mut client, 7));
    world.close();
}
