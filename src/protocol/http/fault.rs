//! Why a request got no response: the connection failed, or HTTP did.

use crate::protocol::fault::ConnectionFault;

/// What went wrong on the way to a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The URL, with its placeholders filled in, is none.
    #[error("invalid URL {url:?}: {why}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The method, with its placeholders filled in, is none.
    #[error("invalid method {0:?}")]
    Method(String),
    /// A header, with its placeholders filled in, would break the request.
    #[error("header {0}: its value has a line break or another control character")]
    Header(String),
    /// A plain request to a port where TLS is spoken.
    #[error("the target speaks TLS on this port; use https://")]
    SpeaksTls,
    /// The target ended the session, and says or shows that it has not processed the request.
    #[error("{0}")]
    Unsent(&'static str),
    /// The response is not HTTP.
    #[error("invalid HTTP response: {0}")]
    Malformed(&'static str),
    /// The response's head is longer than any should be.
    #[error("the response header is over the limit of {limit} bytes or {headers} headers")]
    LongHead {
        /// The most bytes.
        limit: usize,
        /// The most headers.
        headers: usize,
    },
    /// A proxy on the way failed, and not the target.
    #[error("proxy {0}")]
    Proxy(String),
    /// A redirect too many.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// HTTP/2 broke.
    #[error("HTTP/2 failed: {0}")]
    Http2(String),
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
}
