//! The control protocol, shared by client and server. This page describes it; the code works over
//! any byte stream, opens no socket and runs no document.
//!
//! # Connections
//!
//! A connection carries one request; the server replies and closes. With TLS (1.2 or 1.3, [`tls`])
//! everything below happens inside it. The request's first byte determines how both sides delimit
//! what they send ([`frame::Mode`]):
//!
//! | first byte | mode | request | each line or object of the reply |
//! |---|---|---|---|
//! | `0x00` | framed | four bytes of length, big-endian, then the body | a frame of its own |
//! | `0x16` | TLS hello | refused on a plain port, with an alert | – |
//! | any other | legacy | bare text, until it is a complete JSON document | a line |
//!
//! # Requests
//!
//! A request ([`request`]) is a document, the text `quit_server`, or an envelope: a JSON object
//! with the key `token` or `command`. If the server requires a [`token`], only an envelope with it
//! is served.
//!
//! | key of an envelope | value |
//! |---|---|
//! | `token` | the shared secret |
//! | `command` | the document to run; a client never sends it together with `op` |
//! | `op` | another operation, see below |
//! | `reply` | `"events"` asks for the event dialect, in frames only |
//! | `name`, `detach`, `queue` | with `command`, about its run ([`parameters`]); events only |
//! | `run`, `limit`, `state` | with `op`, which runs are meant; events only |
//! | `format` | with `"op": "report"`, the format of the report |
//!
//! Other keys are ignored. The reference supports only `token`, `command` and `"op": "quit"`.
//!
//! | operation ([`op::Op`]) | requested with | reply: events | reply: text |
//! |---|---|---|---|
//! | run | `command` | `accepted`, per action `started`, `progress`, `result`, then `done` | a line per action |
//! | ping | `"op": "ping"` | `pong` | nothing |
//! | status | `"op": "status"`, `run` | `status`, `done` | one line |
//! | stop | `"op": "stop"`, `run` | `status`, `done` | one line |
//! | runs | `"op": "runs"`, `limit`, `state` | `runs`, `done` | – |
//! | attach | `"op": "attach"`, `run` | the events of that run, from its beginning to its `done` | – |
//! | report | `"op": "report"`, `run`, `format` | `report`, as often as it has pieces, `done` | – |
//! | link | `"op": "link"`, `run` | `link`, `done` | – |
//! | quit | `"op": "quit"`, `quit_server` | `done` | `Server shutting down` |
//! | refused ([`refusal`]) | – | `error` | `Error: ` and the reason |
//!
//! # Replies
//!
//! The text dialect ([`text`]) is the reference's; the event dialect ([`events`]) has one JSON
//! object per frame, each with the key `event`: a variant of [`Event`](crate::event::Event). Both
//! sides ignore unknown events and keys. [`dialect`] has the writer and the reader for both.
//!
//! A run that was requested in the event dialect is held by its connection: when that is gone, the run
//! is stopped. With `"detach": true` the terminator follows `accepted`, and the run is on its own. While
//! it waits in the queue, `queued` follows `accepted` about once a second. When a client closes its
//! sending side, `alive` follows about once a second, so that a connection that is gone is noticed. With
//! `"verbose": 1` or 2 a test has `detail`: lines about its first connections, failures and requests.
//!
//! The terminator, `Return_Data_Over_JE`, ends every reply except three in the text dialect, which
//! end with the connection: the reply to a quit, and the refusals `token required` and
//! `unauthorised`.
//!
//! # Limits
//!
//! | what | bytes |
//! |---|---|
//! | body of a framed request | 1 to 1,048,576 ([`frame::MAX_REQUEST`]) |
//! | legacy request | 8192 ([`frame::MAX_LEGACY`]) |
//! | frame or line of a reply | 16 MiB ([`frame::MAX_REPLY`]) |

pub mod dialect;
pub mod events;
pub mod frame;
pub mod guarded;
pub mod op;
pub mod parameters;
pub mod refusal;
pub mod request;
pub mod text;
pub mod tls;
pub mod token;
