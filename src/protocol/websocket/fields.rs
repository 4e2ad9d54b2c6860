//! The fields of a WebSocket task, besides the engine's own and its checks.

use crate::protocol::check::CHECKS;
use crate::protocol::http::{HEADERS, TLS, VIA};
use crate::protocol::step::EXPECTED;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, EXPECTED, TLS, VIA, CHECKS];

const TASK: &[Field] = &[
    Field::optional("method", METHOD, "The step: connect, send, recv, sendrecv or close.")
        .note(
            "A step other than close connects first if its user has no connection to the URL. \
             sendrecv sends, and receives one message.",
        )
        .or(Literal::Text("send"))
        .example("\"sendrecv\""),
    Field::optional("request_url", Kind::Name, "The URL: ws:// or wss://, or a path on the host.")
        .alias("url")
        .otherwise("that of the user's connection, else the test's host")
        .example("\"ws://localhost:8080/chat\""),
    Field::optional(
        "payload",
        Kind::Any,
        "The message to send: text; an object, a list or a number is sent as JSON.",
    )
    .note("With binary also bytes as hex:00 ff.")
    .example(r#"{"op": "subscribe", "channel": "${channel}"}"#)
    .or(Literal::Text("")),
    Field::optional("binary", Kind::Boolean, "Whether the message is sent as bytes, not as text.")
        .or(Literal::Bool(false)),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole step.")
        .note("A step that times out closes the connection.")
        .or(Literal::Float(5.0)),
    HEADERS,
    Field::optional(
        "subprotocols",
        Kind::Either(&[Kind::Name, Kind::List(&Kind::Name)]),
        "The subprotocols to offer.",
    )
    .note("They are used, as headers, verify, cert and proxy, by the step that connects.")
    .example(r#"["graphql-transport-ws"]"#),
];

/// In any case.
const METHOD: Kind = Kind::Matching(
    "^([Cc][Oo][Nn][Nn][Ee][Cc][Tt]|[Ss][Ee][Nn][Dd]([Rr][Ee][Cc][Vv])?|[Rr][Ee][Cc][Vv]|\
     [Cc][Ll][Oo][Ss][Ee])$",
);
