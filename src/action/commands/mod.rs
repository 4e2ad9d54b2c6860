//! The commands of documents, one file per family: each declares its commands in a table
//! `COMMANDS`, parses their arguments and runs them. `registry` lists the tables.

pub(super) mod breaking_point;
pub(super) mod builtins;
mod clustered;
mod connections;
pub(super) mod dashboard;
pub(super) mod data;
pub(super) mod database;
pub(super) mod execute;
pub(super) mod exporters;
pub(super) mod exports;
pub(super) mod formats;
pub(super) mod gates;
pub(super) mod governance;
pub(super) mod har;
pub(super) mod imports;
pub(super) mod installs;
pub(super) mod lint;
pub(super) mod notifiers;
pub(super) mod records;
pub(super) mod regression;
pub(super) mod reports;
pub(super) mod resolver;
pub(super) mod schema;
pub(super) mod start;
pub(super) mod stub;
pub(super) mod tags;
mod test_document;
