//! A minimal reader for the X.509 certificates that webpki does not accept: those of version 1,
//! which `openssl x509 -req` makes, and those with keys it considers too weak. Used only for
//! certificates that are trusted by name or where every certificate is trusted; it builds no
//! chains.

use jiff::Timestamp;
use tokio_rustls::rustls::crypto::WebPkiSupportedAlgorithms;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct};

/// Tags of DER (X.690).
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// The object identifier 2.5.4.3, a common name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The smallest RSA key that signatures are verified with, in bits.
const LEAST_RSA: usize = 2048;

/// A certificate, as far as it is read.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// Whether it is of version 1, which has no names except its subject.
    pub(super) first_version: bool,
    subject: &'a [u8],
    /// Both ends of its validity as `YYYYMMDDhhmmss`.
    validity: [String; 2],
    /// The key's algorithm and its parameters.
    algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` for anything else (RFC 5280, section 4.1).
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Der(der).content(SEQUENCE)?;
        let mut fields = outer.content(SEQUENCE)?;
        let version = fields.peek(VERSION).then(|| fields.next()).flatten();
        fields.next()?; // serial number
        fields.content(SEQUENCE)?; // signature algorithm
        fields.content(SEQUENCE)?; // issuer
        let mut dates = fields.content(SEQUENCE)?;
        let validity = [date(dates.next()?)?, date(dates.next()?)?];
        let subject = fields.content(SEQUENCE)?.0;
        let mut key_info = fields.content(SEQUENCE)?;
        let algorithm = key_info.content(SEQUENCE)?.0;
        // The first byte counts unused bits; a key has none.
        let key = key_info.content(BIT_STRING)?.0.get(1..)?;
        Some(Self { first_version: version.is_none(), subject, validity, algorithm, key })
    }

    /// Checks that it is valid at this time.
    pub(super) fn check_dates(&self, now: UnixTime) -> Result<(), CertificateError> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = Timestamp::from_second(seconds)
            .map_err(|_| CertificateError::Expired)?
            .strftime("%Y%m%d%H%M%S")
            .to_string();
        let [from, until] = &self.validity;
        if now < *from {
            return Err(CertificateError::NotValidYet);
        }
        if now > *until { Err(CertificateError::Expired) } else { Ok(()) }
    }

    /// Checks that its subject's common name is this host; for version 1, which has no other names.
    pub(super) fn check_common_name(&self, host: &ServerName<'_>) -> Result<(), CertificateError> {
        let host = host.to_str();
        let mut subject = Der(self.subject);
        while let Some((tag, part)) = subject.next() {
            let name = (tag == SET).then_some(part).and_then(|part| {
                let mut pair = Der(part).content(SEQUENCE)?;
                (pair.content(OBJECT)?.0 == COMMON_NAME).then(|| pair.next())?
            });
            if name.is_some_and(|(_, name)| name.eq_ignore_ascii_case(host.as_bytes())) {
                return Ok(());
            }
        }
        Err(CertificateError::NotValidForName)
    }

    /// Checks that its key signed a handshake. With `lenient`, for where every certificate is
    /// trusted, a signature that cannot be verified is accepted: whoever could forge it could also
    /// present a certificate of their own.
    pub(super) fn has_signed(
        &self,
        message: &[u8],
        signed: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
        lenient: bool,
    ) -> bool {
        let known = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let candidates = known.map_or(&[][..], |(_, candidates)| candidates);
        let mut fitting = candidates
            .iter()
            .filter(|candidate| candidate.public_key_alg_id().as_ref() == self.algorithm)
            .peekable();
        if fitting.peek().is_none() || self.rsa_bits().is_some_and(|bits| bits < LEAST_RSA) {
            return lenient;
        }
        fitting.any(|fits| fits.verify_signature(self.key, message, signed.signature()).is_ok())
    }

    /// The length of an RSA key's modulus, in bits.
    fn rsa_bits(&self) -> Option<usize> {
        const INTEGER: u8 = 0x02;
        let modulus = Der(self.key).content(SEQUENCE)?.content(INTEGER)?.0;
        Some(modulus.iter().skip_while(|byte| **byte == 0).count() * 8)
    }
}

/// A date as `YYYYMMDDhhmmss` (RFC 5280, section 4.1.2.5).
fn date((tag, text): (u8, &[u8])) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match (tag, text.len()) {
        (GENERALIZED_TIME, 14) if digits => Some(text.to_owned()),
        (UTC_TIME, 12) if digits => {
            Some(format!("{}{text}", if text < "50" { "20" } else { "19" }))
        }
        _ => None,
    }
}

/// Consecutive DER elements.
#[derive(Debug, Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The content of the next element, which must have this tag.
    fn content(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| Self(content))
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        // A first byte above 127 holds the number of length bytes that follow.
        let (length, rest) = match first.checked_sub(0x80) {
            None => (usize::from(*first), rest),
            Some(count @ 1..=4) => {
                let (bytes, rest) = rest.split_at_checked(usize::from(count))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            Some(_) => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn der() -> Vec<u8> {
        let mut params = CertificateParams::new(["other".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::OrganizationName, "host.test");
        params.distinguished_name.push(DnType::CommonName, "host.test");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2060, 1, 1);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn dates_and_the_common_name_are_read() {
        let der = der();
        let certificate = Certificate::read(&der).expect("a certificate");
        assert!(!certificate.first_version);
        for (second, expected) in [
            (1_577_836_799, Err(CertificateError::NotValidYet)),
            (1_577_836_800, Ok(())),
            (2_840_140_800, Ok(())),
            (2_840_140_801, Err(CertificateError::Expired)),
        ] {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(second));
            assert_eq!(certificate.check_dates(now), expected, "{second}");
        }
        for (host, known) in [("HOST.test", true), ("other", false), ("host", false)] {
            let name = ServerName::try_from(host).expect("a name");
            assert_eq!(certificate.check_common_name(&name).is_ok(), known, "{host}");
        }
    }

    #[test]
    fn a_truncated_certificate_is_refused() {
        let der = der();
        let whole = Certificate::read(&der).expect("a certificate");
        let needed = whole.key.as_ptr().addr() + whole.key.len() - der.as_ptr().addr();
        assert!((0..needed).all(|length| Certificate::read(&der[..length]).is_none()));
    }
}
