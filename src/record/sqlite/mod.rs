//! Runs in an SQLite file, in exactly the reference's tables, so that either program opens the
//! other's files. A run is one transaction: a reader finds all of it or nothing. A file that is
//! damaged, locked, of a newer format or from another program is refused before anything is
//! written.
//!
//! # Where the files are
//!
//! SQLite opens a database and the three files beside it by their path, and follows links in it: a
//! path below `/proc/self/fd` is resolved to the name that the directory had, or refused. Whoever may
//! rename directories could lead it out of the data directory between a check and any of these calls.
//! So each use of a database has a thread of its own, which Linux keeps inside the directory that was
//! opened (Landlock, Linux 5.13): to that thread nothing else exists, whatever its path says, and a
//! hostile journal cannot make SQLite delete a file elsewhere. Without Landlock the path must lead to
//! the opened directory and file before and after SQLite opens it, and SQLite never creates the
//! database itself; only the files beside it could still appear elsewhere.
//!
//! A thread of its own can also be left alone: one that hangs in a call of the system does not hold
//! up its document.
//!
//! # Files of others
//!
//! The file comes from anywhere, so SQLite's advice for that case holds: no views, triggers, virtual
//! tables or computed columns in what is read or written, no functions in its schema, limits on
//! cells, statements and the heap, and a handler that ends what was stopped or takes too long.

mod database;
mod error;
mod foreign;
mod guard;
mod place;
mod tags;
mod trend;

pub use database::Database;
pub use error::{DatabaseError, MAX_FETCH};
pub use guard::Guard;
pub use place::{COMPANIONS, Place};

#[cfg(test)]
mod tests;
