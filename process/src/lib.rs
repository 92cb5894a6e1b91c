//! What a program must know of the process it lives in: whether it was forked, its host's name, the
//! time, how to keep an application's signals out of a thread of ours, how to say something wherever
//! it is, and that a process lives ([`lock`]), and where a test may have it die ([`crash_point`]).
//!
//! After `fork` only the calling thread goes on, so in the child the sender's thread is gone and
//! any lock may be held for ever. A handler registered with `pthread_atfork` counts the
//! generations; whoever finds a newer one than its own touches nothing of the old.
#![allow(
    unsafe_code,
    reason = "pthread_atfork, gethostname, clocks, descriptors and the signal mask are C interfaces"
)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

mod crash;
pub mod lock;

pub use crash::crash_point;

static GENERATION: AtomicU64 = AtomicU64::new(0);
/// This process's id; 0 where nobody has asked since the last fork.
static PID: AtomicU32 = AtomicU32::new(0);

/// Grows with every fork between the first process and this one. Cheap: one atomic load.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to count forks. Safe to call often. Nobody waits here for a thread that does the same, which a
/// forked child would not have: of two, both begin, and then a fork counts twice.
pub fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) {
        // SAFETY: the handler only touches an atomic, which is allowed between fork and exec.
        // Registration can only fail for lack of memory, and then forks go unnoticed.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        WATCHED.store(true, Ordering::Release);
    }
}

extern "C" fn count_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    PID.store(0, Ordering::Relaxed);
}

/// This process's id, without asking the system each time: that costs as much as all else that
/// making a record does.
pub fn id() -> u32 {
    match PID.load(Ordering::Relaxed) {
        0 => {
            watch_forks();
            let id = std::process::id();
            PID.store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

/// Blocks all signals in the calling thread, so that the application's handlers run elsewhere.
pub fn block_signals() {
    // SAFETY: the set is initialised by sigfillset before it is read, and both calls have no
    // other effect than on this thread's mask.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
}

/// Asked of glibc's allocator: at most two arenas, where it makes up to eight for each processor.
/// Records pass from thread to thread, so what one thread frees goes back to the arena of another, and
/// with an arena for each thread all of them grow to their most by and by. To be called by a program,
/// before it has threads; a library has no business here.
pub fn share_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes no pointers, and no other thread allocates yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Sends a signal to a process. One that has gone needs none, so failing is no error.
pub fn send_signal(pid: u32, signal: i32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: kill takes no pointers.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Writes a line to standard error, as far as that takes it. The standard library has a lock on it, which
/// another thread may have held when this process was forked.
pub fn say(line: &str) {
    let text = format!("{line}\n");
    let mut left = text.as_bytes();
    while !left.is_empty() {
        // SAFETY: the buffer is valid for its length.
        let written = unsafe { libc::write(libc::STDERR_FILENO, left.as_ptr().cast(), left.len()) };
        match usize::try_from(written) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// This host's name.
pub fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is valid for its length less one, so a terminating zero always remains.
    let done = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    if done == 0 {
        String::from_utf8_lossy(&name[..end]).into_owned()
    } else {
        String::new()
    }
}

/// Nanoseconds since 1970-01-01 00:00 UTC.
pub fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since some moment, by a clock that nobody sets: what has to be waited for goes by this.
pub fn steady() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure lives during the call. A system without this clock leaves it as it is.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let (seconds, nanos) = (time.tv_sec as u64, time.tv_nsec as u64); // Neither is negative.
    seconds * 1_000_000_000 + nanos
}

/// A number nobody else has: for a sender's id. Not secret, only unlikely to come twice.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds each hasher from the system's randomness once a thread and
    // counts up from there, which a forked child would inherit: hence pid and time.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_u64(now());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_knows_that_it_is_one() {
        watch_forks();
        let before = generation();
        // SAFETY: the child only reads an atomic and leaves without unwinding or running handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(generation() == before)) };
        }
        let mut status = 0;
        // SAFETY: waits for the one child made above.
        let waited = unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!((waited, status), (child, 0));
        assert_eq!(generation(), before);
    }

    #[test]
    fn a_line_is_said_whoever_holds_standard_error() {
        let _held = io::stderr().lock();
        std::thread::spawn(|| say("said")).join().unwrap();
    }

    #[test]
    fn the_steady_clock_only_goes_on() {
        let times: Vec<u64> = (0..1000).map(|_| steady()).collect();
        assert!(times[0] > 0 && times.is_sorted());
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: std::collections::HashSet<u64> = (0..1000).map(|_| random()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
