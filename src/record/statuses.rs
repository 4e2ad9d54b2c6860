//! How many requests had each status.

use std::collections::BTreeMap;

use super::Records;

impl Records {
    /// The requests by their status; 0 are those without a response. Protocols without statuses have
    /// none.
    pub fn statuses(&self) -> BTreeMap<u16, u64> {
        let mut counts = BTreeMap::new();
        let parts = self.recordings.iter().flat_map(|recording| recording.parts());
        for status in parts.flat_map(|part| part.statuses()) {
            *counts.entry(status).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::NO_STATUS;
    use super::super::fixture::records;

    #[test]
    fn requests_are_counted_by_status_except_where_the_protocol_has_none() {
        let records = records(&[
            ("GET", "u", "a", 200, 1.0, 1, None),
            ("GET", "u", "b", 500, 1.0, 1, Some("broken")),
            ("GET", "u", "a", 200, 1.0, 1, None),
            ("GET", "u", "a", 0, 1.0, 1, Some("refused")),
            ("TCP", "u", "a", NO_STATUS, 1.0, 1, None),
        ]);
        let statuses: Vec<_> = records.statuses().into_iter().collect();
        assert_eq!(statuses, [(0, 1), (200, 2), (500, 1)]);
    }
}
