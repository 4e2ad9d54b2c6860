//! The fields of a socket task, besides the engine's own and its checks.

use crate::protocol::check::CHECKS;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, CHECKS];

const TASK: &[Field] = &[
    Field::optional(
        "protocol",
        Kind::Matching("^([Tt][Cc][Pp]|[Uu][Dd][Pp])$"),
        "The transport: tcp or udp.",
    )
    .otherwise("that of the target's scheme, else tcp"),
    Field::optional(
        "target",
        Kind::Matching(":[0-9]+$|\\$\\{"),
        "host:port, tcp://host:port or udp://host:port, with an IPv6 address in brackets.",
    )
    .otherwise("the test's host, else 127.0.0.1:9000")
    .example("\"tcp://localhost:6379\"")
    .alias("host"),
    Field::optional("method", Kind::Any, "Ignored, as in LoadDensity."),
    Field::optional("payload", Kind::Any, "The payload: text, or bytes as hex:00 ff.")
        .example("\"PING\\r\\n\"")
        .or(Literal::Text("")),
    Field::optional(
        "expect_bytes",
        Kind::Count,
        "The length of the response; over UDP, that of one datagram.",
    )
    .or(Literal::Int(0)),
    Field::optional(
        "expect_substring",
        Kind::Scalar,
        "A text that the response must contain; without expect_bytes and read_until it \
         ends the response.",
    ),
    Field::optional(
        "read_until",
        Kind::Name,
        "The end of the response, over TCP: text, or bytes as hex:0d 0a.",
    ),
    Field::optional("keep", Kind::Boolean, "Whether to reuse the user's connection.")
        .or(Literal::Bool(false)),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole step.").or(Literal::Float(5.0)),
];
