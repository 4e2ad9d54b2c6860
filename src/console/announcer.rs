//! What a server says on stdout while it serves. The lines are written by a thread of their own, so
//! that a reader who has stopped reading, or gone, never delays a request. Documents print here, too:
//! a terminal does not obey what they say.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::tame;

/// Lines that wait for a slow reader; what comes on top is dropped.
const QUEUE: usize = 1024;

/// How long the end of the program waits for a slow reader.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The way to stdout.
#[derive(Debug)]
pub struct Announcer {
    /// `None` ends the thread.
    lines: SyncSender<Option<String>>,
    written: Receiver<()>,
}

impl Announcer {
    /// Starts the thread that writes to stdout.
    pub fn stdout() -> io::Result<Self> {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self::over(Box::new(stdout), terminal)
    }

    fn over(out: Box<dyn Write + Send>, terminal: bool) -> io::Result<Self> {
        let (lines, queue) = sync_channel(QUEUE);
        let (done, written) = sync_channel(1);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            write_all(out, terminal, &queue);
            let _ = done.send(());
        })?;
        Ok(Self { lines, written })
    }

    /// Writes a line, at once or never: it does not wait.
    pub fn say(&self, line: String) {
        let _ = self.lines.try_send(Some(line));
    }

    /// A handle that says lines.
    pub fn speaker(&self) -> impl Fn(String) + Send + Sync + Clone + 'static + use<> {
        let lines = self.lines.clone();
        move |line| {
            let _ = lines.try_send(Some(line));
        }
    }

    /// Waits until what was said is written, but not for a reader who does not read.
    pub fn close(self) {
        let _ = self.lines.try_send(None);
        let _ = self.written.recv_timeout(LAST_WORDS);
    }
}

/// Writes lines until the end is said, also past a closed pipe.
fn write_all(mut out: Box<dyn Write + Send>, terminal: bool, queue: &Receiver<Option<String>>) {
    while let Ok(Some(said)) = queue.recv() {
        let mut line = if terminal { tame(&said).into_owned() } else { said };
        line.push('\n');
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes on every write.
    struct Told(mpsc::Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Never takes a byte until its channel closes.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_before_the_end() {
        let (told, heard) = mpsc::channel();
        let announcer = Announcer::over(Box::new(Told(told)), false).expect("a thread");
        let speaker = announcer.speaker();
        speaker("one".to_owned());
        announcer.say("two".to_owned());
        announcer.close();
        let lines: Vec<Vec<u8>> = heard.iter().collect();
        assert_eq!(lines, [b"one\n".to_vec(), b"two\n".to_vec()]);
    }

    #[test]
    fn t23_a_terminal_does_not_obey_what_a_document_prints() {
        let (told, heard) = mpsc::channel();
        let announcer = Announcer::over(Box::new(Told(told)), true).expect("a thread");
        announcer.speaker()("\u{1b}]0;title\u{7}\u{9b}2J\u{202e}done".to_owned());
        announcer.close();
        let lines: Vec<Vec<u8>> = heard.iter().collect();
        assert_eq!(lines, [b"\\x1b]0;title\\x07\\x9b2J\\u202edone\n".to_vec()]);
    }

    #[test]
    fn f14_a_reader_who_does_not_read_delays_nobody() {
        let (_unstick, stuck) = mpsc::channel();
        let announcer = Announcer::over(Box::new(Stuck(stuck)), false).expect("a thread");
        for _ in 0..QUEUE * 2 {
            announcer.say("line".to_owned());
        }
        announcer.close();
    }
}
