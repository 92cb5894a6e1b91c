//! Keys and signals on their way to the thread that draws.
//!
//! SIGINT and SIGTERM are the pipeline's part: it ends the view when it ends.

use std::io;
use std::thread::Builder;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};

use super::wake::{Wake, Waker};

/// Hands every key and resize on, until nobody listens.
pub(crate) fn watch_keys(waker: Waker) -> io::Result<()> {
    Builder::new()
        .name("logsub-keys".to_owned())
        .spawn(move || {
            while let Ok(event) = crossterm::event::read() {
                if !waker.send(Wake::Event(event)) {
                    return;
                }
            }
            waker.offer(Wake::Hangup);
        })?;
    Ok(())
}

/// Hands on that the process is to stop, goes on, or may have lost its terminal.
pub(crate) fn watch_signals(waker: Waker) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGTSTP, SIGCONT, SIGHUP])?;
    let handle = signals.handle();
    Builder::new()
        .name("logsub-view-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let wake = match signal {
                    SIGTSTP => Wake::Suspend,
                    SIGCONT => Wake::Resume,
                    _ => Wake::Hangup,
                };
                if !waker.send(wake) {
                    return;
                }
            }
        })?;
    Ok(handle)
}
