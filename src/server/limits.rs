//! The limits of a server.

use std::time::Duration;

/// The limits of a server. The defaults suit a shared host.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Concurrent connections; further ones get a `busy` reply.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a whole request may take to arrive, counted from the connection or the handshake.
    pub request: Duration,
    /// How long a legacy client may pause within a request. Legacy text has no length, so a pause
    /// after an incomplete document ends it.
    pub idle_timeout: Duration,
    /// The same with TLS, where it is shorter: a legacy request fits in one record, and TLS
    /// delivers whole records, so only a client that writes in pieces pauses at all.
    pub idle_timeout_tls: Duration,
    /// Memory for incomplete requests, in bytes, over all connections.
    pub request_bytes: usize,
    /// Documents that are read or run at once; further ones wait for a moment, then get a `busy`
    /// reply.
    pub documents: usize,
    /// How long a document waits for its turn.
    pub document_wait: Duration,
    /// Bytes of a reply that are buffered for a slow client.
    pub reply_queue: usize,
    /// Bytes of one reply in the text dialect, which is collected until the document has ended.
    pub reply_bytes: usize,
    /// How long a run waits for a client that does not read before its reply is dropped.
    pub stall_timeout: Duration,
    /// Connections that follow runs they did not request.
    pub watchers: usize,
    /// How long one piece of a reply may take to be sent.
    pub write: Duration,
    /// How long a server that is shutting down waits for requests in progress.
    pub shutdown: Duration,
    /// Failed authentications from one source before replies are delayed.
    pub free_failed_logins: u32,
    /// Failed authentications from one source before it is refused, unless it is this machine.
    pub max_failed_logins: u32,
    /// How long such a source is refused, and how long a failed authentication is remembered.
    pub failed_login_memory: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Fits in 20,000 file descriptors, a usual limit.
            connections: 19_900,
            handshake: Duration::from_secs(5),
            request: Duration::from_secs(10),
            idle_timeout: Duration::from_millis(750),
            idle_timeout_tls: Duration::from_millis(150),
            request_bytes: 64 << 20,
            documents: 32,
            document_wait: Duration::from_secs(1),
            reply_queue: 1 << 20,
            reply_bytes: 64 << 20,
            stall_timeout: Duration::from_secs(1),
            watchers: 200,
            write: Duration::from_secs(10),
            shutdown: Duration::from_secs(10),
            free_failed_logins: 10,
            max_failed_logins: 100,
            failed_login_memory: Duration::from_secs(300),
        }
    }
}
