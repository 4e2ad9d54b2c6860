//! The pages of runs, which are drawn again while they change. A watcher is sent the parts that have
//! changed since it has seen them, at its own pace.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Frame;
use maud::{PreEscaped, html};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::call::{Answer, Call, Site};
use super::drawn::{self, Drawn, Page};
use super::error::{Problem, empty};
use super::events::{LAST_EVENT_ID, SILENCE};
use super::{assets, reply, runs, view};
use crate::net::http_service::InUse;
use crate::server::Watching;
use crate::wire::refusal::Refusal;

/// How often a watcher looks for changes.
const LOOK: Duration = Duration::from_millis(500);

/// One run.
pub(super) async fn run(call: Call) -> Answer {
    let number = call.number("run")?;
    let drawn = drawn(&call.site, number).await?;
    let stream = format!("/runs/{number}/parts?since={}", drawn.change());
    let body = html! {
        nav class="bar" aria-label="Pages" { a href="/" { "All runs" } }
        p class="link" role="status" hidden {}
        p class="unseen" role="status" aria-live="polite" data-said {}
        main data-run=(number) data-live=[(!drawn.is_final).then_some(stream)] {
            @for piece in &drawn.pieces {
                section data-part=(piece.part.name) { (PreEscaped(&piece.part.html)) }
            }
        }
    };
    Ok(assets::page(&format!("Run {number}"), &["report", "live"], &body))
}

/// Stops one, for a browser.
pub(super) async fn stop(call: Call) -> Answer {
    let run = call.number("run")?;
    runs::stop(call).await?;
    Ok(view::to_run(run))
}

/// The charts of a name, for a page on which it was opened.
pub(super) async fn charts(call: Call) -> Answer {
    let run = call.number("run")?;
    let query = call.head.uri.query().unwrap_or_default().as_bytes();
    let of = |key: &str| {
        let mut pairs = url::form_urlencoded::parse(query);
        pairs
            .find(|(known, _)| known == key)
            .map_or_else(String::new, |(_, text)| text.into_owned())
    };
    let (method, name) = (of("method"), of("name"));
    let executor = call.site.handle.executor();
    let key = (run, method.clone(), name.clone());
    let draw = call.blocking(move || executor.charts(run, &method, &name));
    let drawn = drawn::shared(&call.site.pages.charts, key, draw).await?;
    Ok(reply::of(StatusCode::OK, "text/html; charset=utf-8", Body::from(drawn)))
}

/// What is shown of a run now.
async fn drawn(site: &Arc<Site>, run: u64) -> Result<Arc<Drawn>, Problem> {
    draw(site, run, site.pages.of(run)).await
}

async fn draw(site: &Arc<Site>, run: u64, page: Arc<Page>) -> Result<Arc<Drawn>, Problem> {
    let watchers = Arc::strong_count(&page);
    let mut page = page.lock_owned().await;
    if let Some(drawn) = page.as_ref().filter(|drawn| drawn.is_fresh(watchers)) {
        return Ok(Arc::clone(drawn));
    }
    let site = Arc::clone(site);
    // It is kept even if whoever asked for it has left, so that leaving causes no work.
    let drawing = spawn_blocking(move || {
        let (parts, is_final) = view::parts(&site, run)?;
        let before = page.as_deref();
        let memory = site.handle.memory();
        let drawn = Drawn::new(parts, is_final, before, &site.pages, memory)?;
        let drawn = Arc::new(drawn);
        *page = Some(Arc::clone(&drawn));
        Ok::<_, Refusal>(drawn)
    });
    Ok(drawing.await.map_err(|_| Problem::crashed())??)
}

/// Sends the parts of a page as they change.
pub(super) async fn follow(call: Call) -> Answer {
    let run = call.number("run")?;
    let query = call.head.uri.query().unwrap_or_default();
    let since = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "since");
    let last = call.head.headers.get(LAST_EVENT_ID).and_then(|last| last.to_str().ok());
    let seen = last.or(since.as_ref().map(|(_, since)| &**since));
    let seen = seen.and_then(|seen| seen.parse().ok()).unwrap_or(0);
    let place = call.site.handle.watch().map_err(Problem::overloaded)?;
    let page = call.site.pages.of(run);
    let first = draw(&call.site, run, Arc::clone(&page)).await?;
    if first.is_final && first.change() <= seen {
        // It has all of them: a browser asks no more.
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let mut events = first.since(seen);
    // A browser that is disconnected tries again soon.
    events.push_front(Bytes::from_static(b"retry: 1000\n\n"));
    let watcher = Watcher {
        site: Arc::clone(&call.site),
        run,
        page,
        seen: first.change(),
        is_over: first.is_final,
        events,
        _place: place,
        _in_use: call.peer.in_use.clone(),
    };
    let stream = Stream { next: Some(Box::pin(watcher.next())) };
    Ok(reply::of(StatusCode::OK, "text/event-stream", Body::new(stream)))
}

/// Somebody who watches a run.
struct Watcher {
    site: Arc<Site>,
    run: u64,
    /// Held, so that what was drawn is not forgotten in between.
    page: Arc<Page>,
    /// The last change that was sent.
    seen: u64,
    /// Whether nothing follows.
    is_over: bool,
    events: VecDeque<Bytes>,
    _place: Watching,
    _in_use: InUse,
}

impl Watcher {
    /// Waits for the next event; `None` after the last one.
    async fn next(mut self) -> Option<(Self, Bytes)> {
        if self.events.is_empty() && !self.is_over {
            match timeout(SILENCE, self.changed()).await {
                Ok(Ok(drawn)) => {
                    self.events = drawn.since(self.seen);
                    self.seen = drawn.change();
                    self.is_over = drawn.is_final;
                }
                // The client tries again, and sees why.
                Ok(Err(_)) => return None,
                Err(_) => self.events.push_back(Bytes::from_static(b":\n\n")),
            }
        }
        let event = self.events.pop_front()?;
        Some((self, event))
    }

    /// Waits for a drawing with something new.
    async fn changed(&self) -> Result<Arc<Drawn>, Problem> {
        loop {
            sleep(LOOK).await;
            let drawn = draw(&self.site, self.run, Arc::clone(&self.page)).await?;
            if drawn.is_final || drawn.change() > self.seen {
                return Ok(drawn);
            }
        }
    }
}

/// The body of a response: taken at the client's pace, so whoever reads slowly misses what lies between.
struct Stream {
    next: Option<Next>,
}

/// The next event of a watcher.
type Next = Pin<Box<dyn Future<Output = Option<(Watcher, Bytes)>> + Send>>;

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let found = ready!(next.as_mut().poll(context));
        let (watcher, event) = match found {
            Some(found) => found,
            None => {
                self.next = None;
                return Poll::Ready(None);
            }
        };
        self.next = Some(Box::pin(watcher.next()));
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
