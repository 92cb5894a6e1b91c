//! What logbus promises across processes, one module a promise. One test binary, because every
//! further one costs a link and hides the list.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

/// Nothing that a process says at its start is lost, however short it lives.
mod start;
/// After a fork both processes publish, each under its own name.
mod fork;
/// Whatever is lost is counted, to the record.
mod exact_loss;
/// One slow subscriber is nobody else's trouble.
mod slow_subscriber;
/// The bus outlives the process that is the bus.
mod take_over;
/// Stock senders are understood as they are: pyzmq's, pynng's, Logbook's, rsyslog's.
mod stock_senders;
/// Senders that speak neither ZeroMQ nor NNG join the bus as they are.
mod listeners;
/// Files hold whole lines, wherever logrotate moves them.
mod files;
/// The logging configuration that people have already does here what it did there.
mod config;
/// What Seq should have reaches it, whoever is away or killed meanwhile.
mod seq;
/// A real rsyslog understands what it is sent.
mod syslog;
/// What people see of many senders in a terminal, and what a slow one does not see.
mod terminal;
/// What people do with keys, and see.
mod tui;
/// What was acknowledged is kept, whoever is killed.
mod durable;
/// Over the durable endpoint a key does what it has a right to, and nobody anything without one.
mod keys;
/// Faults on purpose cost what is promised, and no more: short forms of `cargo xtask faults`.
mod faults;
/// What the programs say and how they end.
mod cli;
