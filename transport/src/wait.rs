//! The one place where a thread that owns sockets waits: on all of them, on a [`Waker`] by which
//! other threads call it, and on a time.
//!
//! [`wait()`] does not say what is ready. Whoever waited tries all its sockets again, none of which
//! ever waits, and so cannot miss anything.
#![allow(unsafe_code, reason = "eventfd is a C interface")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::zmq::{PollEvents, PollItem};

use crate::socket::{Error, ErrorKind};

/// What to wait for.
#[derive(Default)]
pub struct PollSet<'a> {
    items: Vec<PollItem<'a>>,
    wake_by: Option<Instant>,
}

impl<'a> PollSet<'a> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wait until this file descriptor can be read, or written as well.
    pub fn add_fd(&mut self, fd: RawFd, is_write_awaited: bool) {
        let mut events = ::zmq::POLLIN;
        if is_write_awaited {
            events |= ::zmq::POLLOUT;
        }
        self.items.push(PollItem::from_fd(fd, events));
    }

    /// Wait no longer than until then, whatever the timeout says.
    pub fn wake_by(&mut self, deadline: Instant) {
        self.wake_by = Some(
            self.wake_by
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
    }

    pub(crate) fn add_zmq(&mut self, socket: &'a ::zmq::Socket, events: PollEvents) {
        self.items.push(socket.as_poll_item(events));
    }
}

/// Waits until something in `set` is ready, the timeout (`None`: for ever) is over, or a signal
/// came. Times are in whole milliseconds, rounded up.
pub fn wait(set: &mut PollSet<'_>, timeout: Option<Duration>) -> Result<(), Error> {
    let until_wake = set
        .wake_by
        .map(|at| at.saturating_duration_since(Instant::now()));
    let timeout = match (timeout, until_wake) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let millis = timeout.map_or(-1, |timeout| {
        i64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
    });
    match ::zmq::poll(&mut set.items, millis) {
        Ok(_) | Err(::zmq::Error::EINTR) => Ok(()),
        Err(error) => Err(Error {
            kind: ErrorKind::Broken,
            endpoint: None,
            source: Box::new(error),
        }),
    }
}

/// Calls a thread out of [`wait`]. A call made before it waits counts, too.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// A waker that nobody has called.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: eventfd takes no pointers, and a result that is not negative is a descriptor
        // that nobody else owns.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(Error {
                kind: ErrorKind::Broken,
                endpoint: None,
                source: Box::new(std::io::Error::last_os_error()),
            });
        }
        // SAFETY: see above.
        Ok(Self(Arc::new(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// Calls. From any thread, and from a signal handler.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid for its 8 bytes. A full counter refuses the write, and then
        // the call stands already.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Forgets calls made so far.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is valid for its 8 bytes; without a call the read is refused.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }

    /// Adds this to what is waited for.
    pub fn poll(&self, set: &mut PollSet<'_>) {
        set.add_fd(self.0.as_raw_fd(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for(waker: &Waker, timeout: Duration) -> Duration {
        let begun = Instant::now();
        let mut set = PollSet::new();
        waker.poll(&mut set);
        wait(&mut set, Some(timeout)).unwrap();
        begun.elapsed()
    }

    #[test]
    fn a_call_made_before_waiting_counts() {
        let waker = Waker::new().unwrap();
        waker.wake();
        assert!(wait_for(&waker, Duration::from_secs(60)) < Duration::from_secs(30));
        waker.clear();
        assert!(wait_for(&waker, Duration::from_millis(20)) >= Duration::from_millis(20));
    }

    #[test]
    fn a_call_from_another_thread_ends_the_wait() {
        let waker = Waker::new().unwrap();
        let caller = waker.clone();
        let thread = std::thread::spawn(move || caller.wake());
        assert!(wait_for(&waker, Duration::from_secs(60)) < Duration::from_secs(30));
        thread.join().unwrap();
    }

    #[test]
    fn the_earliest_deadline_counts() {
        let mut set = PollSet::new();
        set.wake_by(Instant::now() + Duration::from_millis(10));
        set.wake_by(Instant::now() + Duration::from_secs(60));
        let begun = Instant::now();
        wait(&mut set, None).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
