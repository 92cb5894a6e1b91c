//! CURVE: keys, and what a socket does with them (rfc.zeromq.org/spec/25 and 26).
//!
//! A listening socket has a key pair of its own and a [`Gate`], which knows the public keys of those
//! who may come in; a dialling one has a key pair and the public key of whom it expects to meet.
//! Secret keys are bytes here and nowhere a text, except where a key file is written; nothing prints
//! them.
#![allow(unsafe_code, reason = "zmq_curve_public, which the zmq crate lacks")]

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ::zmq::{CurveKeyPair, Socket};

use crate::socket::{Error, ErrorKind, has_encryption};
use crate::zmq::{broken, set_raw};

/// The ZAP domain of every socket here.
pub(crate) const DOMAIN: &str = "logbus";

/// How many characters a key has as text (Z85, rfc.zeromq.org/spec/32).
pub const KEY_TEXT: usize = 40;

/// The public half of a key pair. Its text is Z85.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&z85(&self.0))
    }
}

/// Why a text is no key. It does not repeat the text, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key is {KEY_TEXT} characters of Z85")
    }
}

impl std::error::Error for KeyError {}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self)
    }
}

/// Both halves. Its debugging form shows the public one only.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: [u8; 32],
}

impl KeyPair {
    /// A new one.
    pub fn generate() -> Result<Self, Error> {
        if !has_encryption() {
            return Err(no_curve());
        }
        let pair = CurveKeyPair::new().map_err(broken)?;
        Ok(Self {
            public: PublicKey(pair.public_key),
            secret: pair.secret_key,
        })
    }

    /// The pair of which this text is the secret half.
    pub fn from_secret(text: &str) -> Result<Self, KeyError> {
        let secret = decode(text)?;
        Ok(Self {
            public: PublicKey(public_half(text)?),
            secret,
        })
    }

    /// The half that others may know.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The other half as text, for a file that nobody else can read.
    pub fn secret_text(&self) -> String {
        z85(&self.secret)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// Who may come in at a listening socket, and what each may have there. Asked by the thread that owns
/// the socket, so it never waits.
pub trait Gate: Send + Sync + fmt::Debug {
    /// Whether the owner of this key may come in; if not, why, for the log.
    fn admit(&self, key: &PublicKey) -> Result<(), String>;
    /// What of `prefix` the owner of this key may subscribe to: prefixes, each of them below it or
    /// itself. They are matched against a message as it is where it has one frame.
    fn grant(&self, key: &PublicKey, prefix: &[u8]) -> Vec<Vec<u8>>;
}

/// How a ZeroMQ socket is secured.
#[derive(Debug, Clone)]
pub enum Security {
    /// It listens.
    Server {
        /// Its own keys.
        own: KeyPair,
        /// Who may come in.
        gate: Arc<dyn Gate>,
    },
    /// It dials.
    Client {
        /// Its own keys.
        own: KeyPair,
        /// Whom it expects to meet.
        server: PublicKey,
    },
}

/// Tells the socket, before it listens or dials.
pub(crate) fn secure(socket: &mut Socket, security: &Security) -> Result<(), Error> {
    if !has_encryption() {
        return Err(no_curve());
    }
    let (Security::Server { own, .. } | Security::Client { own, .. }) = security;
    socket.set_curve_publickey(&own.public.0).map_err(broken)?;
    socket.set_curve_secretkey(&own.secret).map_err(broken)?;
    match security {
        Security::Client { server, .. } => socket.set_curve_serverkey(&server.0).map_err(broken),
        Security::Server { .. } => {
            socket.set_curve_server(true).map_err(broken)?;
            socket.set_zap_domain(DOMAIN).map_err(broken)?;
            // Without a handler nobody comes in, rather than everybody.
            const ZMQ_ZAP_ENFORCE_DOMAIN: u32 = 93;
            set_raw(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &1i32.to_ne_bytes())
        }
    }
}

#[cfg(test)]
pub(crate) fn secure_for_tests(socket: &Socket, options: &crate::Options) {
    if let Some(Security::Client { own, server }) = &options.security {
        socket.set_curve_publickey(&own.public.0).unwrap();
        socket.set_curve_secretkey(&own.secret).unwrap();
        socket.set_curve_serverkey(&server.0).unwrap();
    }
}

fn no_curve() -> Error {
    Error {
        kind: ErrorKind::Unsupported,
        endpoint: None,
        source: "this libzmq was built without CURVE; link one that has it".into(),
    }
}

fn z85(bytes: &[u8; 32]) -> String {
    // 32 bytes are a multiple of four, which is all that can be wrong with them.
    ::zmq::z85_encode(bytes).unwrap_or_default()
}

/// The value of each character of Z85; 85 where it is none.
const VALUES: [u8; 256] = {
    let alphabet =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut values = [85; 256];
    let mut at = 0;
    while at < alphabet.len() {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// The crate's own decoder leaks its text, and this is one for secrets.
fn decode(text: &str) -> Result<[u8; 32], KeyError> {
    if text.len() != KEY_TEXT {
        return Err(KeyError);
    }
    let mut key = [0; 32];
    for (five, four) in text.as_bytes().chunks(5).zip(key.chunks_mut(4)) {
        let mut value = 0u64;
        for character in five {
            match VALUES[usize::from(*character)] {
                85 => return Err(KeyError),
                digit => value = value * 85 + u64::from(digit),
            }
        }
        let value = u32::try_from(value).map_err(|_| KeyError)?;
        four.copy_from_slice(&value.to_be_bytes());
    }
    Ok(key)
}

unsafe extern "C" {
    /// Works out a public key (zmq_curve_public(3)); zmq-sys leaves it out.
    fn zmq_curve_public(public: *mut libc::c_char, secret: *const libc::c_char) -> libc::c_int;
}

fn public_half(secret: &str) -> Result<[u8; 32], KeyError> {
    let secret = std::ffi::CString::new(secret).map_err(|_| KeyError)?;
    let mut public = [0u8; KEY_TEXT + 1];
    // SAFETY: both are texts of 40 bytes and a zero, which is what it reads and writes.
    let result = unsafe { zmq_curve_public(public.as_mut_ptr().cast(), secret.as_ptr()) };
    if result != 0 {
        return Err(KeyError);
    }
    let public = std::str::from_utf8(&public[..KEY_TEXT]).map_err(|_| KeyError)?;
    decode(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written() {
        let pair = KeyPair::generate().unwrap();
        assert_eq!(pair.public().to_string().parse(), Ok(pair.public()));
        assert_eq!(KeyPair::from_secret(&pair.secret_text()), Ok(pair));
    }

    #[test]
    fn the_test_vector_of_z85_is_read() {
        // rfc.zeromq.org/spec/32: the 8 bytes 86 4F D2 6F B5 59 F7 5B are "HelloWorld".
        let text = "HelloWorld".repeat(4);
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B].repeat(4);
        assert_eq!(decode(&text).unwrap()[..], bytes);
    }

    #[test]
    fn what_is_no_key_is_not_repeated() {
        let long = "x".repeat(41);
        let high = "#".repeat(40);
        for text in ["", "short", &long, &high, &"é".repeat(20)] {
            let error = text.parse::<PublicKey>().unwrap_err().to_string();
            assert_eq!(error, "a key is 40 characters of Z85");
            assert!(KeyPair::from_secret(text).is_err());
        }
    }

    #[test]
    fn debugging_does_not_show_a_secret() {
        let pair = KeyPair::generate().unwrap();
        let shown = format!("{pair:?}");
        let bytes = format!("{:?}", pair.secret);
        assert!(!shown.contains(&pair.secret_text()) && !shown.contains(&bytes));
    }
}
