//! Passes a reply from a run's thread to the session that writes it. It buffers a bounded number of
//! bytes: if the client does not read, the run waits for a moment, then drops the reply and
//! continues.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::memory::{Full, Share};

/// Buffered bytes for a client.
#[derive(Debug)]
pub(super) struct Pipe {
    state: Mutex<PipeState>,
    /// Notified when bytes were written or the reader is gone.
    room: Condvar,
    /// Notified when there are bytes to write, or no more follow.
    filled: Notify,
    most: usize,
}

#[derive(Debug)]
struct PipeState {
    /// The memory of what waits, which a chunk of any size can be.
    share: Share,
    waiting: Vec<u8>,
    /// Taken and not yet written.
    writing: usize,
    /// The last bytes are about to be added.
    ending: bool,
    ended: bool,
    dropped: bool,
    /// The reader is gone.
    left: bool,
}

impl Pipe {
    pub(super) fn new(most: usize, share: Share) -> Self {
        let state = PipeState {
            share,
            waiting: Vec::new(),
            writing: 0,
            ending: false,
            ended: false,
            dropped: false,
            left: false,
        };
        Self { state: Mutex::new(state), room: Condvar::new(), filled: Notify::new(), most }
    }

    fn state(&self) -> MutexGuard<'_, PipeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes memory for a chunk that is about to be added, or says why there is none.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Full> {
        self.state().share.grow(bytes)
    }

    /// Adds bytes, waiting at most `timeout` for room; an empty pipe accepts a chunk of any size.
    /// Returns false if the reply is dropped. Blocks the thread.
    pub(super) fn push(&self, chunk: &[u8], timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        loop {
            if state.dropped {
                return false;
            }
            let held = state.waiting.len() + state.writing;
            if held == 0 || held + chunk.len() <= self.most {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.drop_all();
                drop(state);
                self.filled.notify_one();
                return false;
            }
            let waited = self.room.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.extend_from_slice(chunk);
        state.settle();
        drop(state);
        self.filled.notify_one();
        true
    }

    /// The run is over, and the last bytes follow.
    pub(super) fn conclude(&self) {
        self.state().ending = true;
    }

    /// Whether the run is over: a client that leaves then has what it waited for.
    pub(super) fn is_concluded(&self) -> bool {
        self.state().ending
    }

    /// Marks the end of the reply.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.filled.notify_one();
    }

    /// Returns the next bytes; the previous ones count as written. `None` after the last, or when
    /// the reply is dropped.
    pub(super) async fn take(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.state();
                state.writing = 0;
                state.settle();
                if state.dropped {
                    return None;
                }
                if !state.waiting.is_empty() {
                    let chunk = std::mem::take(&mut state.waiting);
                    state.writing = chunk.len();
                    self.room.notify_all();
                    return Some(chunk);
                }
                self.room.notify_all();
                if state.ended {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Marks the client as gone: later bytes are discarded.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.left = true;
        state.drop_all();
        drop(state);
        self.room.notify_all();
    }

    /// Whether the client left before the end of the reply.
    pub(super) fn is_left(&self) -> bool {
        self.state().left
    }

    /// Drops the rest of the reply, because the client does not read.
    pub(super) fn give_up(&self) {
        self.state().drop_all();
        self.room.notify_all();
    }

    /// Whether the reply was dropped before its end.
    pub(super) fn is_dropped(&self) -> bool {
        self.state().dropped
    }
}

impl PipeState {
    fn drop_all(&mut self) {
        self.dropped = true;
        self.waiting = Vec::new();
        self.settle();
    }

    /// Gives back the memory of what no longer waits. What a chunk has beyond its reservation is
    /// little: a terminator, a refusal.
    fn settle(&mut self) {
        let held = self.waiting.len() + self.writing;
        let _ = self.share.set(held);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::Memory;

    fn pipe(most: usize) -> Pipe {
        Pipe::new(most, Memory::new(usize::MAX).share("a reply"))
    }

    const NEVER: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn bytes_arrive_in_order_and_end() {
        let pipe = pipe(10);
        assert!(pipe.push(b"ab", NEVER) && pipe.push(b"cd", NEVER));
        pipe.end();
        assert_eq!(pipe.take().await.as_deref(), Some(&b"abcd"[..]));
        assert_eq!(pipe.take().await, None);
    }

    #[tokio::test]
    async fn a_chunk_longer_than_the_pipe_passes_through_an_empty_one() {
        let pipe = pipe(2);
        assert!(pipe.push(b"long", NEVER));
        assert!(!pipe.push(b"x", Duration::ZERO));
        assert!(pipe.is_dropped());
        assert_eq!(pipe.take().await, None);
    }

    #[tokio::test]
    async fn t31_what_waits_for_a_client_takes_memory_until_it_is_written_or_dropped() {
        let memory = Memory::new(100);
        let pipe = Pipe::new(1000, memory.share("a reply"));
        for chunk in [&[1; 60][..], &[2; 30]] {
            pipe.reserve(chunk.len()).expect("room");
            assert!(pipe.push(chunk, NEVER));
        }
        assert_eq!(memory.taken(), 90);
        let full = pipe.reserve(11).expect_err("full").to_string();
        assert!(full.starts_with("a reply: 11 bytes more do not fit"), "{full}");
        assert_eq!(pipe.take().await.map(|chunk| chunk.len()), Some(90));
        assert_eq!(memory.taken(), 90, "it is being written");
        assert!(pipe.push(&[3; 5], NEVER));
        pipe.take().await;
        assert_eq!(memory.taken(), 5);
        pipe.leave();
        drop(pipe);
        assert_eq!(memory.taken(), 0);
    }

    #[tokio::test]
    async fn a_writer_waits_for_a_slow_reader() {
        let pipe = Arc::new(pipe(4));
        let writer = {
            let pipe = Arc::clone(&pipe);
            std::thread::spawn(move || {
                let all = (0..100_u8).all(|byte| pipe.push(&[byte; 3], NEVER));
                pipe.end();
                all
            })
        };
        let mut read = Vec::new();
        while let Some(chunk) = pipe.take().await {
            read.extend(chunk);
        }
        assert_eq!(read, (0..100).flat_map(|byte| [byte; 3]).collect::<Vec<u8>>());
        assert!(writer.join().expect("no panic"));
    }

    #[tokio::test]
    async fn a_reader_that_gives_up_frees_the_writer() {
        let pipe = Arc::new(pipe(1));
        assert!(pipe.push(b"a", NEVER));
        let writer = {
            let pipe = Arc::clone(&pipe);
            std::thread::spawn(move || pipe.push(b"b", NEVER))
        };
        pipe.give_up();
        assert!(!writer.join().expect("no panic"));
    }
}
