//! The verbs, one per file: each resolves its options, runs, and returns an exit code. Only this
//! module connects the command line and the console with the client, the server and the executor.

mod choice;
mod cluster;
mod complete_runs;
mod completions;
mod connection;
mod context;
mod contexts;
mod convert;
mod core_dump;
mod credential;
mod descriptors;
mod document;
mod draft;
mod executor;
mod explain;
mod fan_out;
mod fmt;
mod init;
mod lint;
mod new_file;
mod one_liner;
mod open;
mod overrides;
mod ping;
mod quit;
mod report;
mod report_files;
mod run;
mod sarif;
mod secrets;
mod send;
mod serve;
mod service;
mod setup;
mod signal;
mod status;
mod token;
mod umask;
mod web;
mod working_directory;

use crate::cli::{Cli, Verb};
use crate::console::Console;
use crate::error::{Error, Exit};

pub use complete_runs::complete_runs;

/// Runs the verb of the command line.
pub fn execute(cli: &Cli, console: &mut Console) -> Result<Exit, Error> {
    umask::make_private();
    let quiet = match &cli.verb {
        Verb::Run(args) => args.printing.quiet,
        Verb::Send(args) => args.printing.quiet,
        Verb::Attach(args) => args.printing.quiet,
        _ => false,
    };
    if quiet && cli.verbose > 0 {
        return Err(Error::usage("-q prints less and -v prints more; give one of them"));
    }
    match &cli.verb {
        Verb::Serve(args) => serve::serve(args, console),
        Verb::Send(args) => send::send(args, cli.verbose, console),
        Verb::Ping(args) => ping::ping(args, cli.verbose > 0, console),
        Verb::Status(args) => status::status(args, console),
        Verb::Stop(args) => status::stop(args, console),
        Verb::Runs(args) => status::runs(args, console),
        Verb::Attach(args) => send::attach(args, console),
        Verb::Open(args) => open::open(args, console),
        Verb::Report(args) => report::report(args, console),
        Verb::Quit(args) => quit::quit(args, console),
        Verb::Run(args) => run::run(args, cli.verbose, console),
        Verb::Lint(args) => lint::lint(args, console),
        Verb::Fmt(args) => fmt::fmt(args, console),
        Verb::Explain(args) => explain::explain(args, console),
        Verb::Schema => explain::schema(console),
        Verb::Context(args) => context::context(args, console),
        Verb::Init(args) => init::init(args, console),
        Verb::Convert(args) => convert::convert(args, console),
        Verb::Completions(args) => {
            completions::completions(args, console);
            Ok(Exit::Done)
        }
    }
}
