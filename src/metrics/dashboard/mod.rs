//! A page of the figures of the test in progress, or of the last one, for browsers and scripts: `/`,
//! `/snapshot` and `/events`, in the reference's form. One thread looks at the figures a few times a
//! second and makes one snapshot per tick for all clients; their connections are another thread's,
//! so that neither their number nor a slow one of them touches a test. The page of a single test has the
//! paths of Locust's page besides, as far as they only show something.

mod course;
mod locust;
mod reply;
mod snapshot;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
    HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;

use self::course::Course;
use self::locust::Stats;
pub use self::locust::{Report, Subject};
use self::reply::Reply;
use super::Exporter;
use crate::lock::{join_until, lock};
use crate::memory::Full;
use crate::net::http_service::{HttpService, Limits, RequestBody};
use crate::record::live::{Changes, Cumulative, Live, Series, total};

/// Pages that are open at once; each has five seconds to send a request without a body. Where there
/// are more, the oldest gives way and asks again.
const LIMITS: Limits = Limits { connections: 64, first: Duration::from_secs(5), ..Limits::DEFAULT };

/// How often the figures are looked at: as often as workers merge theirs.
const LOOK: Duration = Duration::from_millis(250);

/// The shortest time between two snapshots, whatever is asked for.
const SHORTEST: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";

const HTML: &str = "text/html; charset=utf-8";

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Only the page's own files, and no page around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A report says itself, by digests, which scripts and styles are its own.
const REPORT_POLICY: &str = "connect-src 'none'; object-src 'none'; base-uri 'none'; \
                             form-action 'none'; frame-ancestors 'none'";

/// How often pages get new figures, and over what time a rate is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Time between two snapshots of `/events`.
    pub refresh: Duration,
    /// The time that `rps` and `avg_ms` are about.
    pub window: Duration,
}

impl Pace {
    /// The reference's.
    pub const DEFAULT: Self =
        Self { refresh: Duration::from_secs(1), window: Duration::from_secs(10) };
}

/// A running dashboard.
#[derive(Debug)]
pub struct Dashboard {
    service: HttpService,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dashboard {
    /// Listens on the first of these addresses that is free, or on a free port where theirs is 0.
    /// `shown` returns the figures of the test that is shown at the time.
    pub fn start(
        shown: impl Fn() -> Option<Arc<Live>> + Send + Sync + 'static,
        cumulative: Arc<Cumulative>,
        pace: Pace,
        addresses: &[SocketAddr],
    ) -> io::Result<Self> {
        Self::serve(Figures::new(Shown(Box::new(shown)), cumulative, pace), addresses)
    }

    /// The same about one test, with the paths of Locust's page.
    pub fn of_test(
        subject: Subject,
        cumulative: Arc<Cumulative>,
        addresses: &[SocketAddr],
    ) -> io::Result<Self> {
        let live = Arc::clone(&subject.live);
        let shown = Shown(Box::new(move || Some(Arc::clone(&live))));
        let figures = Figures::new(shown, cumulative, Pace::DEFAULT);
        let stats = Some(Mutex::new(Stats::new(subject, figures.clock.now())));
        Self::serve(Figures { stats, ..figures }, addresses)
    }

    fn serve(figures: Figures, addresses: &[SocketAddr]) -> io::Result<Self> {
        let pace = figures.pace;
        let figures = Arc::new(figures);
        let seen = Arc::clone(&figures);
        // Elsewhere a name of this machine is what its users know it by.
        let local = addresses.iter().all(|address| address.ip().is_loopback());
        let respond = move |request| {
            std::future::ready(match local && !names_an_address(&request) {
                true => {
                    plain(StatusCode::FORBIDDEN, "use the address of this page, or localhost\n")
                }
                false => respond(&request, &seen),
            })
        };
        let service = HttpService::start("dashboard", addresses, LIMITS, respond)?;
        let (stop, stopped) = channel::<()>();
        let work = move || {
            let tick = pace.refresh.clamp(SHORTEST, LOOK);
            let mut next = Instant::now();
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                next = figures.tick(next);
            }
        };
        let thread = thread::Builder::new().name("dashboard-ticks".to_owned()).spawn(work)?;
        Ok(Self { service, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.service.address()
    }
}

impl Exporter for Dashboard {
    fn begin_to_stop(&mut self) {
        drop(self.stop.take());
        self.service.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.begin_to_stop();
        let (pages, ticks) =
            (self.service.stop_until(deadline), join_until(&mut self.thread, deadline));
        pages && ticks
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.begin_to_stop();
        if let Some(thread) = self.thread.take() {
            // The thread has reported its own panic.
            let _ = thread.join();
        }
    }
}

/// The test that is shown at the time.
struct Shown(Box<dyn Fn() -> Option<Arc<Live>> + Send + Sync>);

impl fmt::Debug for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Shown")
    }
}

/// What the pages show.
#[derive(Debug)]
struct Figures {
    shown: Shown,
    cumulative: Arc<Cumulative>,
    pace: Pace,
    clock: Clock,
    /// In Locust's form, on the page of a test.
    stats: Option<Mutex<Stats>>,
    seen: Mutex<Seen>,
    /// The latest snapshot that was made for all who follow.
    published: watch::Sender<Bytes>,
}

/// What was seen so far.
#[derive(Debug)]
struct Seen {
    changes: Changes,
    course: Course,
    /// By [`Text`].
    made: [Option<Made>; 5],
}

/// What is made for all clients.
#[derive(Debug, Clone, Copy)]
enum Text {
    /// An event with the snapshot.
    Snapshot,
    Requests,
    RequestsCsv,
    FailuresCsv,
    /// Of the test so far; empty where there is none.
    Report,
}

/// The latest of a text.
#[derive(Debug)]
struct Made {
    text: Bytes,
    at: Duration,
    /// How long it took.
    cost: Duration,
}

/// The time since the Unix epoch, which is never set back.
#[derive(Debug)]
struct Clock(Duration, Instant);

impl Clock {
    fn start() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now, Instant::now())
    }

    fn now(&self) -> Duration {
        self.0 + self.1.elapsed()
    }
}

/// What stands before the JSON of an event, and behind it.
const EVENT: (&[u8], &[u8]) = (b"data: ", b"\n\n");

/// The same of a text that stands alone.
const BARE: (&[u8], &[u8]) = (b"", b"");

impl Figures {
    fn new(shown: Shown, cumulative: Arc<Cumulative>, pace: Pace) -> Self {
        let clock = Clock::start();
        let course = Course::new(clock.now(), pace.window);
        let seen =
            Mutex::new(Seen { changes: cumulative.changes(), course, made: [const { None }; 5] });
        Self {
            shown,
            cumulative,
            pace,
            clock,
            stats: None,
            seen,
            published: watch::Sender::new(Bytes::new()),
        }
    }

    /// Looks at what was counted since the last time, and makes a snapshot if one is due and anybody
    /// follows; returns when the next is due.
    fn tick(&self, due: Instant) -> Instant {
        let now = Instant::now();
        if now < due || self.published.receiver_count() == 0 {
            self.look(&mut lock(&self.seen));
            return due;
        }
        // Without memory for one, those who follow keep the last.
        if let Ok(event) = self.text(Text::Snapshot, |_, _| false) {
            self.published.send_replace(event);
        }
        now + self.pace.refresh.max(SHORTEST)
    }

    fn look(&self, seen: &mut Seen) -> Duration {
        let changes: Vec<Series> = seen.changes.take();
        let now = self.clock.now();
        seen.course.add(now, &total(&changes));
        self.stats.as_ref().inspect(|stats| lock(stats).look(now));
        now
    }

    /// The latest of a text if it is young, else that of now.
    fn text(&self, what: Text, young: impl FnOnce(&Made, Duration) -> bool) -> Result<Bytes, Full> {
        let mut seen = lock(&self.seen);
        let begun = self.clock.now();
        if let Some(Some(made)) = seen.made.get(what as usize)
            && young(made, begun.saturating_sub(made.at))
        {
            return Ok(made.text.clone());
        }
        let at = self.look(&mut seen);
        let of_stats = |text: fn(&Stats) -> String| {
            self.stats.as_ref().map(|stats| text(&lock(stats))).unwrap_or_default()
        };
        let (parts, text) = match what {
            Text::Snapshot => {
                (EVENT, snapshot::text((self.shown.0)().as_deref(), &seen.course, at))
            }
            Text::Requests => (BARE, of_stats(Stats::requests)),
            Text::RequestsCsv => (BARE, of_stats(Stats::requests_csv)),
            Text::FailuresCsv => (BARE, of_stats(Stats::failures_csv)),
            Text::Report => (BARE, of_stats(|stats| stats.report().unwrap_or_default())),
        };
        let mut share = self.cumulative.memory().share("a snapshot for the dashboard");
        share.grow(text.len())?;
        let text = Bytes::from_owner(reply::Kept::new([parts.0, text.as_bytes(), parts.1], share));
        let cost = self.clock.now().saturating_sub(begun);
        if let Some(made) = seen.made.get_mut(what as usize) {
            *made = Some(Made { text: text.clone(), at, cost });
        }
        Ok(text)
    }

    /// The text for a request. However many there are, each kind takes a tenth of a core at most.
    fn for_request(&self, what: Text) -> Result<Bytes, Full> {
        self.text(what, |made, age| age < made.cost * 10)
    }

    fn snapshot(&self) -> Result<Bytes, Full> {
        let event = self.for_request(Text::Snapshot)?;
        Ok(event.slice(EVENT.0.len()..event.len() - EVENT.1.len()))
    }

    fn events(&self) -> Result<Reply, Full> {
        let receiver = self.published.subscribe();
        Ok(Reply::events(self.for_request(Text::Snapshot)?, receiver))
    }
}

fn respond(request: &Request<RequestBody>, figures: &Figures) -> Response<Reply> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return read_only("GET, HEAD");
    }
    let path = request.uri().path();
    if figures.stats.is_some()
        && let Some(response) = of_locust(request, figures)
    {
        return response;
    }
    let made = match path {
        "/" | "/index.html" => Ok((HTML, Reply::of(PAGE))),
        "/dashboard.js" => Ok(("text/javascript; charset=utf-8", Reply::of(SCRIPT))),
        "/dashboard.css" => Ok(("text/css; charset=utf-8", Reply::of(STYLE))),
        "/snapshot" => figures.snapshot().map(|json| (JSON, Reply::of(json))),
        // A head alone would never end.
        "/events" if *request.method() == Method::HEAD => Ok(("text/event-stream", Reply::of(""))),
        "/events" => figures.events().map(|events| ("text/event-stream", events)),
        _ => return plain(StatusCode::NOT_FOUND, "not found"),
    };
    answer(made)
}

/// The paths of Locust's page, but for those that are not served here.
fn of_locust(request: &Request<RequestBody>, figures: &Figures) -> Option<Response<Reply>> {
    let text = |what, kind| answer(figures.for_request(what).map(|text| (kind, Reply::of(text))));
    let json = |text: &'static str| response(StatusCode::OK, JSON, Reply::of(text));
    let is_alone = || figures.stats.as_ref().is_some_and(|stats| lock(stats).is_alone());
    Some(match request.uri().path() {
        "/stats/requests" => text(Text::Requests, JSON),
        "/stats/requests/csv" => text(Text::RequestsCsv, "text/csv"),
        "/stats/failures/csv" => text(Text::FailuresCsv, "text/csv"),
        "/stats/report" => report(request, figures),
        "/stats/requests_full_history/csv" => {
            plain(StatusCode::NOT_FOUND, "this page keeps no history; /events has the figures\n")
        }
        // Tasks are no code here, so they raise none.
        "/exceptions" => json("{\"exceptions\": []}"),
        "/exceptions/csv" => {
            let columns = "Count,Message,Traceback,Nodes\r\n";
            response(StatusCode::OK, "text/csv", Reply::of(columns))
        }
        // What is logged is for whoever runs this program.
        "/logs" => json("{\"master\": [], \"workers\": {}}"),
        "/tasks" => {
            let tasks = figures.stats.as_ref().map(|stats| lock(stats).tasks());
            response(StatusCode::OK, JSON, Reply::of(tasks.unwrap_or_default()))
        }
        "/worker-count" if is_alone() => json("{\"worker_count\": 0}"),
        // What would change the test.
        "/swarm" | "/stop" | "/stats/reset" | "/user" => read_only(""),
        _ => return None,
    })
}

/// The report of the test so far, to look at or to keep.
fn report(request: &Request<RequestBody>, figures: &Figures) -> Response<Reply> {
    let page = match figures.for_request(Text::Report) {
        Ok(page) if !page.is_empty() => page,
        Ok(_) => {
            let none = "there is no report of this test yet; ask again\n";
            return plain(StatusCode::SERVICE_UNAVAILABLE, none);
        }
        Err(full) => return answer(Err(full)),
    };
    let mut response = response(StatusCode::OK, HTML, Reply::of(page));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
    let query = request.uri().query().unwrap_or_default();
    // As there: any value but an empty one.
    let is_kept = query
        .split('&')
        .any(|pair| pair.strip_prefix("download=").is_some_and(|value| !value.is_empty()));
    if is_kept {
        let name = HeaderValue::from_static("attachment; filename=\"report.html\"");
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}

fn read_only(allowed: &'static str) -> Response<Reply> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this page is read only\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn answer(made: Result<(&'static str, Reply), Full>) -> Response<Reply> {
    match made {
        Ok((kind, reply)) => response(StatusCode::OK, kind, reply),
        Err(full) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")),
    }
}

/// Whether the request names this machine by an address or as `localhost`. A name of another site that
/// leads here would let the pages of that site read the figures.
fn names_an_address(request: &Request<RequestBody>) -> bool {
    let Some(host) = request.headers().get(HOST) else { return true };
    let Ok(host) = host.to_str().unwrap_or_default().parse::<hyper::http::uri::Authority>() else {
        return false;
    };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Reply> {
    response(status, "text/plain", Reply::of(text))
}

fn response(status: StatusCode, kind: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::ticker::tests::request;
    use super::*;
    use crate::memory::Memory;

    const PACE: Pace = Pace { refresh: Duration::from_secs(3600), window: Duration::from_secs(10) };

    fn figures(cumulative: &Arc<Cumulative>) -> Figures {
        Figures::new(Shown(Box::new(|| None)), Arc::clone(cumulative), PACE)
    }

    #[test]
    fn t101_one_snapshot_is_made_for_all_who_ask_while_it_is_young_for_its_cost() {
        let figures = figures(&Arc::default());
        let first = figures.for_request(Text::Snapshot).expect("room");
        let set = |cost| {
            let mut seen = lock(&figures.seen);
            seen.made[0].as_mut().expect("a snapshot").cost = cost;
        };
        set(Duration::from_secs(3600));
        assert_eq!(first.as_ptr(), figures.for_request(Text::Snapshot).expect("room").as_ptr());
        set(Duration::ZERO);
        assert_ne!(first.as_ptr(), figures.for_request(Text::Snapshot).expect("room").as_ptr());
    }

    #[test]
    fn t101_snapshots_that_slow_clients_hold_take_memory_and_are_refused_beyond_it() {
        let memory = Memory::new(1 << 20);
        let cumulative = Arc::new(Cumulative::new(&memory));
        let figures = figures(&cumulative);
        let before = memory.taken();
        let mut held = Vec::new();
        let full = loop {
            match figures.text(Text::Snapshot, |_, _| false) {
                Ok(event) => held.push(event),
                Err(full) => break full,
            }
        };
        assert!(full.to_string().starts_with("a snapshot for the dashboard: "), "{full}");
        assert!(held.len() > 10);
        drop(held);
        lock(&figures.seen).made[0] = None;
        assert_eq!(memory.taken(), before);
    }

    #[test]
    fn without_pages_that_follow_a_tick_makes_no_snapshot() {
        let cumulative = Arc::<Cumulative>::default();
        let figures = figures(&cumulative);
        request(&cumulative, "a", 5, 1, false);
        let due = Instant::now();
        assert_eq!(figures.tick(due), due);
        assert!(lock(&figures.seen).made[0].is_none());
        let mut page = figures.published.subscribe();
        assert!(figures.tick(due) >= due + PACE.refresh);
        let event = page.borrow_and_update().clone();
        assert!(event.starts_with(b"data: {\"totals\": {") && event.ends_with(b"}\n\n"));
    }
}
