//! What is made of a million records: files, a page, a database. `cargo bench --bench report`. The
//! goals: CSV in 2 s, SQLite in 4 s, HTML in 2 s, and all of it in 120 MB beside the record.

// A benchmark may fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divan::{Bencher, black_box};
use ldctl::memory::Memory;
use ldctl::record::sqlite::{Guard, Place};
use ldctl::record::{Label, Recorder, Recording, Records, Sample};
use ldctl::report::{Options, Outcome, csv, html, json, junit, summary, xml};
use tokio_util::sync::CancellationToken;

fn main() {
    divan::main();
}

const REQUESTS: u64 = 1_000_000;

/// Two workers, twenty names, one request in fifty failed, a thousand requests a second.
fn records() -> Records {
    let parts = (0..2).map(|worker| {
        let mut recorder = Recorder::default();
        let labels: Vec<_> = (0..20)
            .map(|number| {
                recorder.label(Label {
                    method: "GET".into(),
                    url: format!("http://shop.test/api/v1/products/{number}?page=1").into(),
                    name: format!("/api/v1/products/{number}").into(),
                })
            })
            .collect();
        let error = recorder.error("status_code expected 200, got 503");
        let mut random = fastrand::Rng::with_seed(worker);
        for number in 0..REQUESTS / 2 {
            let slow = if random.u32(0..100) == 0 { 50 } else { 1 };
            recorder.record(Sample {
                label: labels[random.usize(0..labels.len())],
                start: Duration::from_millis(number * 2 + worker),
                delay: Duration::ZERO,
                service: Duration::from_micros(random.u64(800..20_000) * slow),
                status: 200,
                bytes: random.u64(200..20_000),
                error: (random.u32(0..50) == 0).then_some(error),
            });
        }
        recorder
    });
    let mut records = Records::default();
    records.push(Arc::new(Recording::new(SystemTime::UNIX_EPOCH, parts.collect())));
    records
}

type Write = fn(&Records, &mut dyn io::Write) -> io::Result<()>;

fn written(bencher: Bencher<'_, '_>, write: Write) {
    let records = records();
    bencher.bench_local(|| {
        let mut out = io::BufWriter::new(tempfile::tempfile().expect("a file"));
        write(black_box(&records), &mut out).expect("written");
    });
}

#[divan::bench(sample_count = 3)]
fn csv_file(bencher: Bencher<'_, '_>) {
    written(bencher, csv::write);
}

#[divan::bench(sample_count = 3)]
fn json_file(bencher: Bencher<'_, '_>) {
    written(bencher, |records, out| json::write(records, Outcome::Success, out));
}

#[divan::bench(sample_count = 3)]
fn xml_file(bencher: Bencher<'_, '_>) {
    written(bencher, |records, out| xml::write(records, Outcome::Success, out));
}

#[divan::bench(sample_count = 3)]
fn junit_file(bencher: Bencher<'_, '_>) {
    written(bencher, |records, out| junit::write(records, junit::Per::Request, &[], out));
}

#[divan::bench(sample_count = 3)]
fn summary_file(bencher: Bencher<'_, '_>) {
    written(bencher, summary::write);
}

#[divan::bench(sample_count = 3)]
fn html_page(bencher: Bencher<'_, '_>) {
    written(bencher, |records, out| html::write(records, &Options::default(), out));
}

#[divan::bench(sample_count = 3)]
fn sqlite_run(bencher: Bencher<'_, '_>) {
    let records = records();
    bencher
        .with_inputs(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().canonicalize().expect("a path").join("runs.db");
            (dir, file)
        })
        .bench_local_refs(|(_, file)| {
            let never = CancellationToken::new();
            let (guard, memory) = (Guard::writing(&never, never.clone()), Memory::of_machine());
            let (place, records) = (Place::of(file).expect("a directory"), records.clone());
            place
                .write(&guard, &memory, move |database| {
                    database.persist(&records, "2026-01-01T00:00:00+00:00", None, "{}")
                })
                .expect("written")
        });
}
