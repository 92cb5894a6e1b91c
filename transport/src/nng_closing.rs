//! Closing a libnng socket, which may never come back.
//!
//! libnng 1.5.2 loses a receive over TLS that begins just after the connection broke
//! (src/supplemental/tls/tls_common.c never sets the `closed` that `tls_recv` asks for), and its one
//! thread that clears connections away then waits for that receive for ever. From then on
//! `nng_close` of any socket of the process waits for that thread. So a socket is closed on a thread
//! of its own, which is left behind where it is not done in time.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::socket::{Error, ErrorKind};

/// How long closing is waited for. It takes milliseconds where it comes back at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket that is closed when this is dropped, within a bounded time.
pub(crate) struct Closing<S: Send + 'static> {
    /// There until this is dropped.
    socket: Option<S>,
    patience: Duration,
}

impl<S: Send + 'static> Closing<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket: Some(socket),
            patience: PATIENCE,
        }
    }

    /// The socket.
    pub(crate) fn get(&self) -> Result<&S, Error> {
        self.socket.as_ref().ok_or_else(|| Error {
            kind: ErrorKind::Broken,
            endpoint: None,
            source: "the socket is closed".into(),
        })
    }
}

impl<S: Send + 'static> Drop for Closing<S> {
    fn drop(&mut self) {
        let socket = self.socket.take();
        let (done, is_done) = mpsc::channel::<()>();
        let close = move || {
            drop(socket);
            drop(done);
        };
        // Where there is no thread to be had the socket is dropped here, with what would have run.
        let spawned = thread::Builder::new().name("logbus-nng-close".to_owned());
        if spawned.spawn(close).is_ok() {
            // Nothing is ever sent: this ends when the other side is dropped, or the time is up.
            let _is_up = is_done.recv_timeout(self.patience);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says when it was dropped, and waits in between like a socket that does not come back.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<()>);

    impl Drop for Stuck {
        fn drop(&mut self) {
            let _is_free = self.0.recv();
            let _is_heard = self.1.send(());
        }
    }

    #[test]
    fn what_does_not_come_back_is_left_behind() {
        let (free, waits) = mpsc::channel();
        let (says, dropped) = mpsc::channel();
        let mut closing = Closing::new(Stuck(waits, says));
        closing.patience = Duration::from_millis(20);
        drop(closing);
        assert!(dropped.try_recv().is_err(), "it was not waited for");
        drop(free);
        assert!(dropped.recv().is_ok(), "it goes on all the same");
    }

    #[test]
    fn what_comes_back_is_closed_when_dropping_is_over() {
        let (free, waits) = mpsc::channel();
        let (says, dropped) = mpsc::channel();
        drop(free);
        let mut closing = Closing::new(Stuck(waits, says));
        closing.patience = Duration::from_secs(60);
        assert!(closing.get().is_ok());
        drop(closing);
        assert!(dropped.try_recv().is_ok());
    }
}
