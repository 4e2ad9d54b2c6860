//! Redirects. A recording has every request of a chain, and a client that follows redirects makes
//! the later ones itself: so a chain that is complete in the recording becomes its first request
//! with the status of the last response. If it is incomplete (its end was filtered out, or the
//! recording does not name the target), each request becomes a task of its own that does not follow
//! redirects.

use url::Url;

use super::entry::Entry;

/// How many entries may lie between a redirect and the request to its target: what a page loads in
/// parallel.
const LOOKAHEAD: usize = 16;

/// The longest chain, as in browsers.
const MAX_CHAIN: usize = 20;

/// An entry that becomes a task.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) entry: &'a Entry<'a>,
    /// The last entry of its chain of redirects.
    pub(super) last: &'a Entry<'a>,
    /// The status of its last response, if any.
    pub(super) status: Option<u16>,
    /// Whether its redirect must not be followed.
    pub(super) stays: bool,
}

/// The entries that become tasks.
pub(super) fn steps<'a>(entries: &'a [Entry<'a>]) -> Vec<Step<'a>> {
    let mut taken = vec![false; entries.len()];
    let mut steps = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if taken.get(index) == Some(&true) {
            continue;
        }
        let mut step = Step { entry, last: entry, status: entry.status, stays: false };
        if redirects(entry) {
            match chain(entries, index, &taken) {
                None => step.stays = true,
                Some((links, status)) => {
                    step.status = status;
                    step.last = links.last().and_then(|last| entries.get(*last)).unwrap_or(entry);
                    links
                        .into_iter()
                        .filter_map(|link| taken.get_mut(link).map(|taken| *taken = true))
                        .count();
                }
            }
        }
        steps.push(step);
    }
    steps
}

fn redirects(entry: &Entry<'_>) -> bool {
    matches!(entry.status, Some(301 | 302 | 303 | 307 | 308))
}

/// The later requests of a chain and its last status, if the recording is complete.
fn chain(entries: &[Entry<'_>], first: usize, taken: &[bool]) -> Option<(Vec<usize>, Option<u16>)> {
    let mut links: Vec<usize> = Vec::new();
    let mut from = first;
    while links.len() < MAX_CHAIN {
        let entry = entries.get(from)?;
        let (method, target) = (next_method(entry)?, target(entry)?);
        let ahead = entries.iter().enumerate().skip(from + 1).take(LOOKAHEAD);
        let (next, found) = ahead
            .filter(|(index, _)| taken.get(*index) == Some(&false) && !links.contains(index))
            .find(|(_, entry)| {
                entry.method == method && plain(&entry.url) == Some(target.clone())
            })?;
        links.push(next);
        if !redirects(found) {
            return Some((links, found.status));
        }
        from = next;
    }
    None
}

/// The method of the next request, where all clients agree on it.
fn next_method<'a>(entry: &'a Entry<'_>) -> Option<&'a str> {
    match (entry.status?, entry.method.as_str()) {
        (_, "HEAD") => None,
        (301 | 302, "GET" | "POST") | (303, _) => Some("GET"),
        (307 | 308, method) => Some(method),
        _ => None,
    }
}

fn target(entry: &Entry<'_>) -> Option<Url> {
    let mut target = Url::parse(&entry.url).ok()?.join(entry.location?).ok()?;
    target.set_fragment(None);
    Some(target)
}

/// A URL as it is sent, without its fragment.
fn plain(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    url.set_fragment(None);
    Some(url)
}
