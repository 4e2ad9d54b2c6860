//! The fields of an MQTT task, besides the engine's own and its checks. Those of the connection may
//! also stand in `connection`, for all tasks of a test.

use crate::protocol::check::CHECKS;
use crate::protocol::http::TLS;
use crate::protocol::step::EXPECTED;
use crate::value::{Field, Kind, Literal};

/// All of them.
pub(super) const FIELDS: &[&[Field]] = &[TASK, EXPECTED, OPENING, TLS, CHECKS];

const TASK: &[Field] = &[
    Field::optional(
        "method",
        METHOD,
        "The step: connect, publish, subscribe, unsubscribe, receive or disconnect.",
    )
    .note("A step other than disconnect connects first if its user has no connection to the broker.")
    .or(Literal::Text("publish"))
    .example("\"publish\""),
    Field::optional(
        "broker",
        Kind::Name,
        "The broker: host:port, mqtt://host:port, or mqtts://host:port with TLS.",
    )
    .alias("host")
    .otherwise("that of the user's connection, else the test's host, else 127.0.0.1:1883")
    .example("\"mqtts://broker.example:8883\""),
    Field::optional("topic", Kind::Text, "The topic of the message, or the topic filter.")
        .note(
            "Required but for connect, receive and disconnect. With receive a topic filter: messages \
             of other topics are kept for other steps.",
        )
        .example("\"sensors/${id}/state\""),
    Field::optional(
        "payload",
        Kind::Any,
        "The message to publish: text or a number; an object or a list is sent as JSON.",
    )
    .note("With binary also bytes as hex:00 ff.")
    .example(r#"{"temperature": 21.5}"#)
    .or(Literal::Text("")),
    Field::optional("binary", Kind::Boolean, "Whether a payload that begins with hex: is bytes.")
        .or(Literal::Bool(false)),
    Field::optional("qos", QOS, "The quality of service of the message or the subscription.")
        .note("With 1 and 2 a publish step ends when the broker has acknowledged the message.")
        .or(Literal::Int(0)),
    Field::optional("retain", Kind::Boolean, "Whether the broker keeps the message.")
        .or(Literal::Bool(false)),
    // The reference's own default.
    Field::optional("timeout", Kind::Timeout, "Timeout of the whole step.")
        .note("A step that times out closes the connection, and the broker publishes the will.")
        .or(Literal::Float(5.0)),
];

/// The fields of a connection.
pub(super) const OPENING: &[Field] = &[
    Field::optional("version", VERSION, "The version of MQTT.").or(Literal::Text("3.1.1")).note(
        "This and the fields after it are used by the step that connects. A step without any of \
             them connects as its user did before.",
    ),
    Field::optional("username", Kind::Scalar, "The user's name at the broker."),
    Field::optional("password", Kind::Scalar, "The user's password. It is never shown.")
        .example("\"${env.MQTT_PASSWORD}\""),
    Field::optional("client_id", Kind::Scalar, "The name of the client, which must be its own.")
        .otherwise("`loaddensity-` and eight hexadecimal digits")
        .example("\"sensor-${csv.sensors.id}\""),
    Field::optional(
        "keepalive",
        Kind::Between(0, 65_535),
        "How long the broker may wait for a packet; pings go out in time.",
    )
    .unit("seconds")
    .note("0 for any time.")
    .or(Literal::Int(60)),
    Field::optional("clean", Kind::Boolean, "Whether the session at the broker begins anew.")
        .note(
            "With false a message that the broker has not acknowledged is sent again when its user \
             connects again, and messages that no step has received stay.",
        )
        .alias("clean_session")
        .or(Literal::Bool(true)),
    Field::optional(
        "will",
        Kind::Object(&[WILL]),
        "A message that the broker publishes if the connection breaks.",
    )
    .example(r#"{"topic": "state/${id}", "payload": "gone", "retain": true}"#),
    Field::optional("properties", Kind::Object(&[PROPERTIES]), "Properties of MQTT 5.")
        .note(
            "Those of the message, of a publish step; of the connection, of a connect step, and in the \
             test's connection.",
        )
        .example(r#"{"message_expiry": 60, "user": {"trace": "${uuid()}"}}"#),
];

pub(super) const WILL: &[Field] = &[
    Field::required("topic", Kind::Text, "Its topic."),
    Field::optional("payload", Kind::Any, "What it says, as that of a task.").or(Literal::Text("")),
    Field::optional("binary", Kind::Boolean, "Whether a payload that begins with hex: is bytes.")
        .or(Literal::Bool(false)),
    Field::optional("qos", QOS, "Its quality of service.").or(Literal::Int(0)),
    Field::optional("retain", Kind::Boolean, "Whether the broker keeps it.")
        .or(Literal::Bool(false)),
];

pub(super) const PROPERTIES: &[Field] = &[
    Field::optional(
        "user",
        Kind::Map { keys: None, of: &Kind::Scalar },
        "Names and values of your own.",
    ),
    Field::optional("content_type", Kind::Scalar, "What the payload is."),
    Field::optional("response_topic", Kind::Scalar, "The topic for a response."),
    Field::optional("correlation_data", Kind::Scalar, "What ties a response to the message.")
        .note("Text, or bytes as hex:00 ff."),
    Field::optional(
        "message_expiry",
        SECONDS,
        "How long the broker keeps the message for its receivers.",
    )
    .unit("seconds"),
    Field::optional("session_expiry", SECONDS, "How long the session outlives the connection.")
        .unit("seconds"),
];

/// What four bytes can hold.
const SECONDS: Kind = Kind::Between(0, 4_294_967_295);

const QOS: Kind = Kind::Either(&[Kind::Between(0, 2), Kind::OneOf(&["0", "1", "2"])]);

const VERSION: Kind = Kind::Either(&[Kind::OneOf(&["3.1.1", "5"]), Kind::Exactly(Literal::Int(5))]);

/// In any case.
const METHOD: Kind = Kind::Matching(
    "^([Cc][Oo][Nn][Nn][Ee][Cc][Tt]|[Dd][Ii][Ss][Cc][Oo][Nn][Nn][Ee][Cc][Tt]|\
     [Pp][Uu][Bb][Ll][Ii][Ss][Hh]|([Uu][Nn])?[Ss][Uu][Bb][Ss][Cc][Rr][Ii][Bb][Ee]|\
     [Rr][Ee][Cc][Ee][Ii][Vv][Ee])$",
);
