//! The habits of the clients behind the HTTP users of LoadDensity.

/// What the users of LoadDensity differ in where ldctl has one client for them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// `fast_http_user`: a list in a form is one field, written as Python prints it.
    Fast,
    /// `http_user`, over requests: a list in a form is a field per item, and a request without a name
    /// is known by the path and query that are sent.
    Requests,
    /// `async_http_user`, over httpx: the same, but a request without a name is known by its URL.
    Httpx,
}
