//! `seq+http`: the ingestion endpoints of a Seq server, for its clients.
//!
//! An application that sends to Seq joins the bus by changing one URL. What the paths, headers and
//! answers mean is in Datalust's documentation, "Posting Raw Events", and in its open forwarder
//! (`seqcli`). All events of a request are taken or none: an answer 201 says that they are on the
//! bus's way, and any other that nothing of the request is. Nothing is stored: where the bus is
//! behind, the answer is 503 and the client's to wait. This is the HTTP side; what a body means is
//! `ingest.rs`'s part.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use logbus_schemas::Record;
use logbus_schemas::codec::JSON;
use logbus_transport::Meter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Listener;
use super::door::Door;
use super::inlet::Room;
use super::tally::Trouble;

mod ingest;

use ingest::{Form, MAX_BODY};

pub(super) const LISTENER: Listener = Listener {
    scheme: "seq+http",
    summary: "clients of Seq over HTTP: seqlog, Serilog and others",
    dialect: "topic and dict",
    serve: |stream, door| Box::pin(serve(stream, door)),
};

/// So much of a body is read before there must be room for the whole.
const BEGINNING: usize = 64 << 10;
/// A body that is too large is read up to this many bytes before it is answered, because a client
/// that is still sending might not see the answer.
const MAX_DISCARDED: usize = 8 * MAX_BODY;
/// A connection on which no request begins is closed after so many times the patience.
const IDLE: u32 = 6;

/// An answer that is an error.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: String,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
        }
    }
}

type Answer = Response<Full<Bytes>>;

pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, door: Arc<Door>) {
    let is_used = AtomicBool::new(false);
    let meter = Arc::new(Mutex::new(Meter::new(Instant::now())));
    let service = service_fn(|request| {
        is_used.store(true, Ordering::Relaxed);
        let (door, meter) = (door.clone(), meter.clone());
        async move { Ok::<_, Infallible>(answer(request, &door, &meter).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.shared.config.patience * IDLE)
        .max_buf_size(BEGINNING)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = door.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // After a request a connection that ends, or is closed because it is idle, is nothing to tell.
    if let Err(error) = ended
        && !is_used.load(Ordering::Relaxed)
        && !error.is_incomplete_message()
    {
        door.count(Trouble::RefusedRequest, || {
            format!("a connection brought no request: {error}")
        });
    }
}

async fn answer(request: Request<Incoming>, door: &Door, meter: &Mutex<Meter>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri().path());
    let answered = match (request.method(), request.uri().path()) {
        (&Method::POST, "/api/events/raw" | "/ingest/clef") => take_in(request, door, meter).await,
        (&Method::GET, "/health") => Ok(fields(&[("status", "The node is in service.")])),
        (&Method::GET, "/api") => Ok(fields(&[
            ("Product", "logbus"),
            ("Version", env!("CARGO_PKG_VERSION")),
        ])),
        (_, "/api/events/raw" | "/ingest/clef") => return not_allowed("POST"),
        (_, "/health" | "/api") => return not_allowed("GET"),
        _ => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is nothing here but /ingest/clef and /api/events/raw",
        )),
    };
    match answered {
        Ok(answer) => answer,
        Err(refusal) => {
            door.count(Trouble::RefusedRequest, || {
                format!(
                    "{what} was answered {}: {}",
                    refusal.status.as_u16(),
                    refusal.error
                )
            });
            error(refusal.status, &refusal.error)
        }
    }
}

/// Takes the events of a request, all or none.
async fn take_in(
    request: Request<Incoming>,
    door: &Door,
    meter: &Mutex<Meter>,
) -> Result<Answer, Refusal> {
    check_key(&request, door)?;
    if request.headers().contains_key(CONTENT_ENCODING) {
        let error = "a body with a Content-Encoding is not read; send it without";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, error));
    }
    let form = form_of(&request);
    let (body, room) = read_in_time(request.into_body(), door).await?;
    let batch = ingest::read(&body, form)?;
    drop((body, room));
    if !batch.messages.is_empty() {
        let room = door.handoff.try_room(batch.messages.len(), batch.bytes);
        let messages = batch.messages.len();
        door.handoff.put(batch.messages, &room.ok_or_else(behind)?);
        door.pace(meter, messages, batch.bytes).await;
    }
    let body = r#"{"MinimumLevelAccepted":null}"#;
    Ok(json(StatusCode::CREATED, body.into()))
}

fn behind() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the bus is behind; try again",
    )
}

async fn read_in_time(body: Incoming, door: &Door) -> Result<(Bytes, Option<Room>), Refusal> {
    let expected = body.size_hint().exact().unwrap_or(u64::MAX);
    let expected = usize::try_from(expected).unwrap_or(MAX_BODY).min(MAX_BODY);
    let read = timeout(door.time_for(expected), read_body(body, expected, door)).await;
    let late = "the body did not come in time";
    read.unwrap_or_else(|_| Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, late)))
}

/// Reads the whole body, with room for so many bytes where it is long.
async fn read_body(
    mut body: Incoming,
    expected: usize,
    door: &Door,
) -> Result<(Bytes, Option<Room>), Refusal> {
    let (mut bytes, mut room, mut came) = (BytesMut::new(), None, 0);
    while let Some(frame) = body.frame().await {
        let broken = |error| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("the body broke off: {error}"),
            )
        };
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        came += data.len();
        if came > MAX_DISCARDED {
            break;
        }
        if came > MAX_BODY {
            bytes.clear();
            continue;
        }
        if came > BEGINNING && room.is_none() {
            room = Some(door.handoff.try_room(1, expected).ok_or_else(behind)?);
        }
        bytes.extend_from_slice(&data);
    }
    if came > MAX_BODY {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request is too large: send at most {MAX_BODY} bytes at a time"),
        ));
    }
    Ok((bytes.freeze(), room))
}

/// The body's form, as Seq tells it: by the path, by `clef` in the query, or by the content type.
fn form_of(request: &Request<Incoming>) -> Form {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let is_clef = request.uri().path() == "/ingest/clef"
        || content_type.is_some_and(|kind| kind.starts_with(b"application/vnd.serilog.clef"))
        || matches!(
            query(request, "clef"),
            Some(None | Some("true" | "True" | "clef"))
        );
    if is_clef { Form::Clef } else { Form::Classic }
}

/// A parameter of the query: whether it is there, and whether with a value.
fn query<'r>(request: &'r Request<Incoming>, name: &str) -> Option<Option<&'r str>> {
    let parameters = request.uri().query()?.split('&');
    let mut parts = parameters.map(|parameter| match parameter.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (parameter, None),
    });
    parts.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Whether the request shows the key, where one is set. The header counts before the query.
fn check_key(request: &Request<Incoming>, door: &Door) -> Result<(), Refusal> {
    let Some(key) = &door.shared.config.api_key else {
        return Ok(());
    };
    let header = request
        .headers()
        .get("X-Seq-ApiKey")
        .map(HeaderValue::as_bytes);
    let shown = header.or_else(|| query(request, "apiKey").flatten().map(str::as_bytes));
    match shown {
        None => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "an API key is needed: send it as X-Seq-ApiKey",
        )),
        Some(shown) if key.is(shown) => Ok(()),
        Some(_) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this API key is not the one that is set here",
        )),
    }
}

fn not_allowed(method: &'static str) -> Answer {
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "this is for other methods");
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(method));
    answer
}

fn error(status: StatusCode, text: &str) -> Answer {
    let mut answer = fields(&[("Error", text)]);
    *answer.status_mut() = status;
    answer
}

/// 200 and a JSON object.
fn fields(fields: &[(&str, &str)]) -> Answer {
    let mut record = Record::default();
    for (key, value) in fields {
        record.set(*key, *value);
    }
    let mut body = Vec::new();
    JSON.encode(&record, &mut body);
    json(StatusCode::OK, body.into())
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
