//! A report as events: its text in pieces, each well below the longest frame, so that neither side
//! holds a report of every request in memory.

use std::io::{self, Write};

use crate::event::{Event, ReportFormat, Sink};

/// The bytes of a piece. As JSON it may become six times as long.
const PIECE: usize = 64 * 1024;

/// Emits what is written as pieces.
pub(super) struct Pieces<'a> {
    sink: &'a mut dyn Sink,
    format: ReportFormat,
    /// For the first piece.
    warnings: Vec<String>,
    waiting: Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink, format: ReportFormat, warnings: Vec<String>) -> Self {
        Self { sink, format, warnings, waiting: Vec::new() }
    }

    /// Emits the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.waiting);
        self.emit(String::from_utf8_lossy(&rest).into_owned())
    }

    fn emit(&mut self, text: String) -> io::Result<()> {
        if !self.sink.is_open() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let warnings = std::mem::take(&mut self.warnings);
        self.sink.emit(Event::Report { format: self.format, text, warnings });
        Ok(())
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE.saturating_sub(self.waiting.len()).max(1);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.waiting.extend_from_slice(taken);
        if self.waiting.len() >= PIECE {
            // A character that is not complete waits for its rest.
            let whole = match std::str::from_utf8(&self.waiting) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => self.waiting.len(),
            };
            let rest = self.waiting.split_off(whole);
            let piece = std::mem::replace(&mut self.waiting, rest);
            self.emit(String::from_utf8_lossy(&piece).into_owned())?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Vec<Event>, usize);

    impl Sink for Kept {
        fn emit(&mut self, event: Event) {
            self.0.push(event);
        }

        fn is_open(&self) -> bool {
            self.0.len() < self.1
        }
    }

    #[test]
    fn a_text_is_divided_between_characters_and_whole_again_in_order() {
        let text: String = (0..40_000).map(|n| format!("{n} é\u{1f600}\n")).collect();
        for step in [1000, 4097, text.len()] {
            let mut sink = Kept(Vec::new(), usize::MAX);
            let mut pieces = Pieces::new(&mut sink, ReportFormat::Csv, vec!["partial".to_owned()]);
            for part in text.as_bytes().chunks(step) {
                pieces.write_all(part).expect("room");
            }
            pieces.finish().expect("room");
            let mut whole = String::new();
            for (place, event) in sink.0.iter().enumerate() {
                let Event::Report { format, text, warnings } = event else { panic!("{event:?}") };
                assert_eq!((*format, warnings.len()), (ReportFormat::Csv, usize::from(place == 0)));
                assert!(text.len() <= PIECE, "{}", text.len());
                whole.push_str(text);
            }
            assert!(whole == text, "in steps of {step}");
        }
    }

    #[test]
    fn a_report_that_has_no_reader_ends() {
        let mut sink = Kept(Vec::new(), 2);
        let mut pieces = Pieces::new(&mut sink, ReportFormat::Csv, Vec::new());
        pieces.write_all(&vec![b'x'; 10 * PIECE]).expect_err("no reader");
        assert_eq!(sink.0.len(), 2);
    }
}
