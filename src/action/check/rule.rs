//! The rules of findings, by which they can be told apart, counted and left out.

/// A rule, by which findings can be told apart and left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What a finding of it means, in one sentence.
    pub doc: &'static str,
}

macro_rules! rules {
    ($($(#[$attr:meta])* $constant:ident = $name:literal, $doc:literal;)*) => {
        $($(#[$attr])* #[doc = $doc] #[allow(rustdoc::broken_intra_doc_links)] pub const $constant: &Rule = &Rule { name: $name, doc: $doc };)*

        /// All of them.
        pub const RULES: &[&Rule] = &[$($constant),*];
    };
}

rules! {
    NOT_JSON = "not-json", "The file is not JSON, YAML or TOML in UTF-8, as its name says.";
    NOT_A_DOCUMENT = "not-a-document", "The JSON is not a list of actions.";
    INVALID_SHAPE = "invalid-shape", "An action is not [name] or [name, arguments].";
    UNKNOWN_COMMAND = "unknown-command", "No command has this name.";
    UNKNOWN_MEMBER = "unknown-member", "No argument or field has this name.";
    MISSING_MEMBER = "missing-member", "A required argument or field is missing.";
    REPEATED_MEMBER = "repeated-member", "An object has two members of one name; the last one counts.";
    REFUSED = "refused", "An argument or a field has a value that is not accepted.";
    UNRESOLVED_PLACEHOLDER = "unresolved-placeholder", "Nothing fills a placeholder in.";
    UNSET_VARIABLE = "unset-variable", "An environment variable of a placeholder is not set.";
    NOT_A_NUMBER = "not-a-number", "A variable that should give a number has none.";
    MISSING_HOST = "missing-host", "Relative URLs have no host.";
    STALE_RECORDS = "stale-records", "A gate or a report counts the tests of others too.";
    BROKEN_GATE = "broken-gate", "A gate cannot be judged, and so always fails.";
    USELESS_GATE = "useless-gate", "A gate on a share allows 100 % and so always passes, or nearly so.";
    NO_GATES = "no-gates", "A list of gates is empty, and so always passes.";
    UNUSED_WEIGHT = "unused-weight", "Weights have no effect in a sequence of tasks.";
    DRAWN_SETUP = "drawn-setup", "A task that prepares its user is drawn by weight, like the others.";
    DOUBLED_EXTENSION = "doubled-extension", "A report's name has an extension, which is added to it.";
    UNWRITABLE_FILE = "unwritable-file", "A file cannot be written.";
    UNREADABLE_FILE = "unreadable-file", "A file cannot be read.";
    SHARED_CLIENT_ID = "shared-client-id", "Several users have one name at an MQTT broker.";
    HARDCODED_URL = "hardcoded-url", "A URL names its host itself.";
    OVERSIZE_BODY = "oversize-body", "A task's body is very large.";
}
