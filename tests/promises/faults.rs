#![allow(clippy::print_stdout, reason = "the seed, where it fails")]

use logbus_tests::faults::{self, Plan};

/// A short form of a fault.
fn check(name: &str, seed: u64) {
    let plan = Plan {
        seed,
        kills: 6,
        seconds: 3,
        rate: 4_000,
    };
    println!("{name}, {plan:?}");
    println!("{}", faults::run(name, plan));
}

#[test]
fn whoever_is_killed_what_was_acknowledged_is_there_once() {
    check("kill-always", 1);
}

#[test]
fn whoever_is_killed_a_lazy_sync_keeps_what_was_acknowledged() {
    check("kill-interval", 2);
}

#[test]
fn of_killed_publishers_all_but_the_tail_is_accounted_for() {
    check("kill-default", 3);
}

#[test]
fn readers_that_stand_still_lose_nothing_or_know_what() {
    check("stop", 4);
}

#[test]
fn a_full_disk_makes_durable_publishers_wait() {
    check("disk-full", 5);
}

#[test]
fn a_disk_that_may_only_be_read_is_named() {
    check("read-only", 6);
}

#[test]
fn flipped_bits_cost_the_messages_they_are_in() {
    check("bit-flips", 7);
}

#[test]
fn a_host_that_is_cut_off_is_caught_up_with() {
    check("partition", 8);
}
