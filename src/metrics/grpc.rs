//! One gRPC call at a time to a collector: HTTP/2, a message behind a five-byte prefix, and the
//! status in the trailers (gRPC's "PROTOCOL-HTTP2.md"). Nothing else of gRPC is needed here.

use std::io;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};

use crate::net::Stream;
use crate::net::grpc::{CONTENT_TYPE, Code, PREFIX, Status, is_grpc, prefixed};

/// The longest response that is read, in bytes: the response to an export holds a sentence at most.
const MAX_REPLY: usize = 64 * 1024;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The peer does not speak gRPC.
    #[error("the receiver does not speak gRPC ({0})")]
    NotGrpc(String),
    /// The receiver refused the call.
    #[error("the receiver refused the call: {0}")]
    Refused(String),
    /// The connection could not be made, or failed.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// Sends a message over a new connection and returns the response's message.
pub(super) async fn call(
    stream: Stream,
    mut request: Request<()>,
    message: &[u8],
) -> Result<Bytes, CallError> {
    let foreign = |error: h2::Error| CallError::NotGrpc(error.to_string());
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().insert("content-type", http::HeaderValue::from_static(CONTENT_TYPE));
    request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
    let (sender, connection) = h2::client::handshake(stream).await.map_err(foreign)?;
    let exchange = async {
        let mut sender = sender.ready().await.map_err(foreign)?;
        let (response, mut upload) = sender.send_request(request, false).map_err(foreign)?;
        upload.send_data(prefixed(message), true).map_err(foreign)?;
        reply(response.await.map_err(foreign)?).await
    };
    tokio::pin!(connection, exchange);
    // One task does both: the connection is driven while the response is awaited, then dropped.
    tokio::select! {
        biased;
        reply = &mut exchange => reply,
        ended = &mut connection => match ended {
            // The data received before the end may be the whole response.
            Ok(()) => exchange.await,
            Err(error) => Err(foreign(error)),
        },
    }
}

async fn reply(response: Response<h2::RecvStream>) -> Result<Bytes, CallError> {
    let broken = |error: h2::Error| CallError::Broken(io::Error::other(error));
    let (head, mut body) = response.into_parts();
    if !is_grpc(&head.headers) {
        return Err(CallError::NotGrpc(format!("it responded with {}", head.status)));
    }
    let mut message = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(broken)?;
        let _ = body.flow_control().release_capacity(piece.len());
        if message.len() + piece.len() > MAX_REPLY {
            return Err(CallError::Refused(format!("the response exceeds {MAX_REPLY} bytes")));
        }
        message.extend_from_slice(&piece);
    }
    // A response without a message has its trailers in its head.
    let trailers = body.trailers().await.map_err(broken)?;
    outcome(trailers.as_ref().unwrap_or(&head.headers))?;
    Ok(message.freeze().get(PREFIX..).map(Bytes::copy_from_slice).unwrap_or_default())
}

/// The outcome in the trailers; status 0 is success.
fn outcome(trailers: &HeaderMap) -> Result<(), CallError> {
    let refused = |why: String| Err(CallError::Refused(why));
    match Status::of(trailers) {
        Some(Status { code, .. }) if code == Code::OK => Ok(()),
        Some(Status { code, message }) => {
            refused(format!("gRPC status {} {message}", code.0).trim_end().to_owned())
        }
        None => refused("the response has no gRPC status".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A collector that keeps the messages it receives.
    pub(in crate::metrics) struct Collector {
        pub(in crate::metrics) url: String,
        /// Path and message of each call.
        pub(in crate::metrics) calls: Receiver<(String, Vec<u8>)>,
        _runtime: tokio::runtime::Runtime,
    }

    /// A collector on a free port that ends each call with `status`.
    pub(in crate::metrics) fn collector(status: &'static str) -> Collector {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (keep, calls) = channel();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut connection) = h2::server::handshake(socket).await else { continue };
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let keep = keep.clone();
                    tokio::spawn(async move {
                        let path = request.uri().path().to_owned();
                        let mut body = request.into_body();
                        let mut message = Vec::new();
                        while let Some(Ok(piece)) = body.data().await {
                            message.extend_from_slice(&piece);
                        }
                        let head = Response::builder().header("content-type", CONTENT_TYPE);
                        let head = head.body(()).expect("a head");
                        let mut reply = respond.send_response(head, false).expect("sent");
                        let mut trailers = HeaderMap::new();
                        trailers.insert("grpc-status", status.parse().expect("a status"));
                        trailers.insert("grpc-message", "why".parse().expect("a text"));
                        reply.send_trailers(trailers).expect("sent");
                        let _ = keep.send((path, message.split_off(PREFIX)));
                    });
                }
            }
        });
        Collector { url, calls, _runtime: runtime }
    }

    #[test]
    fn the_outcome_is_the_status_in_the_trailers() {
        let check = |pairs: &[(&'static str, &str)]| {
            let mut trailers = HeaderMap::new();
            for (name, value) in pairs {
                trailers.insert(*name, value.parse().expect("a value"));
            }
            outcome(&trailers).map_err(|error| error.to_string())
        };
        assert_eq!(check(&[("grpc-status", "0")]), Ok(()));
        assert_eq!(
            check(&[("grpc-status", "16"), ("grpc-message", "no token")]),
            Err("the receiver refused the call: gRPC status 16 no token".to_owned())
        );
        assert!(check(&[]).is_err());
    }
}
