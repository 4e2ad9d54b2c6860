//! The fields of a gRPC task, besides the engine's own and its checks. Those of the call may also stand in
//! `connection`, for all tasks of a test.

use crate::protocol::check::CHECKS;
use crate::protocol::http::{TLS, VIA};
use crate::value::field::Relation;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, CALL, TYPES, TLS, VIA, CHECKS];

const TASK: &[Field] = &[
    Field::optional("target", Kind::Name, "The target, host:port.")
        .alias("host")
        .otherwise("the test's host, else localhost:50051")
        .example("\"localhost:50051\""),
    Field::required("method", Kind::Name, "The method, with or without its service.")
        .example("\"pkg.Greeter/SayHello\""),
    Field::optional("service", Kind::Name, "The service, if the method does not name it.")
        .example("\"pkg.Greeter\""),
    Field::optional("payload", Kind::Any, "The message, in the JSON of Protocol Buffers.")
        .note("A list for a method that takes a stream. Bytes are base64, 64-bit numbers may be text.")
        .or(Literal::Object)
        .example(r#"{"name": "${csv.users.name}"}"#),
    Field::optional("rpc", RPC, "What the method is: unary, server_stream, client_stream or bidi.")
        .note("Only checked: the method's own type says it."),
];

/// How a call is made.
pub(super) const CALL: &[Field] = &[
    Field::optional("metadata", METADATA, "Metadata: an object, or a list of pairs.")
        .note(
            "Of a key that ends in -bin the value is base64. This, the three fields after it, verify and \
             cert may also stand in the test's connection, for tasks without them.",
        )
        .example(r#"{"authorization": "Bearer ${token}"}"#),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole call, also for the target.")
        .or(Literal::Float(10.0)),
    Field::optional("tls", Kind::Boolean, "Whether to use TLS.")
        .otherwise("whether the target begins with https://, or there is verify or cert"),
    Field::optional("authority", Kind::Name, "The name that the target is called by.")
        .otherwise("the target"),
];

/// Where the types of messages come from.
const TYPES: &[Field] = &[
    Field::optional("descriptor_set", Kind::Path, "A file with the types (FileDescriptorSet).")
        .note(
            "Made by `protoc --include_imports --descriptor_set_out`. Without it and `proto` the \
             target is asked (server reflection).",
        )
        .relation(Relation::Excludes("proto")),
    Field::optional(
        "proto",
        Kind::Either(&[Kind::Path, Kind::Items { of: &Kind::Path, least: 1, most: None }]),
        "The .proto files with the types.",
    ),
    Field::optional("include", Kind::Path, "The folder that imports of .proto files begin at.")
        .relation(Relation::Needs("proto"))
        .otherwise("the folder of the first file"),
    Field::optional("stub_path", Kind::Text, "The service's class in Python, for old documents.")
        .note(
            "Of `pkg.greeter_pb2_grpc.GreeterStub` only the service, Greeter; nothing is imported.",
        ),
    Field::optional(
        "request_path",
        Kind::Text,
        "The request's class in Python, for old documents.",
    )
    .note("Its name is compared with the method's request."),
];

const METADATA: Kind = Kind::Either(&[
    Kind::Map { keys: Some("^[0-9A-Za-z_.-]+$"), of: &Kind::Scalar },
    Kind::List(&Kind::Items { of: &Kind::Scalar, least: 2, most: Some(2) }),
]);

/// In any case.
const RPC: Kind = Kind::Matching(
    "^([Uu][Nn][Aa][Rr][Yy]|[Ss][Ee][Rr][Vv][Ee][Rr]_[Ss][Tt][Rr][Ee][Aa][Mm]|\
     [Cc][Ll][Ii][Ee][Nn][Tt]_[Ss][Tt][Rr][Ee][Aa][Mm]|[Bb][Ii][Dd][Ii]|\
     [Bb][Ii][Dd][Ii][Rr][Ee][Cc][Tt][Ii][Oo][Nn][Aa][Ll]|[Bb][Ii][Dd][Ii]_[Ss][Tt][Rr][Ee][Aa][Mm])$",
);
