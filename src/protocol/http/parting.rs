//! Connections that their target is about to close, because the request or the response said so.
//! Whoever closes first keeps the pair of ports for a minute (TIME_WAIT; RFC 9293, section 3.6), so a
//! client that does runs out of ports after some ten thousand connections, and looks for a free one for
//! longer each time. The target's end follows its response at once; it is awaited beside the user, who
//! goes on.

use std::cell::RefCell;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::net::Stream;

/// How many connections of a worker wait for their end at the same time; others are closed at once. Each
/// has a descriptor, which users may need.
const MOST: usize = 64;

/// How long each waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those of one worker.
#[derive(Debug, Default)]
pub(super) struct Parting(RefCell<JoinSet<()>>);

impl Parting {
    /// Closes a connection when its target has closed it.
    pub(super) fn see_off(&self, mut stream: Stream) {
        if self.count() >= MOST {
            return;
        }
        self.0.borrow_mut().spawn_local(async move {
            // Whatever comes: nothing is asked of it any more.
            let _ = timeout(PATIENCE, stream.read(&mut [0])).await;
        });
    }

    fn count(&self) -> usize {
        let mut waiting = self.0.borrow_mut();
        while waiting.try_join_next().is_some() {}
        waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    use tokio::task::LocalSet;

    use super::*;

    /// A stream, and its target's end of it.
    async fn pair(listener: &TcpListener) -> (Stream, TcpStream) {
        let address = listener.local_addr().expect("an address");
        let stream = tokio::net::TcpStream::connect(address).await.expect("a target");
        (Stream::Plain(stream), listener.accept().expect("a client").0)
    }

    fn locally(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(LocalSet::new().run_until(test));
    }

    #[test]
    fn the_target_closes_first() {
        locally(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let (stream, mut target) = pair(&listener).await;
            let parting = Parting::default();
            parting.see_off(stream);
            assert_eq!(parting.count(), 1);
            target.set_nonblocking(true).expect("a socket");
            tokio::task::yield_now().await;
            let early = target.read(&mut [0]).expect_err("no end before the target's");
            assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
            target.shutdown(std::net::Shutdown::Write).expect("an end");
            target.set_nonblocking(false).expect("a socket");
            let (ended, end) = mpsc::channel();
            thread::spawn(move || ended.send(target.read(&mut [0]).ok()));
            while parting.count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(end.recv(), Ok(Some(0)), "closed, and not reset");
        });
    }

    #[test]
    fn a_target_that_does_not_close_is_left_and_so_is_what_it_still_says() {
        locally(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let (silent, _target) = pair(&listener).await;
            let (talking, mut talker) = pair(&listener).await;
            let parting = Parting::default();
            parting.see_off(silent);
            parting.see_off(talking);
            talker.write_all(b"more").expect("a client");
            while parting.count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }

    #[test]
    fn only_so_many_are_kept() {
        locally(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let parting = Parting::default();
            let mut targets = Vec::new();
            for _ in 0..=MOST {
                let (stream, target) = pair(&listener).await;
                parting.see_off(stream);
                targets.push(target);
            }
            assert_eq!(parting.count(), MOST);
            let mut last = targets.pop().expect("a target");
            assert_eq!(last.read(&mut [0]).ok(), Some(0), "closed at once");
        });
    }
}
