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
use crate::cluster::zmtp::{Socket, open, send_all};
use crate::memory::Memory;
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
    /// It says something.
    Heard(u64, FromWorker),
    /// It says something that cannot be read; `true` if only its end is too long.
    Malformed(u64, bool),
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
        while let Ok(message) = reader.message().await {
            let event = match read_worker(&message) {
                Ok(read) => Event::Heard(number, read.message),
                Err(error) => {
                    tracing::debug!("a message of a worker: {error}");
                    malformed += 1;
                    if malformed > MOST_MALFORMED {
                        return;
                    }
                    Event::Malformed(number, matches!(error, DecodeError::Trailing(_)))
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
