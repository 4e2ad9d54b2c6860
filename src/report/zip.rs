//! A zip archive that is written without going back: the length of each part follows its bytes
//! (APPNOTE.TXT 6.3.10, sections 4.3 and 4.4).

use std::io::{self, Write};

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

/// Version 2.0: deflate.
const VERSION: u16 = 20;

/// The length follows, and names are UTF-8.
const FLAGS: u16 = 0x0808;

const DEFLATED: u16 = 8;

/// 1980-01-01, the oldest date of the format: reports of equal records are equal.
const DATE: u16 = 0x21;

/// An archive.
pub(super) struct Archive<'a> {
    out: Counted<'a>,
    entries: Vec<Entry>,
}

struct Entry {
    name: &'static str,
    crc: u32,
    compressed: u32,
    length: u32,
    offset: u32,
}

impl<'a> Archive<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out: Counted { out, bytes: 0 }, entries: Vec::new() }
    }

    /// Adds a file.
    pub(super) fn file(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let offset = small(self.out.bytes)?;
        self.out.numbers("PK\u{3}\u{4}", &[VERSION, FLAGS, DEFLATED, 0, DATE], &[0, 0, 0])?;
        self.out.write_all(
            &[u16::try_from(name.len()).unwrap_or(0), 0].map(u16::to_le_bytes).concat(),
        )?;
        self.out.write_all(name.as_bytes())?;
        let before = self.out.bytes;
        let (crc, bytes) = deflated(&mut self.out, write)?;
        let length = small(bytes)?;
        let compressed = small(self.out.bytes - before)?;
        self.out.numbers("PK\u{7}\u{8}", &[], &[crc, compressed, length])?;
        self.entries.push(Entry { name, crc, compressed, length, offset });
        Ok(())
    }

    /// Writes the directory.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let start = small(self.out.bytes)?;
        for Entry { name, crc, compressed, length, offset } in &self.entries {
            let head = [VERSION, VERSION, FLAGS, DEFLATED, 0, DATE];
            self.out.numbers("PK\u{1}\u{2}", &head, &[*crc, *compressed, *length])?;
            let name_length = u16::try_from(name.len()).unwrap_or(0);
            self.out.numbers("", &[name_length, 0, 0, 0, 0], &[0, *offset])?;
            self.out.write_all(name.as_bytes())?;
        }
        let length = small(self.out.bytes)? - start;
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        self.out.numbers("PK\u{5}\u{6}", &[0, 0, count, count], &[length, start])?;
        self.out.write_all(&[0, 0])
    }
}

/// Writes a part; returns its checksum and its length.
fn deflated(
    out: &mut Counted<'_>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<(u32, u64)> {
    let encoder = DeflateEncoder::new(out, Compression::fast());
    let mut part = Part { encoder, crc: Crc::new(), bytes: 0 };
    let mut buffered = io::BufWriter::with_capacity(64 * 1024, &mut part);
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    let Part { encoder, crc, bytes } = part;
    encoder.finish()?;
    Ok((crc.sum(), bytes))
}

/// A length or a place; larger ones need extensions that not every program reads.
fn small(bytes: u64) -> io::Result<u32> {
    u32::try_from(bytes)
        .map_err(|_| io::Error::other("an archive of more than 4 GiB is not written"))
}

/// A file that is being written.
struct Part<'a, 'b> {
    encoder: DeflateEncoder<&'a mut Counted<'b>>,
    crc: Crc,
    bytes: u64,
}

impl Write for Part<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.encoder.write(bytes)?;
        self.crc.update(bytes.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Counted<'_> {
    /// Writes a signature and numbers, little-endian.
    fn numbers(&mut self, signature: &str, shorts: &[u16], longs: &[u32]) -> io::Result<()> {
        self.write_all(signature.as_bytes())?;
        shorts.iter().try_for_each(|number| self.write_all(&number.to_le_bytes()))?;
        longs.iter().try_for_each(|number| self.write_all(&number.to_le_bytes()))
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn number(file: &[u8], at: usize, bytes: usize) -> usize {
        file[at..at + bytes].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }

    /// The files of an archive, by its directory.
    pub(in super::super) fn unzipped(file: &[u8]) -> Vec<(String, Vec<u8>)> {
        let end = file.len() - 22;
        assert_eq!(&file[end..end + 4], b"PK\x05\x06");
        let mut at = number(file, end + 16, 4);
        let mut found = Vec::new();
        for _ in 0..number(file, end + 10, 2) {
            assert_eq!(&file[at..at + 4], b"PK\x01\x02");
            let [crc, compressed, length] = [16, 20, 24].map(|place| number(file, at + place, 4));
            let name_length = number(file, at + 28, 2);
            let name =
                String::from_utf8(file[at + 46..at + 46 + name_length].to_vec()).expect("UTF-8");
            let begin = number(file, at + 42, 4);
            assert_eq!(&file[begin..begin + 4], b"PK\x03\x04");
            let begin = begin + 30 + name_length;
            let mut content = Vec::new();
            let part = &file[begin..begin + compressed];
            DeflateDecoder::new(part).read_to_end(&mut content).expect("deflated");
            let mut sum = Crc::new();
            sum.update(&content);
            assert_eq!((sum.sum() as usize, content.len()), (crc, length), "{name}");
            found.push((name, content));
            at += 46 + name_length;
        }
        found
    }

    #[test]
    fn an_archive_holds_what_was_written() {
        let mut file = Vec::new();
        let mut archive = Archive::new(&mut file);
        archive.file("a/b.xml", |out| out.write_all(b"one")).expect("written");
        let large = vec![b'x'; 300_000];
        archive.file("c", |out| out.write_all(&large)).expect("written");
        archive.file("empty", |_| Ok(())).expect("written");
        archive.finish().expect("written");
        assert!(file.len() < 10_000);
        let found = unzipped(&file);
        let expected = [
            ("a/b.xml".to_owned(), b"one".to_vec()),
            ("c".to_owned(), large),
            ("empty".to_owned(), Vec::new()),
        ];
        assert_eq!(found, expected);
    }
}
