//! The fields of an HTTP task, besides the engine's own and its checks.

use super::graphql::GRAPHQL;
use super::proxy::PROXY;
use crate::protocol::check::CHECKS;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, TLS, VIA, CHECKS];

const TASK: &[Field] = &[
    Field::required("method", METHOD, "The method, in any case, or a placeholder.")
        .note("get, post, put, patch, delete, head or options.")
        .example("\"get\""),
    Field::required("request_url", Kind::Name, "The URL, absolute or relative to the host.")
        .alias("url")
        .example("\"/items/${id}\""),
    Field::optional("params", PAIRS, "The query.")
        .note("An object, a list of pairs, or text.")
        .example(r#"{"limit": 20}"#),
    HEADERS,
    Field::optional("cookies", Kind::MEMBERS, "Cookies to send.")
        .note("Each virtual user keeps the cookies of responses by itself.")
        .example(r#"{"theme": "dark"}"#),
    Field::optional("json", Kind::Any, "The body as JSON, if there is no data.")
        .example(r#"{"name": "${csv.users.name}"}"#),
    Field::optional(
        "graphql",
        GRAPHQL,
        "Whether errors in a GraphQL response fail; or an operation to send as the body.",
    )
    .note("An operation's errors fail, too: the first error is the reason.")
    .example(r#"{"query": "{ items { id } }"}"#),
    Field::optional("data", DATA, "The body: form fields, or text.")
        .example(r#"{"name": "ann", "age": "30"}"#),
    Field::optional(
        "files",
        Kind::Either(&[
            Kind::Map { keys: None, of: &Kind::Named("file", &FILE) },
            Kind::List(&Kind::Items { of: &Kind::Any, least: 2, most: Some(2) }),
        ]),
        "Files to upload, as multipart/form-data.",
    )
    .note(
        "By form field: a text, which is the content; `[name, content, type]`; or \
         `{\"path\": …}`, a file in the data directory.",
    )
    .example(r#"{"photo": {"path": "photo.png", "content_type": "image/png"}}"#),
    // Locust's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the request.").or(Literal::Float(60.0)),
    Field::optional("allow_redirects", Kind::Boolean, "Whether to follow redirects.")
        .otherwise("true, except for http_user's HEAD"),
    Field::optional("http2", Kind::Boolean, "Whether to use HTTP/2.")
        .otherwise("the test's setting"),
    Field::optional(
        "auth",
        Kind::Named("auth", &Kind::Object(&[AUTH])),
        "The credentials of the Authorization header.",
    )
    .example(r#"{"type": "bearer", "token": "${token}"}"#),
];

/// The headers of a request.
pub(crate) const HEADERS: Field = Field::optional(
    "headers",
    Kind::Map { keys: Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), of: &Kind::Any },
    "The headers.",
)
.example(r#"{"Authorization": "Bearer ${token}"}"#);

/// The options of TLS.
pub(crate) const TLS: &[Field] = &[
    Field::optional(
        "verify",
        Kind::Either(&[Kind::Boolean, Kind::Path]),
        "Whether to verify the server's certificate, or the PEM file to verify it with.",
    )
    .or(Literal::Bool(true)),
    Field::optional(
        "cert",
        CERTIFICATE,
        "The client certificate and key: a PEM file with both, or one for each.",
    )
    .alias("client_cert"),
];

/// The option of proxies.
pub(crate) const VIA: &[Field] = &[Field::optional(
    "proxy",
    PROXY,
    "The proxy's URL, false for none, or a URL for each scheme.",
)
.otherwise("the test's setting")];

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

/// Form fields, or text.
const DATA: Kind = Kind::Either(&[
    Kind::MEMBERS,
    Kind::List(&Kind::Items { of: &Kind::Any, least: 2, most: Some(2) }),
    Kind::Scalar,
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
    Field::optional("filename", Kind::Text, "The name sent to the target.")
        .otherwise("the file's own"),
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
