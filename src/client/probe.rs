//! Requests without a document: ping, status, stop and quit, and the diagnosis of why a server did
//! not reply. A diagnosis sends pings without a token, in the modes that the endpoint does not use,
//! and never sends secrets, so it need not trust a certificate.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout};

use super::{ClientError, Connection, Endpoint, Replies};
use crate::event::{Event, Pong, State, Status};
use crate::net::Stream;
use crate::wire::dialect::Reply;
use crate::wire::frame::Mode;
use crate::wire::op::Op;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::text::SHUTTING_DOWN;
use crate::wire::tls::ClientTls;
use crate::wire::token::Token;

/// The timeout of a diagnosis, unless that of connections is shorter: a server on the same network replies
/// to a ping in milliseconds.
const DIAGNOSIS_TIMEOUT: Duration = Duration::from_secs(2);

/// The reply to a ping.
#[derive(Debug, Clone, PartialEq)]
pub struct PingReply {
    /// The server's description of itself; `None` from one with text replies, such as the Python
    /// one.
    pub pong: Option<Pong>,
    /// From the start of the connection to the end of the reply.
    pub round_trip: Duration,
}

/// Pings without side effects, like [`ping`]. The error says why it failed, if necessary after a
/// diagnosis of the port, as far as `limit` allows.
pub async fn probe(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<PingReply, ClientError> {
    let started = Instant::now();
    let error = match ping(endpoint, token, limit).await {
        Ok(reply) => return Ok(reply),
        Err(error) if error.needs_diagnosis() => error,
        Err(error) => return Err(error),
    };
    // Both together take no longer than `limit`: there is no diagnosis after a timeout.
    let left = limit.saturating_sub(started.elapsed());
    Err(timeout(left, look(endpoint)).await.ok().flatten().unwrap_or(error))
}

/// Pings without side effects. Once connected, the whole reply may take `limit`.
pub async fn ping(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<PingReply, ClientError> {
    let started = Instant::now();
    let connection = endpoint.connect().await?;
    let pong = within(limit, endpoint, pong(connection, token, limit)).await?;
    Ok(PingReply { pong, round_trip: started.elapsed() })
}

/// Pings while another request waits for its reply: a server without events replies to a document only
/// when that has ended, and to a ping at once. Fails if it is no control server; `waited` is how long
/// the request has waited until now.
pub async fn confirm(
    endpoint: &Endpoint,
    token: Option<&Token>,
    waited: Duration,
    limit: Duration,
) -> Result<(), ClientError> {
    match ping(endpoint, token, limit).await {
        Err(
            ClientError::Timeout { .. }
            | ClientError::NoReply { .. }
            | ClientError::NotThisProtocol { .. }
            | ClientError::ReplyLength { .. }
            | ClientError::Truncated { .. }
            | ClientError::Broken { .. },
        ) => Err(ClientError::Unconfirmed { address: endpoint.address(), after: waited + limit }),
        // Refusals come from control servers, and one that shuts down accepts no connections.
        _ => Ok(()),
    }
}

/// Shuts the server down. Once connected, the whole reply may take `limit`.
pub async fn quit(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<(), ClientError> {
    let connection = endpoint.connect().await?;
    within(limit, endpoint, goodbye(connection, token, limit)).await
}

/// A server's report of its test.
#[derive(Debug, Clone, PartialEq)]
pub enum StatusReply {
    /// From a server with event replies.
    Status(Status),
    /// A line for people, in the text dialect.
    Line(String),
}

/// Requests the status of a run, or of the one whose test runs. Once connected, the whole reply may
/// take `limit`.
pub async fn status(
    endpoint: &Endpoint,
    token: Option<&Token>,
    run: Option<u64>,
    limit: Duration,
) -> Result<StatusReply, ClientError> {
    let connection = endpoint.connect().await?;
    let reply = within(limit, endpoint, status_reply(connection, Op::Status, run, token, limit));
    let reply = reply.await?;
    // A server without runs ignores the number.
    let told = match &reply {
        StatusReply::Status(status) => status.run.as_ref().map(|info| info.run),
        StatusReply::Line(_) => None,
    };
    match run {
        Some(run) if told != Some(run) => {
            Err(ClientError::WithoutRuns { address: endpoint.address() })
        }
        _ => Ok(reply),
    }
}

/// Stops a run, or the one whose test runs. Once connected, the whole reply may take `limit`.
pub async fn stop(
    endpoint: &Endpoint,
    token: Option<&Token>,
    run: Option<u64>,
    limit: Duration,
) -> Result<StatusReply, ClientError> {
    if run.is_some() {
        // A server without runs would stop whatever runs.
        status(endpoint, token, run, limit).await?;
    }
    let connection = endpoint.connect().await?;
    within(limit, endpoint, status_reply(connection, Op::Stop, run, token, limit)).await
}

/// Lists the newest runs, at most `most`, in this state if one is given. Once connected, the whole
/// reply may take `limit`.
pub async fn runs(
    endpoint: &Endpoint,
    token: Option<&Token>,
    most: usize,
    state: Option<State>,
    limit: Duration,
) -> Result<Vec<Status>, ClientError> {
    let connection = endpoint.connect().await?;
    let parameters = Parameters { limit: Some(most), state, ..Parameters::default() };
    let request = Request::new(Op::Runs).with(parameters);
    within(limit, endpoint, runs_reply(connection, request, token, limit)).await
}

/// Asks for a link to a run in a browser, or to all of them. Once connected, the whole reply may take
/// `limit`.
pub async fn link(
    endpoint: &Endpoint,
    token: Option<&Token>,
    run: Option<u64>,
    limit: Duration,
) -> Result<String, ClientError> {
    let connection = endpoint.connect().await?;
    let request = Request::new(Op::Link).with(Parameters { run, ..Parameters::default() });
    within(limit, endpoint, link_reply(connection, request, token, limit)).await
}

async fn link_reply<S>(
    connection: Connection<S>,
    request: Request<&RawValue>,
    token: Option<&Token>,
    limit: Duration,
) -> Result<String, ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut replies = connection.ask(request, token, limit).await?;
    let mut received = None;
    while let Some(reply) = replies.next().await? {
        match reply {
            Reply::Event(Event::Link { url, .. }) => received = Some(url),
            Reply::Event(Event::Done { .. }) => {}
            other => return Err(unexpected(&replies, &other)),
        }
    }
    // A server that does not support the op replies with the terminator alone.
    let what = Op::Link.name();
    received.ok_or(ClientError::UnknownRequest { address: replies.address, what })
}

async fn runs_reply<S>(
    connection: Connection<S>,
    request: Request<&RawValue>,
    token: Option<&Token>,
    limit: Duration,
) -> Result<Vec<Status>, ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut replies = connection.ask(request, token, limit).await?;
    let mut received = None;
    while let Some(reply) = replies.next().await? {
        match reply {
            Reply::Event(Event::Runs { runs }) => received = Some(runs),
            Reply::Event(Event::Done { .. }) => {}
            other => return Err(unexpected(&replies, &other)),
        }
    }
    // A server that does not support the op replies with the terminator alone.
    let what = Op::Runs.name();
    received.ok_or(ClientError::UnknownRequest { address: replies.address, what })
}

/// Returns the error, or the cause that a diagnosis of the port reveals. Runs no document.
pub async fn diagnose(endpoint: &Endpoint, error: ClientError) -> ClientError {
    if error.needs_diagnosis() { look(endpoint).await.unwrap_or(error) } else { error }
}

async fn pong<S>(
    connection: Connection<S>,
    token: Option<&Token>,
    limit: Duration,
) -> Result<Option<Pong>, ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut replies = connection.ask(Request::new(Op::Ping), token, limit).await?;
    let mut pong = None;
    while let Some(reply) = replies.next().await? {
        match reply {
            Reply::Event(Event::Pong(answer)) => pong = Some(answer),
            other => return Err(unexpected(&replies, &other)),
        }
    }
    Ok(pong)
}

async fn goodbye<S>(
    connection: Connection<S>,
    token: Option<&Token>,
    limit: Duration,
) -> Result<(), ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut replies = connection.ask(Request::new(Op::Quit), token, limit).await?;
    let mut done = false;
    while let Some(reply) = replies.next().await? {
        match &reply {
            Reply::Event(Event::Done { .. }) => done = true,
            Reply::Line(line) if line == SHUTTING_DOWN => done = true,
            other => return Err(unexpected(&replies, other)),
        }
    }
    // A terminator alone means that the request ran nothing.
    if done { Ok(()) } else { Err(ClientError::NotThisProtocol { address: replies.address }) }
}

async fn status_reply<S>(
    connection: Connection<S>,
    op: Op,
    run: Option<u64>,
    token: Option<&Token>,
    limit: Duration,
) -> Result<StatusReply, ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let request = Request::new(op).with(Parameters { run, ..Parameters::default() });
    let mut replies = connection.ask(request, token, limit).await?;
    let mut received = None;
    while let Some(reply) = replies.next().await? {
        if let Some(refusal) = replies.refusal(&reply) {
            return Err(refusal);
        }
        match reply {
            Reply::Event(Event::Status(status)) => received = Some(StatusReply::Status(status)),
            Reply::Event(Event::Done { .. }) => {}
            Reply::Line(line) if received.is_none() => received = Some(StatusReply::Line(line)),
            other => return Err(unexpected(&replies, &other)),
        }
    }
    // A server that does not support the op replies with the terminator alone.
    received.ok_or(ClientError::UnknownRequest { address: replies.address, what: op.name() })
}

fn unexpected<S: AsyncRead + Unpin>(replies: &Replies<S>, reply: &Reply) -> ClientError {
    replies
        .refusal(reply)
        .unwrap_or_else(|| ClientError::NotThisProtocol { address: replies.address.clone() })
}

/// A server that never ends its reply must not block the caller, however active it is.
async fn within<T>(
    limit: Duration,
    endpoint: &Endpoint,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let late = |_| Err(ClientError::Timeout { address: endpoint.address(), after: limit });
    timeout(limit, answer).await.unwrap_or_else(late)
}

/// Returns how the port differs from the endpoint, if it does. All attempts are made at once: a port that
/// is silent takes the time of one.
async fn look(endpoint: &Endpoint) -> Option<ClientError> {
    let address = endpoint.address();
    let connect_timeout = endpoint.connect_timeout.min(DIAGNOSIS_TIMEOUT);
    let way = |mode, tls| Endpoint { mode, tls, connect_timeout, ..endpoint.clone() };
    let (other_mode, wrong_mode) = match endpoint.mode {
        Mode::Framed => (Mode::Legacy, ClientError::LegacyOnly { address: address.clone() }),
        Mode::Legacy => (Mode::Framed, ClientError::FramedOnly { address: address.clone() }),
    };
    let same = way(endpoint.mode, endpoint.tls.clone());
    let (plain, other_plain) = (way(endpoint.mode, None), way(other_mode, None));
    let other = way(other_mode, endpoint.tls.clone());
    if endpoint.tls.is_some() {
        let (is_plain, is_other_plain, refusal, is_other) = tokio::join!(
            speaks(&plain),
            speaks(&other_plain),
            silent_refusal(&same),
            speaks(&other)
        );
        if is_plain || is_other_plain {
            return Some(ClientError::NotTls { address });
        }
        return refusal.or(is_other.then_some(wrong_mode));
    }
    let (is_tls, is_other) = tokio::join!(speaks_tls(&plain), speaks(&other));
    if is_tls {
        return Some(ClientError::SpeaksTls { address });
    }
    is_other.then_some(wrong_mode)
}

/// Whether a ping gets a reply of this protocol, possibly a refusal.
async fn speaks(endpoint: &Endpoint) -> bool {
    matches!(
        ping(endpoint, None, endpoint.connect_timeout).await,
        Ok(_)
            | Err(ClientError::TokenRequired { .. }
                | ClientError::Unauthorised { .. }
                | ClientError::Busy { .. })
    )
}

/// Whether a TLS handshake gets as far as only a TLS server lets it. Sends nothing after it.
async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let any = ClientTls { insecure: true, ..ClientTls::default() };
    match (Endpoint { tls: Some(any), ..endpoint.clone() }).connect().await {
        Ok(_) => true,
        Err(error) => error.is_alert(),
    }
}

/// Returns the server's TLS alert about the client's certificate when no request is sent. With a
/// request in progress the alert can be lost, because the server closes without reading the
/// request.
async fn silent_refusal(endpoint: &Endpoint) -> Option<ClientError> {
    let mut connection = match endpoint.connect().await {
        Ok(connection) => connection,
        Err(error) => return error.is_alert().then_some(error),
    };
    let read = async |stream: &mut Stream| stream.read_u8().await;
    match timeout(endpoint.connect_timeout, read(&mut connection.stream)).await {
        Ok(Err(error)) => {
            let error = ClientError::broken(&connection.address, error);
            error.is_alert().then_some(error)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
