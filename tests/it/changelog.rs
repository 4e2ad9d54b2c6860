//! The changelog tells of the version that is built.

use std::fs;

#[test]
fn the_newest_version_in_the_changelog_is_the_one_that_is_built() {
    let changelog = fs::read_to_string("CHANGELOG.md").expect("a changelog");
    let newest = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## [")?.split(']').next())
        .find(|version| *version != "Unreleased");
    assert_eq!(newest, Some(env!("CARGO_PKG_VERSION")));
}
