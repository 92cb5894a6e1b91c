//! TLS for NNG: which files say who we are and whom we trust, read and checked.
//!
//! Both sides show a certificate, and both check the other's: whoever has one of the authority's may
//! come in. A secret key that others can read is refused, as in `keyfile.rs`. libnng does it for the
//! sockets that are its own (`nng.rs`), rustls for publishers, which speak SP themselves (`sp.rs`).

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::endpoint::Endpoint;
use crate::socket::{Error, ErrorKind};

/// Where the files are when nothing else is said.
const VARIABLES: [&str; 3] = [
    "LOGBUS_TLS_CERT_FILE",
    "LOGBUS_TLS_KEY_FILE",
    "LOGBUS_TLS_CA_FILE",
];

/// The files, all of them PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Our certificate, with those between it and the authority behind it.
    pub certificate: PathBuf,
    /// Its secret key.
    pub key: PathBuf,
    /// The certificates of the authorities whose certificates are good.
    pub authority: PathBuf,
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl Tls {
    /// The files that `LOGBUS_TLS_CERT_FILE`, `LOGBUS_TLS_KEY_FILE` and `LOGBUS_TLS_CA_FILE` name, when
    /// all three do.
    pub fn from_environment() -> Option<Self> {
        let path = |variable| std::env::var_os(variable).filter(|path| !path.is_empty());
        let [certificate, key, authority] = VARIABLES.map(path);
        Some(Self {
            certificate: certificate?.into(),
            key: key?.into(),
            authority: authority?.into(),
        })
    }

    /// Those given, else those of the environment.
    pub(crate) fn or_environment(given: Option<&Tls>, endpoint: &Endpoint) -> Result<Self, Error> {
        let problem = || format!("TLS needs files: name them by {}", VARIABLES.join(", "));
        given
            .cloned()
            .or_else(Self::from_environment)
            .ok_or_else(|| unusable(endpoint, problem().into()))
    }

    /// Certificate, key and authorities as texts.
    pub(crate) fn texts(&self, endpoint: &Endpoint) -> Result<[CString; 3], Error> {
        let text = |path: &Path| -> Result<CString, Problem> {
            let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            CString::new(bytes).map_err(|_| format!("{}: it is no text", path.display()).into())
        };
        let texts = || -> Result<[CString; 3], Problem> {
            self.check_mode()?;
            Ok([
                text(&self.certificate)?,
                text(&self.key)?,
                text(&self.authority)?,
            ])
        };
        texts().map_err(|problem| unusable(endpoint, problem))
    }

    /// What a client does with them.
    pub(crate) fn client(&self, endpoint: &Endpoint) -> Result<Arc<ClientConfig>, Error> {
        self.read_client()
            .map_err(|problem| unusable(endpoint, problem))
    }

    fn read_client(&self) -> Result<Arc<ClientConfig>, Problem> {
        self.check_mode()?;
        let in_file = |path: &Path, problem: String| format!("{}: {problem}", path.display());
        let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, Problem> {
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| in_file(path, error.to_string()))?;
            match read.is_empty() {
                true => Err(in_file(path, "it holds no certificate".to_owned()).into()),
                false => Ok(read),
            }
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.authority)? {
            roots
                .add(authority)
                .map_err(|error| in_file(&self.authority, error.to_string()))?;
        }
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| in_file(&self.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&self.certificate)?, key)?;
        Ok(Arc::new(config))
    }

    fn check_mode(&self) -> Result<(), Problem> {
        let path = self.key.display();
        let metadata = fs::metadata(&self.key).map_err(|error| format!("{path}: {error}"))?;
        let mode = metadata.permissions().mode() & 0o777;
        match mode & 0o077 {
            0 => Ok(()),
            _ => Err(
                format!("{path}: its mode is {mode:04o}, so others can read it; chmod 600").into(),
            ),
        }
    }
}

fn unusable(endpoint: &Endpoint, source: Problem) -> Error {
    Error {
        kind: ErrorKind::Unusable,
        endpoint: Some(endpoint.clone()),
        source,
    }
}

#[cfg(test)]
mod tests;
