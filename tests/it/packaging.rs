//! What the packages hold: the units for systemd are sound, and the command line that they start is
//! one that the program takes.

use std::fs;
use std::process::Command;

use crate::support::{Server, installed};

/// The highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "10";

#[test]
fn the_exposure_of_the_service_is_at_most_one() {
    if !installed("systemd-analyze") {
        return;
    }
    check(&["security", "--offline=true", "--threshold", EXPOSURE, "packaging/ldctl.service"]);
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if !installed("systemd-analyze") {
        return;
    }
    // It looks for the program and its man page, which are not installed where the tests run.
    let directory = tempfile::tempdir().expect("a directory");
    let units = ["ldctl.service", "ldctl.socket"].map(|name| {
        let unit = fs::read_to_string(format!("packaging/{name}")).expect("a unit");
        let here = directory.path().join(name);
        let unit = unit.replace("/usr/bin/ldctl", env!("CARGO_BIN_EXE_ldctl"));
        fs::write(&here, unit).expect("a copy");
        here.display().to_string()
    });
    let told = check(&["verify", "--man=no", &units[0], &units[1]]);
    assert_eq!(told, "");
}

#[test]
fn the_service_starts_with_the_command_lines_that_its_unit_offers() {
    let unit = fs::read_to_string("packaging/ldctl.service").expect("a unit");
    let lines = unit.lines().map(|line| line.trim_start_matches('#'));
    let commands: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/ldctl serve ")).collect();
    assert!(commands.len() == 2 && commands[1].contains("--web "), "{commands:?}");
    for command in commands {
        let data = tempfile::tempdir().expect("a directory");
        let command = command.replace("${STATE_DIRECTORY}", &data.path().display().to_string());
        let command = command.replace(":8765", ":0");
        let args: Vec<&str> = command.split(' ').collect();
        let server = Server::start(&args, Some("s3cret"));
        if command.contains("--web") {
            server.talk_with("runs in a browser: http://127.0.0.1:");
        }
    }
}

#[test]
fn every_file_that_the_package_names_is_there() {
    let manifest = fs::read_to_string("Cargo.toml").expect("a manifest");
    let sources = manifest.lines().filter_map(|line| line.trim().strip_prefix("{ source = \""));
    let sources: Vec<&str> = sources.filter_map(|line| line.split('"').next()).collect();
    assert!(sources.len() > 10, "{sources:?}");
    for source in sources.into_iter().filter(|source| !source.starts_with("target/")) {
        let (directory, pattern) = source.rsplit_once('/').unwrap_or((".", source));
        let (begin, end) = pattern.split_once('*').unwrap_or((pattern, ""));
        let entries = fs::read_dir(directory).expect(directory);
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let found = names.filter(|name| name.starts_with(begin) && name.ends_with(end)).count();
        assert!(found > 0, "{source} matches no file");
    }
}

fn check(args: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(args).output().expect("systemd-analyze");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).expect("UTF-8");
    assert!(output.status.success(), "{told}");
    told
}
