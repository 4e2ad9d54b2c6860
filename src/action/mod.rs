//! A document becomes commands, and the commands run: parsing, execution, and one file per family
//! of `LD_*` commands. It is synchronous on purpose: the caller runs a document on a thread of its
//! own, and the only long command hands its work to [`crate::load`]'s threads. Events go to one
//! [`Sink`](crate::event::Sink), whatever is behind it.
//!
//! Read in this order: [`document`] (a value becomes typed commands), `registry` (which commands
//! there are), `command` and `arguments` (what a command is and how it gets its arguments),
//! `context` (what a running command may touch), then the families in `commands`, and the `executor`
//! that runs it all. A file uses those below it:
//!
//! ```text
//!               run_report             the report of a run, on request
//!                executor              runs documents, also those inside documents
//!      one_liner   overrides           what the command line makes and changes
//!          convert                     what other tools keep as documents
//!             findings                 the same for a text, with lines and columns
//!      check   lint   schema           what is known of documents without running them
//!          reference                   what people read about them
//!           document                   a value becomes typed commands
//!           registry                   which commands there are
//!           commands                   one file per family
//!           numbers                    numbers that variables give
//!          delegated                   what runs in the executor's Python
//!      command    arguments            what a command is
//!           context                    what it may touch
//!      services resolver policy files format rules loaddensity
//!           import                     what other tools keep as tasks
//! ```

mod arguments;
mod check;
mod command;
mod commands;
mod context;
pub mod convert;
mod delegated;
pub mod document;
mod environment;
mod executor;
mod fan_out;
mod files;
mod findings;
mod format;
pub mod guess;
mod import;
mod installed;
mod kept_figures;
mod lint;
mod listed;
mod loaddensity;
mod machine;
mod numbers;
mod one_liner;
mod overrides;
mod policy;
pub mod reference;
mod registry;
mod reporting;
mod resolver;
mod rules;
mod run_report;
mod schema;
mod services;
mod tasks;

pub use check::{
    Environment, Finding, MOST_ACTIONS, Place, Surroundings, Where, check, located, repeated, rule,
};
pub use command::{Declaration, Manual};
pub use document::{Document, InvalidDocument};
pub use environment::environment;
pub use executor::{DocumentOutcome, Executor};
pub use fan_out::{Share, fan_out};
pub use files::{Files, MAX_READ_BYTES};
pub use findings::{Fault, FileFinding, Located, check_text, parse, parse_document, placed};
pub use format::{formatted, pretty};
pub use lint::{Severity, lint};
pub use loaddensity::all_refused as refused_commands;
pub use one_liner::{Body as RequestBody, OneLiner, is_url, meant_url};
pub use overrides::{Applied, Clustered, Overrides, Unused, gate, target_fault};
pub use policy::{FileAccess, Policy};
pub use registry::{Family, commands, declarations, families};
pub use reporting::RunPage;
pub use resolver::Resolver;
pub use rules::{Engine, Rules};
pub use run_report::{ReportError, RunReport};
pub use schema::schema;

#[cfg(test)]
mod tests;
