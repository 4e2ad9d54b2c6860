//! Files that grow by lines.

use std::io::{self, Read, Seek, SeekFrom, Write};

use cap_std::fs::Metadata;

use super::{Files, MAX_READ_BYTES, SECRET, failure, not_regular, refusal, too_large};
use crate::event::Failure;
use crate::record::file::{appending, creating};

impl Files {
    /// Adds a line to a file, which is created if it does not exist, and syncs it. A last line that was
    /// not ended is ended first. A file of more than [`MAX_READ_BYTES`] takes no more.
    pub fn append_line(&self, path: &str, line: &str) -> Result<(), Failure> {
        let inside = self.inside(path)?;
        let (parent, name) = self.parent(path, &inside)?;
        self.replaceable(&parent, name).map_err(|why| refusal(path, why))?;
        // What prevents it, opening reports.
        let _ = parent.open_with(name, &creating());
        let opened = parent.open_with(name, &appending());
        let mut file = opened.map_err(|error| failure(path, &error))?.into_std();
        let metadata = Metadata::from_file(&file).map_err(|error| failure(path, &error))?;
        if !metadata.is_file() {
            return Err(not_regular(path));
        }
        if self.is_secret(&metadata) {
            return Err(refusal(path, SECRET));
        }
        if metadata.len() + line.len() as u64 >= MAX_READ_BYTES {
            return Err(too_large(path, metadata.len()));
        }
        let mut work = || -> io::Result<()> {
            let mut last = [b'\n'];
            if metadata.len() > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            let end = if last == [b'\n'] { "" } else { "\n" };
            // In one piece: others may add lines at the same time.
            file.write_all(format!("{end}{line}\n").as_bytes())?;
            file.sync_all()
        };
        work().map_err(|error| failure(path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::data_dir;

    #[test]
    fn lines_are_added_to_a_file_and_one_that_was_cut_off_is_ended() {
        let (dir, files) = data_dir();
        let text = || std::fs::read_to_string(dir.path().join("data/log")).expect("a file");
        files.append_line("log", "a").expect("written");
        files.append_line("log", "b").expect("written");
        assert_eq!(text(), "a\nb\n");
        std::fs::write(dir.path().join("data/log"), "a\nhal").expect("written");
        files.append_line("log", "c").expect("written");
        assert_eq!(text(), "a\nhal\nc\n");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_added_outside_to_links_to_special_files_and_to_very_large_ones() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        std::fs::write(dir.path().join("outside"), "kept").expect("written");
        std::os::unix::fs::symlink("../outside", data.join("link")).expect("a link");
        std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
        let fifo = std::process::Command::new("mkfifo").arg(data.join("fifo")).status();
        assert!(fifo.expect("mkfifo").success());
        let large = std::fs::File::create(data.join("large")).expect("a file");
        large.set_len(64 << 20).expect("a sparse file");
        let files = files.without(&[data.join("token")]);
        std::fs::write(data.join("token"), "secret").expect("written");
        for path in ["../outside", "link", "up/outside", "fifo", "large", "token", "", ".", ".x"] {
            files.append_line(path, "x").expect_err(path);
        }
        assert_eq!(std::fs::read(dir.path().join("outside")).expect("a file"), b"kept");
        assert_eq!(std::fs::read(data.join("token")).expect("a file"), b"secret");
    }
}
