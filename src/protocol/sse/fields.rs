//! The fields of an event stream task, besides the engine's own and its checks.

use crate::protocol::check::CHECKS;
use crate::protocol::http::{HEADERS, TLS, VIA};
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, TLS, VIA, CHECKS];

const TASK: &[Field] = &[
    Field::optional("method", METHOD, "The step: open (or connect), wait or close.")
        .or(Literal::Text("wait"))
        .example("\"open\""),
    Field::optional("request_url", Kind::Name, "The URL of the stream, or a path on the host.")
        .alias("url")
        .otherwise("that of the user's stream, else the test's host")
        .example("\"/events\""),
    Field::optional("expect", Kind::Scalar, "For wait: a text in the data of the awaited event.")
        .note("Events before it are skipped. Without it the next event is the awaited one."),
    Field::optional(
        "reconnect",
        Kind::Boolean,
        "For wait: whether the step goes on with a new stream where one ends.",
    )
    .note(
        "After the delay that the target asked for, or 3 seconds, and with the Last-Event-ID. \
         Without it the step fails, and the next one opens the new stream.",
    )
    .or(Literal::Bool(false)),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole step.")
        .or(Literal::Float(30.0)),
    HEADERS,
];

/// In any case.
const METHOD: Kind = Kind::Matching(
    "^([Oo][Pp][Ee][Nn]|[Cc][Oo][Nn][Nn][Ee][Cc][Tt]|[Ww][Aa][Ii][Tt]|[Cc][Ll][Oo][Ss][Ee])$",
);
