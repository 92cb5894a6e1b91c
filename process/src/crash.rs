//! Points at which a process of a debug build can be made to end at once, so that a test sees what is
//! left on disk there.
//!
//! `LOGBUS_CRASH_AT=journal.append:3` has it end (SIGABRT, with nothing cleaned up) when it reaches that
//! step for the third time; a step that can fail is reached before and after. Release builds have no
//! such points and do not look at the variable.

/// Says that a step of writing is reached.
#[inline]
pub fn crash_point(part: &str, step: &str) {
    #[cfg(debug_assertions)]
    armed::reach(part, step);
    #[cfg(not(debug_assertions))]
    let _only_in_debug_builds = (part, step);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Where the process is to end.
    struct Fuse {
        name: String,
        left: AtomicU64,
    }

    fn fuse() -> Option<&'static Fuse> {
        static FUSE: OnceLock<Option<Fuse>> = OnceLock::new();
        let read = || {
            let text = std::env::var("LOGBUS_CRASH_AT").ok()?;
            let (name, count) = text.rsplit_once(':')?;
            Some(Fuse {
                name: name.to_owned(),
                left: AtomicU64::new(count.parse().ok()?),
            })
        };
        FUSE.get_or_init(read).as_ref()
    }

    pub(super) fn reach(part: &str, step: &str) {
        let Some(fuse) = fuse() else { return };
        let is_it = fuse.name.strip_prefix(part) == Some(&format!(".{step}"));
        if is_it && fuse.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }
}
