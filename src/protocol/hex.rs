//! Bytes as documents write them: text, or `hex:00 ff`.

use std::borrow::Cow;

/// Decodes a payload: pairs of hexadecimal digits after `hex:`, everything else as it is.
pub(crate) fn decode(text: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let Some(digits) = text.strip_prefix(b"hex:") else { return Ok(Cow::Borrowed(text)) };
    const EXPECTED: &str = "\"hex:\" takes pairs of hexadecimal digits, with or without spaces";
    let digits: Option<Vec<u8>> = digits
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2)).ok_or(EXPECTED)?;
    let pair = |pair: &[u8]| pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    Ok(Cow::Owned(digits.chunks_exact(2).map(pair).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_or_pairs_of_hexadecimal_digits() {
        for (text, bytes) in [
            ("text", Some(&b"text"[..])),
            ("HEX:00", Some(b"HEX:00")),
            ("hex:", Some(b"")),
            ("hex:00fF\n0 a", Some(b"\x00\xff\x0a")),
            ("hex:0", None),
            ("hex:0g", None),
            ("hex:é0", None),
        ] {
            assert_eq!(decode(text.as_bytes()).ok().as_deref(), bytes, "{text:?}");
        }
    }
}
