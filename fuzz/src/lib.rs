//! What must hold whatever the bytes are: one body per border over which bytes from outside come in.
//! A body takes any bytes and panics where a property does not hold. libFuzzer drives each through
//! its target in `fuzz_targets`; `cargo test` drives the same bodies over the committed corpora and
//! with inputs of its own making. Bodies use the public API alone.

pub mod answer;
pub mod cluster;
pub mod csv;
pub mod decode;
pub mod document;
pub mod envelope;
pub mod events;
pub mod frame;
pub mod grpc;
pub mod har;
pub mod kept;
pub mod legacy;
pub mod mqtt;
pub mod names;
pub mod paths;
pub mod plan;
pub mod reply;
pub mod resp;
pub mod sse;
pub mod support;
pub mod template;
pub mod value;

/// Takes any bytes; panics where a property does not hold.
pub type Body = fn(&[u8]);

/// Every body by the name of its target and corpus.
pub const BODIES: [(&str, Body); 21] = [
    ("answer", answer::check),
    ("cluster", cluster::check),
    ("csv", csv::check),
    ("decode", decode::check),
    ("document", document::check),
    ("envelope", envelope::check),
    ("events", events::check),
    ("frame", frame::check),
    ("grpc", grpc::check),
    ("har", har::check),
    ("kept", kept::check),
    ("legacy", legacy::check),
    ("mqtt", mqtt::check),
    ("names", names::check),
    ("paths", paths::check),
    ("plan", plan::check),
    ("reply", reply::check),
    ("resp", resp::check),
    ("sse", sse::check),
    ("template", template::check),
    ("value", value::check),
];
