//! Paths of Unix sockets at which only this user can connect; and connecting without waiting.
//!
//! The mode is set on the descriptor before it gets its path: Linux makes the path with that mode
//! (unix_bind), so there is no moment at which others could connect, and no process-wide umask is
//! touched, which other threads would see.
#![allow(unsafe_code, reason = "a socket with a mode, before it has a path")]

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A path that was made here; it goes when this does.
#[derive(Debug)]
pub(crate) struct OwnPath {
    path: PathBuf,
    /// Which socket is ours: the path can be another's by then.
    made: Option<Socket>,
}

impl OwnPath {
    /// Listens there, in place of a socket that nobody listens at any more.
    pub(crate) fn listen(path: &str) -> io::Result<(Self, OwnedFd)> {
        let (address, length) = address_of(path)?;
        match connect(path) {
            // One that is too busy to answer lives, too.
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            Err(_) => {}
        }
        let path = Path::new(path);
        if socket_at(path).is_some() {
            fs::remove_file(path)?;
        }
        let socket = socket(0)?;
        // SAFETY: an open descriptor, and an address that is valid for its length.
        unsafe {
            checked(libc::fchmod(socket.as_raw_fd(), 0o600))?;
            checked(libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                length,
            ))?;
            checked(libc::listen(socket.as_raw_fd(), BACKLOG))?;
        }
        let path = path.to_owned();
        let made = socket_at(&path);
        Ok((Self { path, made }, socket))
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        if self.made.is_some() && socket_at(&self.path) == self.made {
            // It may have gone meanwhile.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A socket in a file system: its device, its number there, and when it got that, in s and ns. A number
/// that has become free is the next one's.
type Socket = (u64, u64, i64, i64);

/// Which socket is there, if one is.
fn socket_at(path: &Path) -> Option<Socket> {
    let found = fs::symlink_metadata(path).ok()?;
    let is_socket = found.file_type().is_socket();
    is_socket.then(|| (found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

/// Connects without waiting for a listener that accepts nobody: when as many as may wait there already,
/// that is an error (`WouldBlock`).
pub(crate) fn connect(path: &str) -> io::Result<UnixStream> {
    let (address, length) = address_of(path)?;
    let socket = socket(libc::SOCK_NONBLOCK)?;
    // SAFETY: an open descriptor, and an address that is valid for its length.
    checked(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket.into())
}

fn socket(flags: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | flags;
    // SAFETY: takes no pointers.
    let descriptor = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    checked(descriptor)?;
    // SAFETY: it was just opened, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn address_of(path: &str) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all zeros are an address: a family and bytes.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() >= address.sun_path.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in address.sun_path.iter_mut().zip(path.bytes()) {
        *to = from as libc::c_char;
    }
    let length = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    Ok((address, length))
}

fn checked(result: i32) -> io::Result<()> {
    match result {
        ..0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{Attachment, InletKind, Options, OutletKind, open_inlet, open_outlet};

    #[test]
    fn a_listener_that_accepts_nobody_holds_no_publisher_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("busy").display().to_string();
        let (_own, _listener) = OwnPath::listen(&path).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match connect(&path) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let place = [Attachment::Connect(
            format!("nng+ipc://{path}").parse().unwrap(),
        )];
        let mut outlet = open_outlet(OutletKind::Publish, &place, &Options::default()).unwrap();
        assert!(outlet.subscription_events().unwrap().is_empty());
    }

    #[test]
    fn a_path_is_taken_from_the_dead_alone_and_left_to_its_next_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus").display().to_string();
        let (own, listener) = OwnPath::listen(&path).unwrap();
        let error = OwnPath::listen(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        // It dies, and leaves its path there.
        drop(listener);
        let (_next, _listener) = OwnPath::listen(&path).unwrap();
        drop(own);
        assert!(connect(&path).is_ok());
    }

    #[test]
    fn only_this_user_can_connect_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        for scheme in ["ipc", "nng+ipc"] {
            let path = dir.path().join(scheme);
            let endpoint = format!("{scheme}://{}", path.display()).parse().unwrap();
            let place = [Attachment::Bind(endpoint)];
            let inlet = open_inlet(InletKind::Subscribe, &place, &Options::default()).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{scheme}");
            drop(inlet);
            assert!(!path.exists(), "{scheme}");
        }
    }
}
