//! The fields of a socket task, besides the engine's own and its checks.

use crate::protocol::check::CHECKS;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, CHECKS];

const TASK: &[Field] = &[
    Field::optional(
        "protocol",
        Kind::Matching("^([Tt][Cc][Pp]|[Uu][Dd][Pp])$"),
        "tcp or udp; what the target's scheme says where it is left out, else tcp.",
    ),
    Field::optional(
        "target",
        Kind::Matching(":[0-9]+$|\\$\\{"),
        "host:port, tcp://host:port or udp://host:port, with an IPv6 address in brackets; the test's \
         host where it is left out, else 127.0.0.1:9000.",
    )
    .alias("host"),
    Field::optional("method", Kind::Any, "Ignored, as LoadDensity does."),
    Field::optional("payload", Kind::Any, "What is sent: text, or bytes as hex:00 ff.")
        .or(Literal::Text("")),
    Field::optional(
        "expect_bytes",
        Kind::Count,
        "How many bytes the response has; over UDP, one datagram that has them.",
    )
    .or(Literal::Int(0)),
    Field::optional(
        "expect_substring",
        Kind::Scalar,
        "What the response must hold; it ends there without expect_bytes and read_until.",
    ),
    Field::optional(
        "read_until",
        Kind::Name,
        "What the response ends with, over TCP: text, or bytes as hex:0d 0a.",
    ),
    Field::optional("keep", Kind::Boolean, "Whether the user's connection is used again.")
        .or(Literal::Bool(false)),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "How long the whole step may take.")
        .or(Literal::Float(5.0)),
];
