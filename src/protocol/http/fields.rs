//! The fields of an HTTP task, besides the engine's own and its checks.

use super::proxy::PROXY;
use crate::protocol::check::CHECKS;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, CHECKS];

const TASK: &[Field] = &[
    Field::required("method", METHOD, "The method, in any case, or a placeholder."),
    Field::required("request_url", Kind::Name, "The URL, absolute or relative to the host.")
        .alias("url"),
    Field::optional("params", PAIRS, "The query."),
    Field::optional(
        "headers",
        Kind::Map { keys: Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), of: &Kind::Any },
        "The headers.",
    ),
    Field::optional("cookies", Kind::MEMBERS, "Cookies to send."),
    Field::optional("json", Kind::Any, "The body as JSON, if there is no data."),
    Field::optional("data", Kind::Any, "The body: form fields, or text."),
    Field::optional(
        "files",
        Kind::Either(&[
            Kind::Map { keys: None, of: &Kind::Named("file", &FILE) },
            Kind::List(&Kind::Items { of: &Kind::Any, least: 2, most: Some(2) }),
        ]),
        "Files to upload, as multipart/form-data.",
    ),
    // Locust's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the request.").or(Literal::Float(60.0)),
    Field::optional(
        "allow_redirects",
        Kind::Boolean,
        "Whether to follow redirects; true by default, except for http_user's HEAD.",
    ),
    Field::optional(
        "verify",
        Kind::Either(&[Kind::Boolean, Kind::Path]),
        "Whether to verify the server's certificate, or the PEM file to verify it with.",
    )
    .or(Literal::Bool(true)),
    Field::optional("cert", CERTIFICATE, "The client certificate and key.").alias("client_cert"),
    Field::optional(
        "http2",
        Kind::Boolean,
        "Whether to use HTTP/2; the test's setting by default.",
    ),
    Field::optional(
        "proxy",
        PROXY,
        "The proxy's URL, false for none, or a URL for each scheme; the test's setting by default.",
    ),
    Field::optional(
        "auth",
        Kind::Named("auth", &Kind::Object(&[AUTH])),
        "The credentials of the Authorization header.",
    ),
];

/// In any case, or a placeholder.
const METHOD: Kind = Kind::Named(
    "method",
    &Kind::Matching(
        "^([Gg][Ee][Tt]|[Pp][Oo][Ss][Tt]|[Pp][Uu][Tt]|[Pp][Aa][Tt][Cc][Hh]|[Dd][Ee][Ll][Ee][Tt][Ee]|\
         [Hh][Ee][Aa][Dd]|[Oo][Pp][Tt][Ii][Oo][Nn][Ss])$|\\$\\{",
    ),
);

const PAIRS: Kind = Kind::Either(&[
    Kind::MEMBERS,
    Kind::List(&Kind::Items { of: &Kind::Any, least: 2, most: Some(2) }),
    Kind::Text,
]);

/// A file's content; its name, content, type and part headers; or its path.
const FILE: Kind = Kind::Either(&[
    Kind::Scalar,
    Kind::Items { of: &Kind::Any, least: 2, most: Some(4) },
    Kind::Object(&[UPLOAD]),
]);

/// A content from the data directory, inside a list.
pub(super) const CONTENT: &[Field] = &[Field::required("path", Kind::Path, "The file.")];

/// An upload from the data directory.
pub(super) const UPLOAD: &[Field] = &[
    Field::required("path", Kind::Path, "The file."),
    Field::optional(
        "filename",
        Kind::Text,
        "The name sent to the target; the file's own by default.",
    ),
    Field::optional("content_type", Kind::Text, "Its media type."),
];

/// A PEM file with both, or one for each.
const CERTIFICATE: Kind = Kind::Named(
    "certificate",
    &Kind::Either(&[Kind::Path, Kind::Items { of: &Kind::Path, least: 2, most: Some(2) }]),
);

/// The credentials of a user.
pub(super) const AUTH: &[Field] = &[
    Field::required(
        "type",
        Kind::OneOf(&["basic", "digest", "bearer"]),
        "The authentication scheme.",
    ),
    Field::optional("username", Kind::Scalar, "For basic and digest."),
    Field::optional("password", Kind::Scalar, "For basic and digest."),
    Field::optional("token", Kind::Scalar, "For bearer."),
];
