//! The differences between the HTTP clients behind the users of LoadDensity.

/// The client of a LoadDensity user whose behaviour is reproduced; ldctl has one client for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// `fast_http_user`: a list in a form is one field, written as Python prints it.
    Fast,
    /// `http_user`, over requests: a list in a form is one field per item, and a request without a
    /// name is reported under the path and query that are sent.
    Requests,
    /// `async_http_user`, over httpx: the same, but a request without a name is reported under its
    /// URL.
    Httpx,
}
