//! The text of a scrape, in pieces: as long as it may be, nothing large is allocated, and its memory
//! is given back while a client reads it. A text that does not fit is refused before it is whole.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::memory::{Full, Share};

/// The length of a piece, in bytes; the last line of one may exceed it.
const PIECE: usize = 32 * 1024;

/// The format of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics.
    Open,
    /// The older Prometheus text format, in which a counter's family has the name of its samples and
    /// there is no end mark.
    Older,
}

/// Takes an OpenMetrics text, line by line.
#[derive(Debug)]
pub(super) struct Writer {
    format: Format,
    share: Share,
    pieces: VecDeque<Bytes>,
    piece: String,
    line: String,
    /// A line of help that waits for the type of its family.
    help: Option<String>,
    full: Option<Full>,
}

impl Writer {
    /// An empty text that takes its memory from `share`.
    pub(super) fn new(format: Format, share: Share) -> Self {
        let (pieces, piece, line) = (VecDeque::new(), String::new(), String::new());
        Self { format, share, pieces, piece, line, help: None, full: None }
    }

    /// The text, unless it did not fit.
    pub(super) fn finish(mut self) -> Result<Scrape, Full> {
        let _ = self.end_piece();
        if let Some(full) = self.full {
            return Err(full);
        }
        let left = self.pieces.iter().map(Bytes::len).sum();
        Ok(Scrape { pieces: self.pieces, left, share: self.share })
    }

    fn end_line(&mut self) -> fmt::Result {
        let line = std::mem::take(&mut self.line);
        match self.format {
            Format::Open => self.push(&line)?,
            Format::Older if line == "# EOF" => {}
            Format::Older if line.starts_with("# HELP ") => self.help = Some(line.clone()),
            Format::Older => {
                // No sample begins with `# `, and line ends in labels are escaped.
                let is_counter = line.starts_with("# TYPE ") && line.ends_with(" counter");
                let named = |line: &str| match is_counter {
                    true => total(line).unwrap_or_else(|| line.to_owned()),
                    false => line.to_owned(),
                };
                if let Some(help) = self.help.take() {
                    self.push(&named(&help))?;
                }
                match is_counter {
                    true => self.push(&named(&line))?,
                    false => self.push(&line)?,
                }
            }
        }
        // The buffer is used again.
        self.line = line;
        self.line.clear();
        Ok(())
    }

    fn push(&mut self, line: &str) -> fmt::Result {
        self.piece.push_str(line);
        self.piece.push('\n');
        if self.piece.len() < PIECE { Ok(()) } else { self.end_piece() }
    }

    fn end_piece(&mut self) -> fmt::Result {
        if let Err(full) = self.share.grow(self.piece.len()) {
            self.full = Some(full);
            return Err(fmt::Error);
        }
        // As large as its text, so that what is taken is what it holds.
        self.pieces.push_back(Bytes::copy_from_slice(self.piece.as_bytes()));
        self.piece.clear();
        Ok(())
    }
}

/// A line about a counter's family, with the name of its samples: `# TYPE a counter` becomes
/// `# TYPE a_total counter`.
fn total(line: &str) -> Option<String> {
    let (mark, rest) = line.split_at_checked("# TYPE ".len())?;
    let (name, rest) = rest.split_once(' ')?;
    Some([mark, name, "_total ", rest].concat())
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut parts = text.split('\n');
        self.line.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.end_line()?;
            self.line.push_str(part);
        }
        Ok(())
    }
}

/// A text that is sent.
#[derive(Debug)]
pub struct Scrape {
    pieces: VecDeque<Bytes>,
    left: usize,
    share: Share,
}

impl Scrape {
    /// A short text.
    pub(super) fn of(text: impl Into<Bytes>, share: Share) -> Self {
        let text = text.into();
        Self { left: text.len(), pieces: VecDeque::from([text]), share }
    }

    /// Its bytes that are not sent yet.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.pieces.iter().flatten().copied().collect();
        String::from_utf8(bytes).expect("UTF-8")
    }
}

impl Body for Scrape {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        Poll::Ready(this.pieces.pop_front().map(|piece| {
            this.left -= piece.len();
            // Less always fits.
            let _ = this.share.set(this.share.bytes().saturating_sub(piece.len()));
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::memory::Memory;

    fn written(format: Format, parts: &[&str]) -> String {
        let mut writer = Writer::new(format, Memory::unlimited().share("a scrape"));
        parts.iter().for_each(|part| writer.write_str(part).expect("room"));
        writer.finish().expect("room").text()
    }

    #[test]
    fn a_text_stays_the_same_however_it_is_cut() {
        let text = "# HELP a A.\n# TYPE a counter\na_total{x=\"# TYPE a counter\"} 1\n# HELP b B.\n\
                    # TYPE b histogram\nb 1\n# EOF\n";
        let older = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"# TYPE a counter\"} 1\n\
                     # HELP b B.\n# TYPE b histogram\nb 1\n";
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        for parts in [&[text][..], &letters] {
            assert_eq!(written(Format::Open, parts), text);
            assert_eq!(written(Format::Older, parts), older);
        }
        let long = "x 1\n".repeat(PIECE);
        assert_eq!(written(Format::Open, &[&long]), long);
    }

    #[test]
    fn t37_a_scrape_that_does_not_fit_is_refused_before_it_is_whole() {
        let memory = Memory::new(10 * PIECE);
        let mut writer = Writer::new(Format::Open, memory.share("a scrape of the figures"));
        let mut lines = 0;
        while writeln!(writer, "{}", "x".repeat(99)).is_ok() {
            lines += 1;
        }
        assert!((9 * PIECE..11 * PIECE).contains(&(lines * 100)), "{lines}");
        let full = writer.finish().expect_err("refused");
        assert!(full.to_string().starts_with("a scrape of the figures: "), "{full}");
        assert_eq!(memory.taken(), 0);
    }
}
