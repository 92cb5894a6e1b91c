//! TLS in libnng, whose C interface for it the nng crate lacks (nng_tls_config_alloc(3tls)).
#![allow(unsafe_code, reason = "nng_tls_* are C interfaces")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use crate::endpoint::Endpoint;
use crate::socket::{Error, ErrorKind};
use crate::tls::Tls;

const OPTION: &CStr = c"tls-config";
/// The peer's certificate must be there and good.
const REQUIRED: c_int = 2;

/// Which side we are, as `nng_tls_mode` has it.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Client = 0,
    Server = 1,
}

unsafe extern "C" {
    fn nng_tls_config_alloc(config: *mut *mut c_void, mode: c_int) -> c_int;
    fn nng_tls_config_free(config: *mut c_void);
    fn nng_tls_config_auth_mode(config: *mut c_void, mode: c_int) -> c_int;
    fn nng_tls_config_server_name(config: *mut c_void, name: *const c_char) -> c_int;
    fn nng_tls_config_ca_chain(
        config: *mut c_void,
        certificates: *const c_char,
        revoked: *const c_char,
    ) -> c_int;
    fn nng_tls_config_own_cert(
        config: *mut c_void,
        certificate: *const c_char,
        key: *const c_char,
        password: *const c_char,
    ) -> c_int;
}

/// A configuration of libnng's.
struct Config(*mut c_void);

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: it is ours; libnng keeps a count of its own.
        unsafe { nng_tls_config_free(self.0) }
    }
}

/// Secures a listener that does not listen yet.
pub(crate) fn listen(
    listener: nng_sys::nng_listener,
    tls: &Tls,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let config = config(Mode::Server, tls, endpoint)?;
    // SAFETY: a listener that is there, and a configuration that libnng takes a count of.
    let result = unsafe { nng_sys::nng_listener_set_ptr(listener, OPTION.as_ptr(), config.0) };
    check(result, "the listener takes no TLS", endpoint)
}

/// Secures a dialer that does not dial yet.
pub(crate) fn dial(
    dialer: nng_sys::nng_dialer,
    tls: &Tls,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let config = config(Mode::Client, tls, endpoint)?;
    let (host, _) = endpoint.host_and_port().unwrap_or_default();
    let host = CString::new(host).unwrap_or_default();
    // SAFETY: a text, a dialer that is there, and a configuration that libnng takes a count of.
    unsafe {
        check(
            nng_tls_config_server_name(config.0, host.as_ptr()),
            "the host is no name for TLS",
            endpoint,
        )?;
        let result = nng_sys::nng_dialer_set_ptr(dialer, OPTION.as_ptr(), config.0);
        check(result, "the dialer takes no TLS", endpoint)
    }
}

fn config(mode: Mode, tls: &Tls, endpoint: &Endpoint) -> Result<Config, Error> {
    let [certificate, key, authority] = tls.texts(endpoint)?;
    let mut raw = std::ptr::null_mut();
    // SAFETY: it fills `raw` where it succeeds.
    let result = unsafe { nng_tls_config_alloc(&mut raw, mode as c_int) };
    check(result, "this libnng was built without TLS", endpoint)?;
    let config = Config(raw);
    // SAFETY: a configuration, and texts that live until the calls are over.
    unsafe {
        check(
            nng_tls_config_auth_mode(config.0, REQUIRED),
            "certificates cannot be required",
            endpoint,
        )?;
        check(
            nng_tls_config_ca_chain(config.0, authority.as_ptr(), std::ptr::null()),
            "the authorities' certificates cannot be used",
            endpoint,
        )?;
        check(
            nng_tls_config_own_cert(
                config.0,
                certificate.as_ptr(),
                key.as_ptr(),
                std::ptr::null(),
            ),
            "the certificate or its key cannot be used",
            endpoint,
        )?;
    }
    Ok(config)
}

fn check(result: c_int, problem: &str, endpoint: &Endpoint) -> Result<(), Error> {
    if result == 0 {
        return Ok(());
    }
    // SAFETY: every code has a text that is never freed.
    let said = unsafe { CStr::from_ptr(nng_sys::nng_strerror(result)) };
    Err(Error {
        kind: ErrorKind::Unusable,
        endpoint: Some(endpoint.clone()),
        source: format!("{problem}: {}", said.to_string_lossy()).into(),
    })
}
