//! TLS for NNG: which files say who we are and whom we trust.

use std::path::PathBuf;

/// The files, all of them PEM. Both sides show a certificate and both check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Our certificate, with those between it and the authority behind it.
    pub certificate: PathBuf,
    /// Its secret key.
    pub key: PathBuf,
    /// The certificates of the authorities whose certificates are good.
    pub authority: PathBuf,
}
