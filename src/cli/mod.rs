//! The command line as typed: clap's types and nothing else. [`crate::command`] resolves it into
//! configuration; completions and man pages are generated from these types.

mod client;
mod cluster;
mod completion;
mod connection;
mod context;
mod executor;
mod explain;
mod fmt;
mod lint;
mod local;
mod one_liner;
mod output;
mod overrides;
mod report;
mod run_numbers;
mod serve;
mod values;
mod write;

use std::sync::LazyLock;

use clap::{ArgAction, Parser, Subcommand};

use crate::event::PROTOCOL;
pub use client::{Asking, Attach, Open, Ping, Quit, RunState, Runs, Send, Status, Stop};
pub use cluster::Cluster;
pub use completion::completion_script;
pub use connection::{Connection, TokenSource, Way};
pub use context::{Context, ContextAdd, ContextVerb};
pub use executor::{Engine, Executor};
pub use explain::{Explain, Form};
pub use fmt::Fmt;
pub use lint::{Checking, Lint, LintOutput};
pub use local::{Completions, DocumentLimits, Run};
pub use one_liner::OneLiner;
pub use output::{Color, Format, Output, Printing};
pub use overrides::Overrides;
pub use report::{Report, ReportFormat};
pub use run_numbers::RUNS;
pub use serve::{Limits, Serve};
pub use values::{DEFAULT_PORT, ListenAddress, ServerAddress, TOKEN_VARIABLE};
pub use write::{Convert, Init, Origin, Template};

/// The verbs that signals concern, and the meaning of each signal for them, as man pages print it.
pub const SIGNALS: &[(&str, &[(&str, &str)])] = &[
    (
        "serve",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Shut down: stop accepting, cancel tests, send their partial results and the last \
                 figures of exporters, all within --shutdown-timeout. The second one, of any kind, \
                 ends the server at once, with exit code 130",
            ),
            (
                "SIGHUP",
                "Reload the token file and the TLS files; from a closed terminal: shut down",
            ),
            ("SIGUSR1", "Print a status line on stderr"),
            ("SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
    (
        "run",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Cancel the running test and print its partial results, with exit code 130. The \
                 second one, of any kind, ends the program at once",
            ),
            ("SIGUSR1", "Print a status line on stderr"),
            ("SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
    (
        "send",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Stop the run on the server and print what it has measured, with exit code 130. The \
                 second one, of any kind, ends the program at once",
            ),
            ("SIGUSR1, SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
];

/// The variable that names the server.
pub const SERVER_VARIABLE: &str = "LDCTL_SERVER";

/// The variable that names the context.
pub const CONTEXT_VARIABLE: &str = "LDCTL_CONTEXT";

/// The variables that the program reads, as man pages print them.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    (
        SERVER_VARIABLE,
        "The control server, HOST:PORT, of verbs that ask one. --server, --host, --port and --context \
         take precedence",
    ),
    (CONTEXT_VARIABLE, "The context to use, unless an option or LDCTL_SERVER names a server"),
    (
        TOKEN_VARIABLE,
        "The token, unless an option, the context or the systemd credential ldctl.token says where \
         it is",
    ),
    (
        "XDG_CONFIG_HOME, HOME",
        "Where contexts are: ldctl/contexts.json in the first, or in ~/.config",
    ),
    ("CREDENTIALS_DIRECTORY", "The credentials of systemd: ldctl.token, ldctl.crt, ldctl.key"),
    ("STATE_DIRECTORY", "The directory of the history of ldctl serve, from systemd"),
    (
        "http_proxy, https_proxy, all_proxy, no_proxy",
        "The proxies of load tests that name none; those of ldctl serve need --allow-env",
    ),
    ("NO_COLOR, CLICOLOR_FORCE, TERM", "Whether colours are used, unless --color says so"),
];

/// The version, that of the event dialect, and the commit if the build was told (`LDCTL_COMMIT`).
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("LDCTL_COMMIT").map(|commit| format!(", commit {commit}"));
        let (version, commit) = (env!("CARGO_PKG_VERSION"), commit.unwrap_or_default());
        format!("{version} (protocol {PROTOCOL}{commit})")
    });
    &VERSION
}

/// The meaning of each exit code, as help and man pages print it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    an action failed, output could not be written, or lint found an error
  2    the command line or a document is invalid; nothing was sent or run
  3    the server is unreachable, TLS failed, timed out, or not a control server
  4    the server rejected the token
  5    the server is busy
  130  interrupted";

/// Control server, client and load engine for LoadDensity action documents.
///
/// `ldctl serve` runs beside the system under test, `ldctl send` sends it a document of actions and
/// prints each action's result, and `ldctl run` does the same without a server.
#[derive(Parser)]
#[command(
    name = "ldctl",
    version = version(),
    after_help = EXIT_CODES,
    after_long_help = EXIT_CODES,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The verb to run.
    #[command(subcommand)]
    pub verb: Verb,

    /// Say more on stderr: what happens (-v), with the first requests and other details (-vv)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = Color::Auto,
        hide_possible_values = true
    )]
    pub color: Color,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Serve the control socket until a client sends `quit`
    #[command(after_long_help = EXIT_CODES)]
    Serve(Serve),
    /// Send a document to a server and print each action's result
    #[command(after_long_help = EXIT_CODES)]
    Send(Send),
    /// Check that a server is up (no side effects)
    #[command(after_long_help = EXIT_CODES)]
    Ping(Ping),
    /// Show the test that a server is running, or any run
    #[command(after_long_help = EXIT_CODES)]
    Status(Status),
    /// Stop the running test, or any run; its client still gets the results
    #[command(after_long_help = EXIT_CODES)]
    Stop(Stop),
    /// List the runs of a server, the newest first
    #[command(after_long_help = EXIT_CODES)]
    Runs(Runs),
    /// Follow a run from its beginning to its end, whoever requested it
    #[command(after_long_help = EXIT_CODES)]
    Attach(Attach),
    /// Fetch the report of a run, also of one that is in progress or ended long ago
    #[command(after_long_help = EXIT_CODES)]
    Report(Report),
    /// Print a link to a run in a browser, which logs in once, and open it where there is a browser
    #[command(after_long_help = EXIT_CODES)]
    Open(Open),
    /// Shut a server down
    #[command(after_long_help = EXIT_CODES)]
    Quit(Quit),
    /// Run documents in this process, without a server
    #[command(after_long_help = EXIT_CODES)]
    Run(Run),
    /// Check documents for errors and likely mistakes
    #[command(visible_aliases = ["check", "validate"], after_long_help = EXIT_CODES)]
    Lint(Lint),
    /// Format documents, without changing what they do
    #[command(after_long_help = EXIT_CODES)]
    Fmt(Fmt),
    /// Explain the format of documents: a concept, a command or a parameter
    #[command(after_long_help = EXIT_CODES)]
    Explain(Explain),
    /// Print the JSON Schema of documents, for editors
    #[command(after_long_help = EXIT_CODES)]
    Schema,
    /// Keep servers under names, with how to connect to them
    #[command(after_long_help = EXIT_CODES)]
    Context(Context),
    /// Write a document to begin with
    #[command(after_long_help = EXIT_CODES)]
    Init(Init),
    /// Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document
    #[command(after_long_help = EXIT_CODES)]
    Convert(Convert),
    /// Print a shell's completion script
    #[command(after_long_help = EXIT_CODES)]
    Completions(Completions),
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_token_variable_is_optional_and_needs_an_equals_sign() {
        let cli = Cli::try_parse_from(["ldctl", "send", "--token-env", "actions.json"]);
        let Ok(Cli { verb: Verb::Send(send), .. }) = cli else { panic!("it did not parse") };
        assert_eq!(send.token.token_env.as_deref(), Some(TOKEN_VARIABLE));
        assert_eq!(send.file, Some(PathBuf::from("actions.json")));
    }

    #[test]
    fn another_token_variable_is_named_with_an_equals_sign() {
        let cli = Cli::try_parse_from(["ldctl", "quit", "--token-env=OTHER"]);
        let Ok(Cli { verb: Verb::Quit(quit), .. }) = cli else { panic!("it did not parse") };
        assert_eq!(quit.token.token_env.as_deref(), Some("OTHER"));
    }
}
