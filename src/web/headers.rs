//! What every response has: nothing is kept by caches, framed, sniffed or fetched from elsewhere, and no
//! address of a page is sent anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

/// What pages may load: files and events of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Adds what every response has.
pub(super) fn secure(headers: &mut HeaderMap) {
    // Our scripts and styles say that they may be kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
}

/// Allows a page the styles and scripts that it holds itself, by their digests: what else has come into
/// it never runs.
pub(super) fn allow_inline(headers: &mut HeaderMap, styles: &[&str], scripts: &[&str]) {
    let sources = |texts: &[&str]| {
        let digest = |text: &&str| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
        texts.iter().map(digest).collect::<String>()
    };
    let policy = POLICY
        .replace("style-src 'self'", &format!("style-src 'self'{}", sources(styles)))
        .replace("script-src 'self'", &format!("script-src 'self'{}", sources(scripts)));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}
