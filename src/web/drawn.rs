//! What was drawn of runs. However many watch one, it is drawn once a second at most, and not at all while
//! none does; what was drawn is shared by all of them, so a watcher takes no memory of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use tokio::time::Instant;

use crate::lock::lock;
use crate::memory::{Full, Memory, Share};
use crate::report::html::Part;
use crate::wire::refusal::Refusal;

/// How long what was drawn of a run in progress is shown.
const FRESH: Duration = Duration::from_secs(1);

/// The most watchers that are sent something new in that time: what all of them read is written by the
/// process that makes the load, and is to take less than a fiftieth of it.
const MOST_AT_ONCE: usize = 100;

/// The same of one that has ended: only its rows may still go.
const FRESH_AT_END: Duration = Duration::from_secs(60);

/// What was drawn of runs, by their numbers.
pub(super) struct Pages {
    all: Mutex<HashMap<u64, Arc<Page>>>,
    /// The last number of a change. Numbers grow over restarts too: a page that was open meanwhile
    /// has seen nothing of what comes.
    changes: AtomicU64,
    pub(super) charts: Charts,
}

/// The charts of names that readers have opened, locked while one is drawn.
pub(super) type Charts = tokio::sync::Mutex<HashMap<(u64, String, String), (Instant, Bytes)>>;

/// The most that are kept.
const MOST_CHARTS: usize = 50;

/// What was drawn of a run; locked while it is drawn.
pub(super) type Page = tokio::sync::Mutex<Option<Arc<Drawn>>>;

/// A drawing.
#[derive(Debug)]
pub(super) struct Drawn {
    at: Instant,
    /// Whether its run has ended.
    pub(super) is_final: bool,
    pub(super) pieces: Vec<Piece>,
    _share: Share,
}

/// A part of a drawing.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) part: Part,
    /// As an event.
    event: Bytes,
    /// The number of its last change.
    change: u64,
}

impl Default for Pages {
    fn default() -> Self {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
        let changes = AtomicU64::new(u64::try_from(now).unwrap_or(0));
        Self { all: Mutex::default(), changes, charts: Charts::default() }
    }
}

impl Pages {
    pub(super) fn of(&self, run: u64) -> Arc<Page> {
        let mut all = lock(&self.all);
        all.retain(|_, page| {
            let is_fresh =
                |drawn: &Option<Arc<Drawn>>| drawn.as_ref().is_some_and(|drawn| drawn.is_fresh(0));
            Arc::strong_count(page) > 1 || page.try_lock().is_ok_and(|drawn| is_fresh(&drawn))
        });
        Arc::clone(all.entry(run).or_default())
    }
}

/// The charts of a name, drawn once a second at most however many ask for them.
pub(super) async fn shared<E>(
    charts: &Charts,
    key: (u64, String, String),
    draw: impl Future<Output = Result<String, E>>,
) -> Result<Bytes, E> {
    let mut known = charts.lock().await;
    known.retain(|_, (at, _)| at.elapsed() < FRESH);
    if let Some((_, drawn)) = known.get(&key) {
        return Ok(drawn.clone());
    }
    let drawn = Bytes::from(draw.await?);
    if known.len() < MOST_CHARTS {
        known.insert(key, (Instant::now(), drawn.clone()));
    }
    Ok(drawn)
}

impl Drawn {
    /// Of these parts: those that are as they were keep their numbers.
    pub(super) fn new(
        parts: Vec<Part>,
        is_final: bool,
        before: Option<&Self>,
        pages: &Pages,
        memory: &Arc<Memory>,
    ) -> Result<Self, Refusal> {
        let mut share = memory.share("the page of a run");
        let mut change = None;
        let mut pieces = Vec::new();
        for part in parts {
            let known =
                before.and_then(|drawn| drawn.pieces.iter().find(|piece| piece.part == part));
            let (event, number) = match known {
                Some(piece) => (piece.event.clone(), piece.change),
                None => {
                    let number = *change
                        .get_or_insert_with(|| pages.changes.fetch_add(1, Ordering::Relaxed) + 1);
                    (event(&part), number)
                }
            };
            let full = |full: Full| Refusal::busy(&full.to_string());
            share.grow(part.html.len() + event.len()).map_err(full)?;
            pieces.push(Piece { part, event, change: number });
        }
        Ok(Self { at: Instant::now(), is_final, pieces, _share: share })
    }

    /// Whether it is shown still, to so many watchers.
    pub(super) fn is_fresh(&self, watchers: usize) -> bool {
        let crowd = (watchers as f64 / MOST_AT_ONCE as f64).max(1.0);
        self.at.elapsed() < if self.is_final { FRESH_AT_END } else { FRESH.mul_f64(crowd) }
    }

    /// The number of its last change.
    pub(super) fn change(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.change).max().unwrap_or(0)
    }

    /// What has changed since a change, as events; the last tells how much the client has seen.
    pub(super) fn since(&self, seen: u64) -> VecDeque<Bytes> {
        let new = self.pieces.iter().filter(|piece| piece.change > seen);
        let mut events: VecDeque<Bytes> = new.map(|piece| piece.event.clone()).collect();
        if !events.is_empty() {
            events.push_back(format!("id: {}\n\n", self.change()).into());
        }
        if self.is_final {
            events.push_back(Bytes::from_static(b"event: end\ndata: {}\n\n"));
        }
        events
    }
}

/// A part as an event, on one line as JSON has it.
fn event(part: &Part) -> Bytes {
    let data = serde_json::json!({ "part": part.name, "html": part.html });
    format!("event: part\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, html: &str) -> Part {
        Part { name, html: html.to_owned() }
    }

    #[tokio::test]
    async fn the_charts_of_a_name_are_drawn_once_for_all_who_ask_within_a_second() {
        let (charts, drawn) = (Charts::default(), AtomicU64::new(0));
        let ask = |name: String| {
            let draw = async {
                drawn.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>("<figure>".to_owned())
            };
            shared(&charts, (1, "GET".to_owned(), name), draw)
        };
        for _ in 0..20 {
            assert_eq!(ask("a".to_owned()).await.expect("charts"), "<figure>");
        }
        assert!(drawn.load(Ordering::Relaxed) < 20);
        for name in 0..2 * MOST_CHARTS {
            ask(name.to_string()).await.expect("charts");
        }
        assert!(charts.lock().await.len() <= MOST_CHARTS);
    }

    #[test]
    fn a_watcher_is_sent_what_has_changed_since_it_has_seen_it() {
        let pages = Pages { changes: AtomicU64::new(7), ..Pages::default() };
        let memory = Memory::new(1 << 20);
        let drawn = |parts: &[Part], is_final, before: Option<&Drawn>| {
            Drawn::new(parts.to_vec(), is_final, before, &pages, &memory).expect("room")
        };
        let text = |events: VecDeque<Bytes>| {
            let bytes: Vec<u8> = events.into_iter().flatten().collect();
            String::from_utf8(bytes).expect("UTF-8")
        };
        let first = drawn(&[part("names", "a"), part("test", "t\n\nid: 9")], false, None);
        let all = text(first.since(0));
        assert_eq!(all.matches("event: part\n").count(), 2);
        assert!(all.ends_with("id: 8\n\n") && !all.contains("\nid: 9"), "{all}");
        assert_eq!(text(first.since(8)), "");
        let same = drawn(&[part("names", "a"), part("test", "t\n\nid: 9")], false, Some(&first));
        assert_eq!(same.change(), 8);
        let last = drawn(&[part("names", "b"), part("test", "t\n\nid: 9")], true, Some(&same));
        let new = "event: part\ndata: {\"part\":\"names\",\"html\":\"b\"}\n\nid: 9\n\n";
        let end = "event: end\ndata: {}\n\n";
        assert_eq!(text(last.since(8)), format!("{new}{end}"));
        assert_eq!(text(last.since(9)), end);
        drop((first, same, last));
        assert_eq!(memory.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_drawn_once_a_second_and_more_seldom_for_hundreds_of_watchers() {
        let memory = Memory::new(1 << 20);
        let drawn = Drawn::new(Vec::new(), false, None, &Pages::default(), &memory).expect("room");
        let fresh = || [1, MOST_AT_ONCE, 2 * MOST_AT_ONCE].map(|crowd| drawn.is_fresh(crowd));
        assert_eq!(fresh(), [true; 3]);
        tokio::time::advance(FRESH).await;
        assert_eq!(fresh(), [false, false, true]);
        tokio::time::advance(FRESH).await;
        assert_eq!(fresh(), [false; 3]);
    }
}
