//! What stands around a request besides the system calls: filling placeholders in, looking a value
//! up for an assertion, recording. `cargo bench --bench engine`.

// A benchmark may fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use ldctl::load::template::{Bindings, Compiler, Linker, Scope, Template};
use ldctl::protocol::JsonPath;
use ldctl::record::{Label, Recorder, Sample};

fn main() {
    divan::main();
}

const BODY: &[u8] = br#"{"status":"ok","data":{"token":"abc","items":[1,2,3]}}"#;

fn compile(text: &str) -> (Template, Scope) {
    let mut compiler = Compiler::default();
    let draft = compiler.template(text);
    let bindings = Bindings {
        variable: &|name| (name == "base").then(|| "http://127.0.0.1:8080".to_owned()),
        ..Bindings::NONE
    };
    let mut linker = Linker::new(compiler, bindings);
    let template = draft.link(&mut linker).expect("a template");
    let scope = Scope::new(&Arc::new(linker.names()), 1);
    (template, scope)
}

#[divan::bench(args = ["/static", "${var.base}/json", "${uuid()}", "${randint(1, 100)}", "${now()}", "${faker.name}"])]
fn placeholder(bencher: Bencher<'_, '_>, text: &str) {
    let (template, mut scope) = compile(text);
    let mut out = Vec::with_capacity(256);
    bencher.bench_local(|| {
        out.clear();
        template.fill(&mut scope, &mut out);
        black_box(out.len())
    });
}

#[divan::bench(args = ["data.token", "data.items.2", "data.items.-1", "nope"])]
fn json_path(bencher: Bencher<'_, '_>, path: &str) {
    let path = JsonPath::new(path);
    bencher.bench_local(|| path.find(black_box(BODY)));
}

#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    let mut recorder = Recorder::default();
    let label = recorder.label(Label {
        method: "GET".into(),
        url: "http://127.0.0.1:8080/".into(),
        name: "plain".into(),
    });
    let mut turn = 0u64;
    bencher.bench_local(|| {
        turn += 1;
        recorder.record(Sample {
            label,
            start: Duration::from_micros(turn * 10),
            delay: Duration::ZERO,
            service: Duration::from_micros(50 + turn % 1000),
            status: 200,
            bytes: 22,
            error: None,
        });
    });
}
