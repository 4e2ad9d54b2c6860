//! The replies of a run: written at the client's pace while it is in progress, and the connection of a
//! client that holds it is watched.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{CHUNK, Sent, Session};
use crate::counters::Counters;
use crate::event::Event;
use crate::run::Run;
use crate::server::execute::Job;
use crate::server::pipe::Pipe;
use crate::server::respond::Bond;
use crate::server::state::Active;
use crate::server::transport::Transport;
use crate::server::writer::PipeWriter;
use crate::wire::dialect::ReplyFormat;
use crate::wire::events::event_into;
use crate::wire::frame::terminator_into;
use crate::wire::refusal::Refusal;

/// How long the client of a held run may acknowledge nothing.
const HELD: Duration = Duration::from_secs(30);

/// How often a connection is used whose client has closed its sending side.
const ALIVE: Duration = Duration::from_secs(1);

/// What happens first while a held run is in progress.
enum Taken {
    /// Bytes for the client; `None` at the end of the reply.
    Chunk(Option<Vec<u8>>),
    /// It is time to use the connection.
    Alive,
    /// The connection is gone.
    Broken,
}

/// What is noticed of a client while it waits.
enum Noticed {
    Input,
    EndOfInput,
    Due,
    Broken,
}

/// What is known of the client that holds a run.
struct Presence {
    /// Whether it has closed its sending side.
    input_ended: bool,
    /// When to use the connection next, after that.
    next: Instant,
}

impl Default for Presence {
    fn default() -> Self {
        Self { input_ended: false, next: Instant::now() }
    }
}

impl<S: Transport> Session<S> {
    /// Runs a job and writes its events. If the client leaves, the job continues, unless the connection
    /// holds its run, which is stopped then.
    pub(super) async fn run(&mut self, job: Job, bond: Bond, format: ReplyFormat, active: Active) {
        self.stream.set_nodelay();
        let shared = Arc::clone(self.shared());
        let waiting = shared.memory.share("a reply");
        let pipe = Arc::new(Pipe::new(shared.limits().reply_queue, waiting));
        let is_detached = matches!(bond, Bond::Detached);
        let running = {
            let (shared, pipe, peer) = (Arc::clone(&shared), Arc::clone(&pipe), self.peer);
            tokio::task::spawn_blocking(move || {
                // A shutdown waits for it, whether its client does or not.
                let _active = Active::new(&shared);
                let reply = PipeWriter::new(pipe, format, &shared, peer);
                let mut reply = if is_detached { reply.only_first() } else { reply };
                job(&mut reply, &shared.shutdown);
                reply.finish();
            })
        };
        let hold = match bond {
            Bond::Held(hold) => Some(hold),
            Bond::None | Bond::Detached => None,
        };
        if hold.is_some() {
            self.stream.expect_acknowledgements(HELD);
        }
        let mut presence = Presence::default();
        loop {
            let taken = match hold {
                Some(_) => self.take_or_notice(&pipe, &mut presence).await,
                None => Taken::Chunk(pipe.take().await),
            };
            let sent = match &taken {
                Taken::Chunk(None) => break,
                Taken::Chunk(Some(chunk)) => self.send(chunk).await,
                Taken::Alive => {
                    let mut alive = Vec::new();
                    event_into(&Event::Alive, &mut alive);
                    self.send(&alive).await
                }
                Taken::Broken => Sent::Broken,
            };
            match sent {
                Sent::Whole => {}
                Sent::Broken => {
                    match &hold {
                        _ if pipe.is_concluded() => {}
                        Some(hold) => {
                            tracing::warn!("{}: the client left; its run is stopped", self.peer);
                            hold.let_go();
                        }
                        None => tracing::info!("{}: the client left; its run continues", self.peer),
                    }
                    pipe.leave();
                    break;
                }
                Sent::Late => pipe.give_up(),
            }
        }
        if is_detached {
            return self.close(true, active).await;
        }
        let mut running = running;
        let ended = match &hold {
            // Its reply was dropped because it does not read; it may still leave.
            Some(hold) if pipe.is_dropped() && !pipe.is_left() => tokio::select! {
                ended = &mut running => ended,
                () = self.stream.broken() => {
                    tracing::warn!("{}: the client left; its run is stopped", self.peer);
                    hold.let_go();
                    pipe.leave();
                    running.await
                }
            },
            _ => running.await,
        };
        if pipe.is_left() {
            return;
        }
        if pipe.is_dropped() {
            Counters::count(&shared.counters().shed);
            tracing::warn!(
                "{}: the client does not read, and {} bytes wait for it (--max-reply-queue); its \
                 reply is dropped",
                self.peer,
                shared.limits().reply_queue
            );
            return;
        }
        if ended.is_err() {
            Counters::count(&shared.counters().panics);
            let mut out = Vec::new();
            let refusal = Refusal::internal("the run crashed; see the server's log");
            refusal.reply_into(format.mode, format.dialect, &mut out);
            self.send(&out).await;
        }
        // The peer may have sent anything during the run.
        self.close(true, active).await;
    }

    /// The next bytes for the client, unless its connection turns out to be gone first.
    async fn take_or_notice(&mut self, pipe: &Pipe, presence: &mut Presence) -> Taken {
        loop {
            let Self { stream, buffer, .. } = self;
            let watch = async {
                if presence.input_ended {
                    sleep_until(presence.next).await;
                    return Noticed::Due;
                }
                match buffer.fill(stream, CHUNK).await {
                    Ok(0) => Noticed::EndOfInput,
                    Ok(_) => Noticed::Input,
                    Err(_) => Noticed::Broken,
                }
            };
            let noticed = tokio::select! {
                biased;
                chunk = pipe.take() => return Taken::Chunk(chunk),
                noticed = watch => noticed,
            };
            match noticed {
                // Nothing is expected after the request.
                Noticed::Input => buffer.wipe(),
                Noticed::Broken => return Taken::Broken,
                // Either a half-close or the end of the client: only a reply to what is sent
                // distinguishes them.
                Noticed::EndOfInput | Noticed::Due => {
                    presence.input_ended = true;
                    presence.next = Instant::now() + ALIVE;
                    return Taken::Alive;
                }
            }
        }
    }

    /// Writes the events of a run, from its beginning to its end, at the client's pace.
    pub(super) async fn follow(&mut self, run: &Run, format: ReplyFormat, active: Active) {
        let shared = Arc::clone(self.shared());
        let _permit = match shared.watcher() {
            Ok(permit) => permit,
            Err(refusal) => {
                let mut out = Vec::new();
                refusal.reply_into(format.mode, format.dialect, &mut out);
                self.send(&out).await;
                return self.close(true, active).await;
            }
        };
        self.stream.set_nodelay();
        let (mut changes, mut last) = (run.changes(), 0);
        let mut out = Vec::new();
        loop {
            changes.mark_unchanged();
            let (events, may_continue) = run.events_after(last);
            for (number, event) in events {
                last = number;
                out.clear();
                event_into(&event, &mut out);
                if !matches!(self.send(&out).await, Sent::Whole) {
                    return;
                }
            }
            if !may_continue {
                break;
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { break },
                () = self.stream.broken() => return,
            }
        }
        out.clear();
        terminator_into(format.mode, &mut out);
        self.send(&out).await;
        self.close(true, active).await;
    }
}
