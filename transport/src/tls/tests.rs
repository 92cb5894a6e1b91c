//! NNG over TLS with real certificates: publishers by rustls, everything else by libnng.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;
use crate::{
    Attachment, Inlet, InletKind, Message, Options, Outlet, OutletKind, PollSet, open_inlet,
    open_outlet, wait,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Files for somebody who trusts `trusted`.
    fn files(&self, dir: &Path, name: &str, trusted: &Authority) -> Tls {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let write = |ending: &str, text: &str| {
            let path = dir.join(format!("{name}.{ending}"));
            let mut options = fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(&path);
            file.unwrap().write_all(text.as_bytes()).unwrap();
            path
        };
        Tls {
            certificate: write("crt", &certificate.pem()),
            key: write("key", &key.serialize_pem()),
            authority: write("ca", &trusted.0.pem()),
        }
    }
}

fn with(tls: &Tls) -> Options {
    Options {
        tls: Some(tls.clone()),
        ..Options::default()
    }
}

fn endpoint(place: &str) -> Endpoint {
    format!("nng+tls+tcp://{place}").parse().unwrap()
}

/// A port that was free a moment ago: libnng does not tell which one TLS got.
fn free() -> Endpoint {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    endpoint(&format!(
        "localhost:{}",
        listener.local_addr().unwrap().port()
    ))
}

/// Whether a message comes through within this time.
fn gets_through(outlet: &mut dyn Outlet, inlet: &mut dyn Inlet, longest: Duration) -> bool {
    let deadline = Instant::now() + longest;
    while Instant::now() < deadline {
        if !outlet.subscription_events().unwrap().is_empty() || longest == PATIENCE {
            drop(outlet.send(Message::single(vec![b'x'; 100_000])).unwrap());
        }
        if inlet
            .receive()
            .unwrap()
            .is_some_and(|m| m.len_bytes() == 100_000)
        {
            return true;
        }
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(5))));
    }
    false
}

#[test]
fn both_sides_show_certificates_and_others_do_not_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let (good, other) = (Authority::new(), Authority::new());
    let server = good.files(dir.path(), "server", &good);
    let client = good.files(dir.path(), "client", &good);
    // One that shows another authority's certificate, and one that trusts another authority.
    let stranger = other.files(dir.path(), "stranger", &good);
    let misled = good.files(dir.path(), "misled", &other);

    let place = free();
    let bound = [Attachment::Bind(place.clone())];
    let mut inlet = open_inlet(InletKind::Subscribe, &bound, &with(&server)).unwrap();
    inlet.subscribe(b"").unwrap();
    let connect = [Attachment::Connect(place)];
    for (files, longest) in [
        (&stranger, Duration::from_millis(500)),
        (&misled, Duration::from_millis(500)),
        (&client, PATIENCE),
    ] {
        let mut outlet = open_outlet(OutletKind::Publish, &connect, &with(files)).unwrap();
        let is_good = longest == PATIENCE;
        assert_eq!(
            gets_through(&mut *outlet, &mut *inlet, longest),
            is_good,
            "{files:?}"
        );
    }

    let place = free();
    let bound = [Attachment::Bind(place.clone())];
    let mut outlet = open_outlet(OutletKind::Publish, &bound, &with(&server)).unwrap();
    let connect = [Attachment::Connect(place)];
    for (files, is_good) in [(&stranger, false), (&misled, false), (&client, true)] {
        let mut inlet = open_inlet(InletKind::Subscribe, &connect, &with(files)).unwrap();
        inlet.subscribe(b"").unwrap();
        let longest = if is_good {
            PATIENCE
        } else {
            Duration::from_millis(500)
        };
        assert_eq!(
            gets_through(&mut *outlet, &mut *inlet, longest),
            is_good,
            "{files:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = authority.files(dir.path(), "x", &authority);
    let place = free();
    let problem = |tls: Option<Tls>| {
        let options = Options {
            tls,
            ..Options::default()
        };
        let place = [Attachment::Connect(place.clone())];
        let outlet = open_outlet(OutletKind::Publish, &place, &options);
        let inlet = open_inlet(InletKind::Subscribe, &place, &options);
        [
            outlet.err().unwrap().to_string(),
            inlet.err().unwrap().to_string(),
        ]
    };
    for said in problem(None) {
        assert!(said.contains("LOGBUS_TLS_CERT_FILE"), "{said}");
    }
    let missing = Tls {
        authority: dir.path().join("none"),
        ..good.clone()
    };
    for said in problem(Some(missing)) {
        assert!(said.contains("none"), "{said}");
    }
    fs::set_permissions(&good.key, fs::Permissions::from_mode(0o644)).unwrap();
    for said in problem(Some(good)) {
        assert!(said.contains("mode is 0644"), "{said}");
    }
}
