//! The fields of a Redis task, besides the engine's own and its checks, and the argument of a
//! test for all of them.

use super::address::DEFAULT;
use crate::protocol::check::CHECKS;
use crate::protocol::http::TLS;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, TLS, CHECKS];

const TASK: &[Field] = &[
    Field::required(
        "method",
        METHOD,
        "The command: get, set, incr, lpush, rpop, delete or exists.",
    )
    .example("\"get\""),
    Field::required("key", Kind::Scalar, "The key.").example("\"user:${id}\""),
    Field::optional("value", Kind::Any, "For set and lpush: text; an object or a list as JSON.")
        .or(Literal::Text("")),
    Field::optional("expect", Kind::Scalar, "The expected reply.")
        .note("A missing key is the empty text; set replies `True`, as in Python, or `OK`."),
    // As of the reference's other users.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole step.").or(Literal::Float(5.0)),
];

/// In any case.
const METHOD: Kind = Kind::Matching(
    "^([Gg][Ee][Tt]|[Ss][Ee][Tt]|[Ii][Nn][Cc][Rr]|[Ll][Pp][Uu][Ss][Hh]|[Rr][Pp][Oo][Pp]|\
     [Dd][Ee][Ll][Ee][Tt][Ee]|[Ee][Xx][Ii][Ss][Tt][Ss])$",
);

/// The members of `connection`: where the server is.
pub(super) const SERVER: &[Field] = &[Field::optional(
    "url",
    Kind::Name,
    "The server: redis://user:password@host:port/database, or rediss:// with TLS.",
)
.or(Literal::Text(DEFAULT))];
