//! Ports for programs that must be told one before they bind it.
//!
//! They are below those that the kernel gives to clients (net.ipv4.ip_local_port_range), so that no
//! connection of another test takes one between its choice and its use, nor dials itself there. A file
//! that is locked as long as this process lives keeps other test processes away from the same ports.
//! Nothing is promised about programs that are not tests; a port that somebody has is passed over.

use std::fs::{self, File};
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

/// Ports in a row that belong together.
const ROW: u16 = 8;
const FIRST: u16 = 12_000;
const ROWS: u16 = 2_400;

/// The locks of rows that this process has.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Eight free ports in a row; the first.
pub fn free_port_base() -> u16 {
    let dir = std::env::temp_dir().join("logbus-test-ports");
    fs::create_dir_all(&dir).unwrap();
    // Others begin to look elsewhere.
    let start = (std::process::id() % u32::from(ROWS)) as u16;
    for row in 0..ROWS {
        let base = FIRST + (start + row) % ROWS * ROW;
        let lock = File::create(dir.join(base.to_string())).unwrap();
        if lock.try_lock().is_err() {
            continue;
        }
        HELD.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lock);
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (base..base + ROW).all(is_free) {
            return base;
        }
    }
    panic!("no eight free ports in a row");
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    free_port_base()
}
