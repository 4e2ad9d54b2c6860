//! `ldctl completions`: a shell's completion script, generated from the command line's definition.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::console::Console;

pub(super) fn completions(args: &Completions, console: &mut Console) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ldctl", &mut script);
    console.write(&script);
}
