//! What the tree is built from: every direct dependency says why it is there, and there is one
//! crypto provider, which one file names. `deny.toml` says the rest.

use std::fs;
use std::path::Path;

fn is_a_dependency(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_lowercase()) && line.contains(" = ")
}

/// The dependencies of a manifest that have no comment above them.
fn unreasoned(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut section, mut before) = ("", "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && is_a_dependency(line)
            && !before.starts_with("# ")
        {
            found.push(line.to_owned());
        }
        before = line;
    }
    found
}

#[test]
fn every_direct_dependency_has_a_reason() {
    let manifest = fs::read_to_string("Cargo.toml").expect("the manifest");
    assert_eq!(unreasoned(&manifest), [""; 0]);
    let bare = manifest.replace("# TLS.\n", "");
    assert_eq!(unreasoned(&bare).len(), 1, "one without its reason is found");
}

#[test]
fn there_is_one_crypto_provider() {
    let lock = fs::read_to_string("Cargo.lock").expect("the lock file");
    let has = |name: &str| lock.contains(&format!("\nname = \"{name}\"\n"));
    assert!(has("ring"));
    for other in ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls", "boring-sys"] {
        assert!(!has(other), "{other} is a second one");
    }
}

/// The files below a folder that hold a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read_to_string(&path).expect("a source file").contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn one_file_names_the_crypto_provider() {
    assert_eq!(files_with(Path::new("src"), "default_provider"), ["src/net/trust.rs"]);
}
