//! The bodies of the fuzz targets, driven by `cargo test`: over the committed corpora, over changes
//! of them, and over any bytes.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

// The bodies are a library of their own for the fuzz targets.
#[allow(unreachable_pub, clippy::panic)]
#[path = "../../fuzz/src/lib.rs"]
mod bodies;

use bodies::{BODIES, Body};

/// How many inputs of each kind a body is tried with; the fuzz targets try millions.
const CASES: u32 = 128;

/// The longest input of any bytes.
const LONGEST: usize = 512;

/// The files of a corpus, by name.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(format!("fuzz/corpus/{name}")).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("an input"))).collect()
}

#[test]
fn every_input_of_the_corpora_keeps_every_promise() {
    for (name, body) in BODIES {
        for (path, input) in corpus(name) {
            let kept = catch_unwind(|| body(&input));
            assert!(kept.is_ok(), "{} breaks a promise: see above", path.display());
        }
    }
}

#[test]
fn changed_inputs_keep_them() {
    for (name, body) in BODIES {
        let inputs: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let (first, second) = (any::<Index>(), any::<Index>());
        let cuts = (any::<Index>(), any::<Index>());
        let strategy = (first, second, cuts, vec(any::<Change>(), 0..4)).prop_map(
            move |(first, second, (here, there), changes)| {
                let (first, second) = (first.get(&inputs), second.get(&inputs));
                let mut input = first[..here.index(first.len() + 1)].to_vec();
                input.extend_from_slice(&second[there.index(second.len() + 1)..]);
                changes.iter().for_each(|change| change.apply(&mut input));
                input
            },
        );
        holds(name, body, strategy);
    }
}

#[test]
fn any_bytes_keep_them() {
    for (name, body) in BODIES {
        holds(name, body, vec(any::<u8>(), 0..LONGEST));
        let text = (any::<[u8; 3]>(), any::<String>())
            .prop_map(|(options, text)| [&options[..], text.as_bytes()].concat());
        holds(name, body, text);
    }
}

#[test]
fn each_body_has_a_target_a_corpus_and_a_line_in_the_manual() {
    let bodies: BTreeSet<String> = BODIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(bodies.len(), BODIES.len());
    let manifest = fs::read_to_string("fuzz/Cargo.toml").expect("a manifest");
    let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let built: BTreeSet<String> =
        paths.map(|path| path.trim_end_matches(".rs\"").to_owned()).collect();
    assert_eq!(built, bodies, "targets that fuzz/Cargo.toml builds");
    for name in &bodies {
        let target = fs::read_to_string(format!("fuzz/fuzz_targets/{name}.rs")).expect("a target");
        assert!(target.contains(&format!("ldctl_fuzz::{name}::check(")), "{target}");
    }
    let manual = fs::read_to_string("fuzz/README.md").expect("a manual");
    let told: BTreeSet<String> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(told, bodies, "targets that fuzz/README.md tells of");
    let sizes = bodies.iter().map(|name| {
        let inputs = corpus(name);
        assert!(inputs.len() >= 5, "{name} has a corpus of {}", inputs.len());
        inputs.iter().map(|(_, input)| input.len()).sum::<usize>()
    });
    assert!(sizes.sum::<usize>() <= 200 * 1024, "the corpora are small");
}

/// Tries a body with inputs of a kind; the smallest that breaks a promise is shown.
fn holds(name: &str, body: Body, inputs: impl Strategy<Value = Vec<u8>>) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() };
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        body(&input);
        Ok(())
    });
    if let Err(broken) = outcome {
        panic!("{name}: {broken}");
    }
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index),
    Repeat(Index, Index),
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let at = any::<Index>;
        prop_oneof![
            (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            at().prop_map(Self::Remove),
            (at(), at()).prop_map(|(from, to)| Self::Repeat(from, to)),
        ]
        .boxed()
    }
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        match self {
            Self::Insert(at, bytes) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            _ if input.is_empty() => {}
            Self::Set(at, byte) => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Self::Remove(at) => drop(input.remove(at.index(input.len()))),
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(input.len()), to.index(input.len()));
                let part = input[from.min(to)..from.max(to)].to_vec();
                input.extend_from_slice(&part);
            }
        }
    }
}
