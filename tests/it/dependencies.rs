//! What the tree is built from: every direct dependency says why it is there, and there is one
//! crypto provider. `deny.toml` says the rest.

use std::fs;

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
