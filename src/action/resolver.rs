//! The variables and CSV sources that placeholders refer to, kept from one document to the next.

use std::collections::HashMap;
use std::sync::Arc;

use crate::load::CsvRows;
use crate::value::Map;

/// Variables and sources. A clone has its own variables but shares the rows of the sources.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    /// `${var.NAME}`
    pub variables: Map,
    /// `${csv.NAME.COLUMN}`
    pub sources: HashMap<String, Arc<CsvRows>>,
}
