//! Requests that run nothing: the ping, the quit, and the second look that finds out why a server
//! did not answer. A second look sends pings without a token, in the ways that the endpoint does not
//! name, and believes no certificate with anything.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout};

use super::{ClientError, Connection, Endpoint, Replies};
use crate::event::{Event, Pong, Status};
use crate::net::Stream;
use crate::wire::dialect::Reply;
use crate::wire::frame::Mode;
use crate::wire::op::Op;
use crate::wire::request::Request;
use crate::wire::text::SHUTTING_DOWN;
use crate::wire::tls::ClientTls;
use crate::wire::token::Token;

/// The longest that one way of a second look may take: a server on the same network answers a ping
/// in milliseconds, and there are at most three ways.
const LOOK: Duration = Duration::from_secs(2);

/// The answer to a ping.
#[derive(Debug, Clone, PartialEq)]
pub struct PingReply {
    /// What the server says about itself; `None` from one that answers in text, as the Python one.
    pub pong: Option<Pong>,
    /// From before the connection to the end of the answer.
    pub round_trip: Duration,
}

/// Pings without side effects, as [`ping`] does. When it fails, the error says why, if need be after
/// a second look at the port, as far as `limit` allows.
pub async fn probe(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<PingReply, ClientError> {
    let started = Instant::now();
    let error = match ping(endpoint, token, limit).await {
        Ok(reply) => return Ok(reply),
        Err(error) if error.is_puzzling() => error,
        Err(error) => return Err(error),
    };
    // Both together take no longer than was allowed: after a timeout there is no second look.
    let left = limit.saturating_sub(started.elapsed());
    Err(timeout(left, look(endpoint)).await.ok().flatten().unwrap_or(error))
}

/// Pings without side effects. After the connection is there, the whole answer may take `limit`.
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

/// Ends the server. After the connection is there, the whole answer may take `limit`.
pub async fn quit(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<(), ClientError> {
    let connection = endpoint.connect().await?;
    within(limit, endpoint, goodbye(connection, token, limit)).await
}

/// What a server says of its test.
#[derive(Debug, Clone, PartialEq)]
pub enum StatusReply {
    /// From a server that speaks events.
    Status(Status),
    /// A line for people, in the text dialect.
    Line(String),
}

/// Asks which test runs. After the connection is there, the whole answer may take `limit`.
pub async fn status(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<StatusReply, ClientError> {
    let connection = endpoint.connect().await?;
    within(limit, endpoint, status_reply(connection, Op::Status, token, limit)).await
}

/// Stops the test that runs. After the connection is there, the whole answer may take `limit`.
pub async fn stop(
    endpoint: &Endpoint,
    token: Option<&Token>,
    limit: Duration,
) -> Result<StatusReply, ClientError> {
    let connection = endpoint.connect().await?;
    within(limit, endpoint, status_reply(connection, Op::Stop, token, limit)).await
}

/// The error, or what a second look at the port says about its cause. Nothing runs by it.
pub async fn diagnose(endpoint: &Endpoint, error: ClientError) -> ClientError {
    if error.is_puzzling() { look(endpoint).await.unwrap_or(error) } else { error }
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
    // A terminator alone says that the request ran nothing.
    if done { Ok(()) } else { Err(ClientError::NotThisProtocol { address: replies.address }) }
}

async fn status_reply<S>(
    connection: Connection<S>,
    op: Op,
    token: Option<&Token>,
    limit: Duration,
) -> Result<StatusReply, ClientError>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut replies = connection.ask(Request::new(op), token, limit).await?;
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
    // A server that does not know the op answers with the terminator alone.
    received.ok_or(ClientError::UnknownRequest { address: replies.address })
}

fn unexpected<S: AsyncRead + Unpin>(replies: &Replies<S>, reply: &Reply) -> ClientError {
    replies
        .refusal(reply)
        .unwrap_or_else(|| ClientError::NotThisProtocol { address: replies.address.clone() })
}

/// A server that never ends its answer must not hold the caller, however lively it is.
async fn within<T>(
    limit: Duration,
    endpoint: &Endpoint,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let late = |_| Err(ClientError::Timeout { address: endpoint.address(), after: limit });
    timeout(limit, answer).await.unwrap_or_else(late)
}

/// What the port is, where it is not what the endpoint says.
async fn look(endpoint: &Endpoint) -> Option<ClientError> {
    let address = endpoint.address();
    let way = |mode, tls| Endpoint { mode, tls, connect_timeout: LOOK, ..endpoint.clone() };
    let (other_mode, wrong_mode) = match endpoint.mode {
        Mode::Framed => (Mode::Legacy, ClientError::LegacyOnly { address: address.clone() }),
        Mode::Legacy => (Mode::Framed, ClientError::FramedOnly { address: address.clone() }),
    };
    if endpoint.tls.is_some() {
        for mode in [endpoint.mode, other_mode] {
            if speaks(&way(mode, None)).await {
                return Some(ClientError::NotTls { address });
            }
        }
        if let Some(refusal) = silent_refusal(&way(endpoint.mode, endpoint.tls.clone())).await {
            return Some(refusal);
        }
    } else if speaks_tls(&way(endpoint.mode, None)).await {
        return Some(ClientError::SpeaksTls { address });
    }
    speaks(&way(other_mode, endpoint.tls.clone())).await.then_some(wrong_mode)
}

/// Whether a ping is answered as this protocol answers it, if only by a refusal.
async fn speaks(endpoint: &Endpoint) -> bool {
    matches!(
        ping(endpoint, None, LOOK).await,
        Ok(_)
            | Err(ClientError::TokenRequired { .. }
                | ClientError::Unauthorised { .. }
                | ClientError::Busy { .. })
    )
}

/// Whether a TLS handshake gets as far as only a TLS server lets it. Nothing is sent after it.
async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let any = ClientTls { insecure: true, ..ClientTls::default() };
    match (Endpoint { tls: Some(any), ..endpoint.clone() }).connect().await {
        Ok(_) => true,
        Err(error) => error.is_alert(),
    }
}

/// What a TLS server says about the client's certificate when nothing is asked of it. With a request
/// under way its alert can be lost, for it closes without having read the request.
async fn silent_refusal(endpoint: &Endpoint) -> Option<ClientError> {
    let mut connection = match endpoint.connect().await {
        Ok(connection) => connection,
        Err(error) => return error.is_alert().then_some(error),
    };
    let read = async |stream: &mut Stream| stream.read_u8().await;
    match timeout(LOOK, read(&mut connection.stream)).await {
        Ok(Err(error)) => {
            let error = ClientError::broken(&connection.address, error);
            error.is_alert().then_some(error)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
