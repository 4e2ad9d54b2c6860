//! The control connection, shared by client and server: bytes become frames or legacy text
//! ([`frame`]), those become a typed [`request::Request`], and events become the bytes of a reply
//! ([`reply`]). Nothing here opens a socket or runs a document; everything works over any byte
//! stream.

pub mod frame;
pub mod reply;
pub mod request;
pub mod tls;
pub mod token;
