//! A lock on a file that says: the process that took it lives.
//!
//! It is a record lock of POSIX (fcntl(2), `F_SETLK`), because that alone is held by a process: a
//! forked child does not have it, though it has the file open, and the parent keeps it whatever the
//! child closes. Locks of open files (flock(2) and `F_OFD_SETLK`) would be held on by a child after
//! its parent's death. The price: a process that closes the file anywhere gives its lock up, and a
//! second attempt in the same process succeeds, so whoever uses this knows what is its own.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks the file for this process until the file is closed or the process ends; `false` when
/// another process has it. Never waits.
pub fn lock_for_process(file: &File) -> io::Result<bool> {
    // SAFETY: all zero bits are a valid `flock`: a read lock on the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open and the structure lives during the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn path() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("logbus-lock-{:x}", crate::random()))
    }

    /// Runs `job` in a forked child and returns its exit status.
    fn forked(job: impl FnOnce() -> bool) -> impl FnOnce() -> bool {
        // SAFETY: the child makes system calls and leaves without unwinding or running handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = i32::from(!job());
            // SAFETY: as above.
            unsafe { libc::_exit(status) };
        }
        move || {
            let mut status = 0;
            // SAFETY: waits for the one child made above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            status == 0
        }
    }

    #[test]
    fn a_forked_child_neither_has_its_parents_lock_nor_can_lose_it() {
        let path = path();
        let file = File::create(&path).unwrap();
        assert!(lock_for_process(&file).unwrap());
        let child = forked(|| {
            let other = File::open(&path).is_ok_and(|_closed| true);
            let mine = lock_for_process(&file).unwrap_or(true);
            drop(file.try_clone());
            other && !mine
        });
        assert!(child());
        let another = forked(|| !lock_for_process(&file).unwrap_or(true));
        assert!(another(), "what a child closed did not unlock the file");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_child_that_outlives_its_parent_does_not_keep_the_lock() {
        let path = path();
        let (mut ended, end) = std::io::pipe().unwrap();
        let parent = forked(|| {
            let file = File::create(&path).unwrap();
            let locked = lock_for_process(&file).unwrap_or(false);
            // The grandchild has the file open for as long as nobody writes into the pipe.
            let _not_waited_for = forked(|| ended.read(&mut [0]).is_ok());
            locked
        });
        assert!(parent());
        let file = File::options().write(true).open(&path).unwrap();
        assert!(lock_for_process(&file).unwrap());
        (&end).write_all(b"x").unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
