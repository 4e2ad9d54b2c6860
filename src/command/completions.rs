//! `ldctl completions`: a shell's completion script, generated from the command line's definition.

use crate::cli::{Completions, completion_script};
use crate::console::Console;

pub(super) fn completions(args: &Completions, console: &mut Console) {
    console.write(completion_script(args.shell).as_bytes());
}
