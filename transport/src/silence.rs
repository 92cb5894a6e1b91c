//! How long nothing came from the other side of a TCP connection, as the system knows it.
//!
//! libzmq tries each connection by a heartbeat and cuts one that does not answer, but does not say
//! why it cut it. And where a peer takes nothing any more, so that what is sent to it fills all there
//! is, the heartbeat finds no room either and nobody ever waits for its answer. Both are told from
//! outside: TCP knows when bytes last came, and whether some wait to be taken.
#![allow(
    unsafe_code,
    reason = "getsockopt(TCP_INFO) and ioctl(TIOCOUTQ) are C interfaces"
)]

use std::mem::{MaybeUninit, size_of};
use std::os::fd::RawFd;
use std::time::Duration;

/// What the system knows of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Since when nothing came.
    pub(crate) lasts: Duration,
    /// Whether the other side has not taken all that was sent.
    pub(crate) is_taking: bool,
}

/// Looks at a descriptor; `None` where it is no TCP connection.
pub(crate) fn look(descriptor: RawFd) -> Option<Silence> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the buffer is as long as `length` says, and whatever part of it is filled, zeros and
    // numbers are valid for a struct of numbers. A descriptor that is none is an error.
    let (result, info) = unsafe {
        let result = libc::getsockopt(
            descriptor,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        );
        (result, info.assume_init())
    };
    if result != 0 {
        return None;
    }
    let mut waiting: libc::c_int = 0;
    // SAFETY: it fills one int, as tcp(7) says of SIOCOUTQ, which is the same number.
    let result = unsafe { libc::ioctl(descriptor, libc::TIOCOUTQ, &mut waiting) };
    Some(Silence {
        lasts: Duration::from_millis(u64::from(info.tcpi_last_data_recv)),
        is_taking: result != 0 || waiting == 0,
    })
}
