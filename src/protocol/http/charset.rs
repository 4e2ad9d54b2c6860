//! A body's bytes as UTF-8 text, for assertions and extractors: by the response's charset, by a
//! byte order mark, or by a guess from the bytes. Labels and tables are those of the WHATWG
//! Encoding Standard, plus UTF-32, which browsers have dropped but Python has not.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A charset that cannot be decoded, by its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCharset(pub String);

/// Decodes a body as text. An unknown charset does not matter if the bytes are UTF-8 anyway, as in
/// Python's requests; bytes without a charset are UTF-8 or otherwise ISO-8859-1, the historical
/// default for text.
pub fn text<'a>(
    body: &'a [u8],
    content_type: Option<&[u8]>,
) -> Result<Cow<'a, [u8]>, UnknownCharset> {
    let label = content_type.and_then(label);
    match label.as_deref().map(|label| (label, Charset::of(label))) {
        Some((_, Some(charset))) => Ok(charset.decode(body)),
        Some((label, None)) if is_dropped(label) => Err(unknown(label)),
        Some((label, None)) => guess(body).ok_or_else(|| unknown(label)),
        None => Ok(guess(body).unwrap_or_else(|| {
            let json = content_type.is_some_and(|given| {
                memchr::memmem::find(&given.to_ascii_lowercase(), b"json").is_some()
            });
            bytes(if json { UTF_8 } else { WINDOWS_1252 }, body)
        })),
    }
}

/// Decodes a body as JSON text. Its first characters are ASCII, so their zero bytes reveal the
/// encoding (RFC 4627, section 3), which takes precedence over a charset, because JSON has none.
pub fn json<'a>(
    body: &'a [u8],
    content_type: Option<&[u8]>,
) -> Result<Cow<'a, [u8]>, UnknownCharset> {
    let charset = match *body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Charset::Utf32 { big: None },
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Charset::Utf16 { big: None },
        [0, 0, 0, _, ..] => Charset::Utf32 { big: Some(true) },
        [_, 0, 0, 0, ..] => Charset::Utf32 { big: Some(false) },
        [0, _, ..] => Charset::Utf16 { big: Some(true) },
        [_, 0, ..] => Charset::Utf16 { big: Some(false) },
        _ => return text(body, content_type),
    };
    Ok(charset.decode(body))
}

/// The encoding of a text.
#[derive(Debug, Clone, Copy)]
enum Charset {
    Of(&'static Encoding),
    /// The byte order, if specified; otherwise a mark determines it, or it is little-endian.
    Utf16 {
        big: Option<bool>,
    },
    Utf32 {
        big: Option<bool>,
    },
}

impl Charset {
    /// Returns the charset for a label, also in Python's spelling (`utf_8`, `latin-1`).
    fn of(label: &str) -> Option<Self> {
        match label.replace('_', "-").as_str() {
            "utf-16" | "utf16" => Some(Self::Utf16 { big: None }),
            "utf-32" | "utf32" => Some(Self::Utf32 { big: None }),
            "utf-32le" | "utf-32-le" => Some(Self::Utf32 { big: Some(false) }),
            "utf-32be" | "utf-32-be" => Some(Self::Utf32 { big: Some(true) }),
            "utf-16-le" => Some(Self::Utf16 { big: Some(false) }),
            "utf-16-be" => Some(Self::Utf16 { big: Some(true) }),
            dashed => {
                let find = |label: &str| Encoding::for_label_no_replacement(label.as_bytes());
                let found = find(label).or_else(|| find(dashed));
                found.or_else(|| find(&dashed.replace('-', ""))).map(Self::Of)
            }
        }
    }

    fn decode(self, body: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Of(encoding) => bytes(encoding, body),
            Self::Utf16 { big } => {
                let big = big.unwrap_or_else(|| body.starts_with(&[0xfe, 0xff]));
                bytes(if big { UTF_16BE } else { UTF_16LE }, body)
            }
            Self::Utf32 { big } => {
                let big = big.unwrap_or_else(|| body.starts_with(&[0, 0, 0xfe, 0xff]));
                Cow::Owned(utf32(body, big).into_bytes())
            }
        }
    }
}

/// Decodes without the byte order mark; invalid bytes become U+FFFD, as in requests.
fn bytes<'a>(encoding: &'static Encoding, body: &'a [u8]) -> Cow<'a, [u8]> {
    match encoding.decode_with_bom_removal(body).0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn utf32(body: &[u8], big: bool) -> String {
    let (units, rest) = body.as_chunks::<4>();
    let read = if big { u32::from_be_bytes } else { u32::from_le_bytes };
    let valid = |unit: &[u8; 4]| char::from_u32(read(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let cut = (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
    let text = units.iter().map(valid).chain(cut);
    text.enumerate()
        .filter(|(at, unit)| *at > 0 || *unit != '\u{feff}')
        .map(|(_, unit)| unit)
        .collect()
}

/// Decodes text by its byte order mark, or because it is valid UTF-8.
fn guess(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match *body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some(Charset::Utf32 { big: None }.decode(body))
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Charset::Utf16 { big: None }.decode(body)),
        [0xef, 0xbb, 0xbf, ref text @ ..] => Some(bytes(UTF_8, text)),
        _ => std::str::from_utf8(body).is_ok().then_some(Cow::Borrowed(body)),
    }
}

/// The value of `charset` in a `Content-Type`, in lower case and without quotes.
fn label(content_type: &[u8]) -> Option<String> {
    // Most responses name a type alone.
    memchr::memchr(b';', content_type)?;
    let text = String::from_utf8_lossy(content_type);
    let label = text.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })?;
    let blank = |letter: char| letter.is_ascii_whitespace() || matches!(letter, '"' | '\'');
    let label = label.trim_matches(blank).to_ascii_lowercase();
    (!label.is_empty()).then_some(label)
}

/// Seven-bit encodings that are no longer decoded, because ASCII bytes mean other text in them (the
/// Encoding Standard's "replacement", and UTF-7): their bytes look like UTF-8 but are not.
fn is_dropped(label: &str) -> bool {
    Encoding::for_label(label.as_bytes()).is_some() || matches!(label, "utf-7" | "utf7")
}

fn unknown(label: &str) -> UnknownCharset {
    // No longer than a report can show.
    UnknownCharset(label.escape_default().take(40).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: &[u8]) -> Result<String, UnknownCharset> {
        let given = (!content_type.is_empty()).then_some(content_type.as_bytes());
        text(body, given).map(|text| String::from_utf8(text.into_owned()).expect("UTF-8"))
    }

    #[test]
    fn text_is_decoded_by_its_charset_its_mark_or_a_guess() {
        let utf16: Vec<u8> = "é日".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (content_type, body, want) in [
            ("text/html; charset=iso-8859-1", &b"caf\xe9"[..], "café"),
            ("text/html; Charset=\"ISO-8859-1\"", b"caf\xe9", "café"),
            ("text/html;charset='latin-1'", b"caf\xe9", "café"),
            ("text/html; a=b ; CHARSET = windows-1251 ; c", b"\xc4\xe0", "Да"),
            ("text/html; charset=Shift_JIS", b"\x93\xfa\x96{", "日本"),
            ("text/html; charset=euc-jp", b"\xc6\xfc", "日"),
            ("text/html; charset=gb2312", b"\xc8\xd5", "日"),
            ("text/html; charset=Big5", b"\xa4\xe9", "日"),
            ("text/html; charset=koi8-r", b"\xe4\xc1", "Да"),
            ("text/html; charset=utf_8", "é".as_bytes(), "é"),
            ("text/html; charset=utf-8", b"\xef\xbb\xbf\xc3\xa9", "é"),
            ("text/html; charset=utf-8", b"caf\xe9", "caf\u{fffd}"),
            ("text/html; charset=utf-16", &utf16, "é日"),
            ("text/html; charset=utf-16", b"\xfe\xff\x00\xe9", "é"),
            ("text/html; charset=utf-16be", b"\x00\xe9", "é"),
            ("text/html; charset=utf-32", b"\xff\xfe\0\0\xe9\0\0\0", "é"),
            // Python's requests decodes unknown charsets as UTF-8.
            ("text/html; charset=none", "é".as_bytes(), "é"),
            ("text/html; charset=", "é".as_bytes(), "é"),
            ("text/html", b"caf\xe9", "café"),
            // Requests decodes this as ISO-8859-1; text that is valid UTF-8 is not so by chance.
            ("text/html", "é".as_bytes(), "é"),
            ("text/html", b"\xef\xbb\xbf\xc3\xa9", "é"),
            ("text/html", b"\xff\xfe\xe9\0", "é"),
            ("application/json", b"\"\xe9\"", "\"\u{fffd}\""),
            ("image/png", b"\x89PNG", "‰PNG"),
            ("", b"", ""),
        ] {
            let got = read(content_type, body);
            assert_eq!(got.as_deref(), Ok(want), "{content_type}: {}", body.escape_ascii());
        }
    }

    #[test]
    fn bytes_in_an_unknown_charset_are_not_text() {
        for label in ["ibm037", "iso-2022-kr", "hz-gb-2312", "utf-7"] {
            let body = if label == "ibm037" { &b"\x83\x81\xc3"[..] } else { b"+AOk-" };
            let got = read(&format!("text/html; charset={label}"), body);
            assert_eq!(got, Err(UnknownCharset(label.to_owned())));
        }
    }

    #[test]
    fn the_encoding_of_json_is_detected_from_its_bytes() {
        const TEXT: &str = r#"{"k": "é日"}"#;
        let (mark, marked) = ('\u{feff}', format!("\u{feff}{TEXT}"));
        let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(order).collect()
        };
        let utf32 = |text: &str, order: fn(u32) -> [u8; 4]| -> Vec<u8> {
            text.chars().map(u32::from).flat_map(order).collect()
        };
        assert!(marked.starts_with(mark));
        for text in [TEXT, &marked] {
            for body in [
                text.as_bytes().to_vec(),
                utf16(text, u16::to_le_bytes),
                utf16(text, u16::to_be_bytes),
                utf32(text, u32::to_le_bytes),
                utf32(text, u32::to_be_bytes),
            ] {
                for given in [None, Some(&b"application/json; charset=utf-8"[..])] {
                    let got = json(&body, given).expect("text");
                    assert_eq!(std::str::from_utf8(&got), Ok(TEXT), "{}", body.escape_ascii());
                }
            }
        }
        let latin = json(b"\"\xe9\"", Some(b"application/json;charset=latin1")).expect("text");
        assert_eq!(&*latin, "\"é\"".as_bytes());
    }

    proptest! {
        // Most texts have a letter that the charset lacks.
        #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn text_that_a_charset_can_encode_is_decoded_unchanged(text in "\\PC{0,40}", which in 0..6usize) {
            let label = ["windows-1252", "shift_jis", "gb18030", "euc-kr", "big5", "koi8-u"][which];
            let encoding = Encoding::for_label(label.as_bytes()).expect("an encoding");
            let (body, _, lossy) = encoding.encode(&text);
            // Some letters of these tables share an encoding.
            let (again, _) = encoding.decode_without_bom_handling(&body);
            prop_assume!(!lossy && again == text && !text.starts_with('\u{feff}'));
            let got = read(&format!("text/plain; charset=\"{label}\""), &body);
            prop_assert_eq!(got, Ok(text));
        }

        #[test]
        fn any_bytes_of_any_charset_become_text(
            body in proptest::collection::vec(any::<u8>(), 0..64),
            given in "text/[a-z]{1,5}(; ?charset=\"?[a-z0-9_-]{0,12}\"?)?",
        ) {
            for read in [text, json] {
                if let Ok(text) = read(&body, Some(given.as_bytes())) {
                    prop_assert!(std::str::from_utf8(&text).is_ok());
                }
            }
        }
    }
}
