//! One worker's connection to a master: what arrives becomes events, what is sent waits in a bounded
//! queue. Whoever connects without greeting, sends garbage for long, or does not read is cut off.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::cluster::message::{DecodeError, FromWorker, read_worker};
use crate::cluster::zmtp::{LinkError, Reader, Socket, open, send_all};
use crate::memory::{Full, Memory, Share};
use crate::net::Listeners;

/// The most connections at once.
const MOST_CONNECTIONS: usize = 4096;

/// How long the exchange of greetings may take.
const GREETING: Duration = Duration::from_secs(5);

/// How long to wait before the next connection when one could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);

/// How many messages may wait to be sent to one worker: as many as in ZeroMQ.
const MOST_WAITING: usize = 1000;

/// How many messages that cannot be read a connection may send.
const MOST_MALFORMED: u32 = 20;

/// The longest name of a worker that is read.
const MOST_NAME: usize = 255;

/// What happens on a connection, with its number.
#[derive(Debug)]
pub(super) enum Event {
    /// A worker has connected.
    Opened {
        number: u64,
        id: String,
        outbox: mpsc::Sender<Vec<u8>>,
        /// Closes it.
        close: CancellationToken,
    },
    /// It says something, which takes memory until it is handled.
    Heard(u64, FromWorker, Share),
    /// It says something that cannot be read; `true` if only its end is too long.
    Malformed(u64, bool),
    /// There is no memory for what it says; the connection is gone next.
    Unheard(u64, Full),
    /// The connection is gone.
    Gone(u64),
    /// A connection was refused because of its address.
    Refused,
}

/// Who may connect, and where events go.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// The networks of workers; everybody's if empty.
    pub(super) allowed: Vec<IpNet>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) memory: Arc<Memory>,
}

impl Door {
    fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.is_empty() || self.allowed.iter().any(|network| network.contains(&address))
    }
}

/// Accepts workers until it is dropped.
pub(super) async fn accept(listeners: Listeners, door: Door) {
    let mut accepting = JoinSet::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let numbers = Arc::new(std::sync::atomic::AtomicU64::new(0));
    for listener in listeners.into_sockets() {
        let (door, room, numbers) = (door.clone(), Arc::clone(&room), Arc::clone(&numbers));
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                let (stream, peer) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(_) => {
                        sleep(PAUSE).await;
                        continue;
                    }
                };
                while connections.try_join_next().is_some() {}
                if !door.admits(peer) {
                    tracing::warn!(
                        "a worker at {peer} is refused: --worker-allow does not name it"
                    );
                    let _ = door.events.try_send(Event::Refused);
                    continue;
                }
                let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let door = door.clone();
                connections.spawn(async move {
                    attend(stream, number, &door).await;
                    drop(place);
                });
            }
        });
    }
    while accepting.join_next().await.is_some() {}
}

/// A connection, from its greeting to its end.
async fn attend<S>(stream: S, number: u64, door: &Door)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let share = Some(door.memory.share("frames of workers"));
    let opening = timeout(GREETING, open(stream, Socket::Router, b"", share));
    let link = match opening.await {
        Ok(Ok(link)) if !link.identity.is_empty() => link,
        Ok(Ok(_)) => return tracing::debug!("a peer without identity is no worker"),
        Ok(Err(error)) => return tracing::debug!("a peer is no worker: {error}"),
        Err(_) => return tracing::debug!("a peer does not greet"),
    };
    let mut id = String::from_utf8_lossy(&link.identity).into_owned();
    id.truncate(id.floor_char_boundary(MOST_NAME));
    let (mut reader, writer) = (link.reader, link.writer);
    let (outbox, waiting) = mpsc::channel(MOST_WAITING);
    let close = CancellationToken::new();
    let opened = Event::Opened { number, id, outbox, close: close.clone() };
    if door.events.send(opened).await.is_err() {
        return;
    }
    let hear = async {
        let mut malformed = 0;
        loop {
            let event = match next(&mut reader, &door.memory).await {
                Ok((message, held)) => Event::Heard(number, message, held),
                Err(Unheard::Malformed(error)) => {
                    tracing::debug!("a message of a worker: {error}");
                    malformed += 1;
                    if malformed > MOST_MALFORMED {
                        return;
                    }
                    Event::Malformed(number, matches!(error, DecodeError::Trailing(_)))
                }
                Err(Unheard::Link(LinkError::Full(full)) | Unheard::Full(full)) => {
                    let _ = door.events.send(Event::Unheard(number, full)).await;
                    return;
                }
                Err(Unheard::Link(error)) => {
                    return tracing::debug!("a worker's connection: {error}");
                }
            };
            if door.events.send(event).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = hear => {}
        // Ends when nothing more can be sent, or is to be.
        () = send_all(writer, waiting) => {}
        () = close.cancelled() => {}
    }
    let _ = door.events.send(Event::Gone(number)).await;
}

/// Why there is no message.
enum Unheard {
    Link(LinkError),
    Malformed(DecodeError),
    Full(Full),
}

/// The next message, and the memory that it takes: a report may be large, and many may wait to be counted.
async fn next<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    memory: &Arc<Memory>,
) -> Result<(FromWorker, Share), Unheard> {
    let bytes = reader.message().await.map_err(Unheard::Link)?;
    let message = read_worker(&bytes).map_err(Unheard::Malformed)?.message;
    let mut held = memory.share("messages of workers");
    held.grow(message.size()).map_err(Unheard::Full)?;
    Ok((message, held))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::cluster::message::{Buckets, Entry, Stats, from_worker};

    #[tokio::test]
    async fn t71_reports_that_wait_for_a_master_take_memory_up_to_the_ceiling() {
        let memory = Memory::new(16 << 20);
        let (events, mut heard) = mpsc::channel(1000);
        let door = Door { allowed: Vec::new(), events, memory: Arc::clone(&memory) };
        let (worker, master) = duplex(1 << 16);
        let attending = tokio::spawn(async move { attend(master, 7, &door).await });
        let mut link = open(worker, Socket::Dealer, b"a_1", None).await.expect("a link");
        let entry = Entry { response_times: Buckets(vec![(1.0, 1); 60_000]), ..Entry::default() };
        let stats = Stats { stats: vec![entry], ..Stats::default() };
        let report = from_worker(FromWorker::Stats(Box::new(stats)), "a_1").expect("written");
        // The master reads none of them; the connection is closed at the last.
        let mut sent = 0;
        while sent < 100 && link.writer.send(&report).await.is_ok() {
            sent += 1;
        }
        drop(link);
        attending.await.expect("no panic");
        let mut reports = Vec::new();
        let mut refusal = None;
        while let Some(event) = heard.recv().await {
            match event {
                Event::Heard(7, FromWorker::Stats(_), held) => reports.push(held),
                Event::Unheard(7, full) => refusal = Some(full),
                Event::Opened { .. } | Event::Gone(7) => {}
                other => panic!("{other:?}"),
            }
        }
        // Each takes one to three megabytes, for what it was read into is kept.
        assert!((3..=16).contains(&reports.len()), "{}", reports.len());
        assert!(memory.taken() <= memory.most() && memory.taken() > 8 << 20);
        let refusal = refusal.expect("a refusal").to_string();
        assert!(refusal.contains("of workers") && refusal.contains("--max-memory"), "{refusal}");
        drop(reports);
        assert_eq!(memory.taken(), 0);
    }
}
