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

#[test]
fn of_hosts_that_are_cut_off_every_record_is_accounted_for() {
    check("partition-default", 9);
    check("partition-nng", 10);
}

#[test]
fn over_nng_all_but_the_tail_of_killed_publishers_is_accounted_for() {
    check("kill-nng", 11);
}

#[test]
fn packets_that_are_lost_or_late_cost_nothing_or_are_known() {
    for name in ["packets", "packets-default", "packets-nng"] {
        check(name, 12);
    }
}

#[test]
fn bad_roads_cost_nothing_that_is_durable() {
    check("weather", 13);
}

#[test]
fn what_bad_roads_cost_is_known() {
    check("weather-default", 14);
    check("weather-nng", 15);
}

#[test]
fn a_broker_that_moved_is_found_where_its_road_leads() {
    for name in ["moved", "moved-default", "moved-nng"] {
        check(name, 16);
    }
}

#[test]
fn a_broker_that_moved_is_found_by_its_name() {
    for name in ["name", "name-default", "name-nng"] {
        check(name, 17);
    }
}

#[test]
fn damage_of_a_spool_costs_what_it_touches_and_is_told() {
    check("spool-damage", 18);
}

#[test]
fn whoever_dies_at_whichever_step_of_writing_nothing_is_missing_or_twice() {
    check("crash", 19);
}

#[test]
fn half_a_write_costs_nothing_that_was_acknowledged_or_spooled() {
    check("torn", 20);
}

#[test]
fn a_journal_whose_disk_gives_errors_says_so_and_loses_nothing_it_acknowledged() {
    check("eio-journal", 21);
}

#[test]
fn a_spool_whose_disk_gives_errors_loses_and_repeats_nothing() {
    check("eio-spool", 22);
    check("eio-spool-sync", 23);
}

#[test]
fn a_clock_that_is_set_back_loses_and_reorders_nothing() {
    check("clock", 24);
}

#[test]
fn a_seq_server_that_is_slow_gets_everything() {
    check("slow-seq", 25);
}

#[test]
fn at_a_steady_rate_threads_and_open_files_stay_as_they_are() {
    check("steady", 26);
}
