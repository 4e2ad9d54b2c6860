//! The output of a server on stdout. A separate thread writes the lines, so that a reader that is
//! slow or gone never delays a request. Documents print here, too: their lines are escaped for a
//! terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::escape;

/// Lines that wait for a slow reader; further ones are dropped.
const QUEUE: usize = 1024;

/// How long the thread pauses after a write. Lines in the meantime are written together afterwards:
/// waking a thread and writing for every single line cost a fifth of a ping.
const REST: Duration = Duration::from_millis(5);

/// How long the end of the program waits for a slow reader.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The queue of lines for stdout.
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

    /// Queues a line, or drops it: it never waits.
    pub fn say(&self, line: String) {
        let _ = self.lines.try_send(Some(line));
    }

    /// A handle that queues lines.
    pub fn speaker(&self) -> impl Fn(String) + Send + Sync + Clone + 'static + use<> {
        let lines = self.lines.clone();
        move |line| {
            let _ = lines.try_send(Some(line));
        }
    }

    /// Waits until all lines are written, but only briefly for a reader that does not read.
    pub fn close(self) {
        let _ = self.lines.try_send(None);
        let _ = self.written.recv_timeout(LAST_WORDS);
    }
}

/// Writes lines until the end, even after the pipe is closed.
fn write_all(mut out: Box<dyn Write + Send>, terminal: bool, queue: &Receiver<Option<String>>) {
    let mut text = String::new();
    while let Ok(first) = queue.recv() {
        let mut ended = false;
        for line in std::iter::once(first).chain(queue.try_iter()) {
            let Some(line) = line else {
                ended = true;
                break;
            };
            if terminal {
                text.push_str(&escape::for_terminal(&line));
            } else {
                text.push_str(&line);
            }
            text.push('\n');
        }
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        text.clear();
        if ended {
            return;
        }
        std::thread::sleep(REST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes on every write.
    struct ChannelWriter(mpsc::Sender<Vec<u8>>);

    impl Write for ChannelWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Accepts no byte until its channel closes.
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
        let (sender, receiver) = mpsc::channel();
        let announcer = Announcer::over(Box::new(ChannelWriter(sender)), false).expect("a thread");
        let speaker = announcer.speaker();
        speaker("one".to_owned());
        announcer.say("two".to_owned());
        announcer.close();
        let written: Vec<u8> = receiver.iter().flatten().collect();
        assert_eq!(written, b"one\ntwo\n");
    }

    #[test]
    fn t23_the_output_of_a_document_cannot_control_a_terminal() {
        let (sender, receiver) = mpsc::channel();
        let announcer = Announcer::over(Box::new(ChannelWriter(sender)), true).expect("a thread");
        announcer.speaker()("\u{1b}]0;title\u{7}\u{9b}2J\u{202e}done".to_owned());
        announcer.close();
        let lines: Vec<Vec<u8>> = receiver.iter().collect();
        assert_eq!(lines, [b"\\x1b]0;title\\x07\\x9b2J\\u202edone\n".to_vec()]);
    }

    #[test]
    fn f14_a_reader_that_does_not_read_delays_no_request() {
        let (_unstick, stuck) = mpsc::channel();
        let announcer = Announcer::over(Box::new(Stuck(stuck)), false).expect("a thread");
        for _ in 0..QUEUE * 2 {
            announcer.say("line".to_owned());
        }
        announcer.close();
    }
}
