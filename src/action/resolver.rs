//! The variables and CSV sources that placeholders in tasks read, from one document to the next.

use std::collections::HashMap;
use std::sync::Arc;

use crate::load::CsvRows;
use crate::value::Map;

/// Variables and sources. A clone is a fork: its variables are its own, its sources go on giving
/// rows to everyone.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    /// `${var.NAME}`
    pub variables: Map,
    /// `${csv.NAME.COLUMN}`
    pub sources: HashMap<String, Arc<CsvRows>>,
}
