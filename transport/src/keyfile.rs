//! Key files: `NAME.key` with the secret half, for its owner alone, and `NAME.pub` for everybody.
//!
//! ```text
//! # The secret key of web1 ...
//! secret-key = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
//! ```
//!
//! Keys are Z85. Lines that begin with # are comments, which is why a key stands in quotes: # is a
//! character of Z85. A secret key file that others can read is refused, as ssh does. No message
//! repeats what stands in a file.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::curve::{KeyPair, PublicKey, Security};
use crate::socket::{Error, ErrorKind};

/// Why a key file cannot be read: the file, the line where there is one, and the problem.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for KeyFileError {}

impl KeyPair {
    /// Reads `NAME.key`.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let error = |line, problem: String| KeyFileError {
            path: path.to_owned(),
            line,
            problem,
        };
        let metadata = fs::metadata(path).map_err(|io| error(None, io.to_string()))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let problem = format!("its mode is {mode:04o}, so others can read it; chmod 600");
            return Err(error(None, problem));
        }
        let (line, text) = value(path, "secret-key")?;
        KeyPair::from_secret(&text).map_err(|key| error(Some(line), key.to_string()))
    }

    /// Writes `NAME.key` and `NAME.pub` into a directory, neither of which may be there already.
    pub fn write(&self, directory: &Path, name: &str) -> io::Result<(PathBuf, PathBuf)> {
        let secret = directory.join(format!("{name}.key"));
        let public = directory.join(format!("{name}.pub"));
        if public.exists() {
            return Err(named(&public, io::ErrorKind::AlreadyExists.into()));
        }
        let text = format!(
            "# The secret key of {name}. Whoever has it is {name}: keep it here, with mode 0600.\n\
             secret-key = \"{}\"\n",
            self.secret_text()
        );
        create(&secret, 0o600, &text)?;
        let text = format!(
            "# The public key of {name}.\npublic-key = \"{}\"\n",
            self.public()
        );
        create(&public, 0o644, &text)?;
        Ok((secret, public))
    }
}

impl PublicKey {
    /// Reads `NAME.pub`.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let (line, text) = value(path, "public-key")?;
        text.parse()
            .map_err(|key: crate::curve::KeyError| KeyFileError {
                path: path.to_owned(),
                line: Some(line),
                problem: key.to_string(),
            })
    }
}

/// Where the files are when nothing else is said.
const KEY_FILE: &str = "LOGBUS_KEY_FILE";
const SERVER_KEY_FILE: &str = "LOGBUS_SERVER_KEY_FILE";

impl Security {
    /// A client's security from its key file and the server's public one; where one is not given,
    /// from the file that `LOGBUS_KEY_FILE` or `LOGBUS_SERVER_KEY_FILE` names. None at all: `None`.
    pub fn from_files(key: Option<&Path>, server: Option<&Path>) -> Result<Option<Self>, Error> {
        let said = |given: Option<&Path>, variable: &str| {
            let from_environment = || std::env::var_os(variable).filter(|path| !path.is_empty());
            let given = given.map(Path::to_owned);
            given.or_else(|| from_environment().map(PathBuf::from))
        };
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| Error {
            kind: ErrorKind::Unusable,
            endpoint: None,
            source: error,
        };
        match (said(key, KEY_FILE), said(server, SERVER_KEY_FILE)) {
            (None, None) => Ok(None),
            (Some(key), Some(server)) => Ok(Some(Self::Client {
                own: KeyPair::read(&key).map_err(|error| unusable(error.into()))?,
                server: PublicKey::read(&server).map_err(|error| unusable(error.into()))?,
            })),
            (Some(key), None) => Err(unusable(
                format!(
                    "the key {} needs the server's public key ({SERVER_KEY_FILE}) beside it",
                    key.display()
                )
                .into(),
            )),
            (None, Some(server)) => Err(unusable(
                format!(
                    "the server's key {} needs a key of one's own ({KEY_FILE}) beside it",
                    server.display()
                )
                .into(),
            )),
        }
    }
}

fn create(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = options.open(path).map_err(|io| named(path, io))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|io| named(path, io))
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The one value of this name in a file, with its line.
fn value(path: &Path, name: &str) -> Result<(usize, String), KeyFileError> {
    let error = |line, problem: String| KeyFileError {
        path: path.to_owned(),
        line,
        problem,
    };
    let text = fs::read_to_string(path).map_err(|io| error(None, io.to_string()))?;
    find(&text, name).map_err(|(line, problem)| error(line, problem))
}

/// The same in a file's text; where there is none, the line and the problem.
fn find(text: &str, name: &str) -> Result<(usize, String), (Option<usize>, String)> {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err((Some(at + 1), format!("write {name} = \"KEY\"")));
        };
        if key.trim() != name {
            continue;
        }
        let value = value.trim().strip_prefix('"');
        return match value.and_then(|value| value.strip_suffix('"')) {
            Some(value) => Ok((at + 1, value.to_owned())),
            None => Err((Some(at + 1), "the key stands in quotes".to_owned())),
        };
    }
    Err((None, format!("it has no line {name} = \"KEY\"")))
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate().unwrap();
        let (secret, public) = pair.write(dir.path(), "web1").unwrap();
        let mode = fs::metadata(&secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(KeyPair::read(&secret).unwrap(), pair);
        assert_eq!(PublicKey::read(&public).unwrap(), pair.public());
        let error = KeyPair::generate().unwrap().write(dir.path(), "web1");
        assert!(error.unwrap_err().to_string().contains("web1.pub"));
        assert_eq!(KeyPair::read(&secret).unwrap(), pair, "it was kept");
    }

    #[test]
    fn a_bad_file_is_named_with_its_line_and_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.key");
        let long = "x".repeat(60);
        for (text, mode, problem) in [
            (
                format!("# a\nsecret-key = \"{long}\"\n"),
                0o600,
                ":2: a key is 40",
            ),
            (
                format!("secret-key = {long}\n"),
                0o600,
                ":1: the key stands in quotes",
            ),
            (long.clone(), 0o600, ":1: write secret-key = \"KEY\""),
            ("# nothing\n".to_owned(), 0o600, "it has no line secret-key"),
            (long.clone(), 0o640, "mode is 0640, so others can read it"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyPair::read(&path).unwrap_err().to_string();
            assert!(
                error.contains(problem) && error.contains("x.key"),
                "{error}"
            );
            assert!(!error.contains(&long), "{error}");
        }
    }
}
