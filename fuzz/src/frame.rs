//! Framing: an [`ReadBuffer`] gives the same frames and lines however the bytes are cut, as many as a
//! model of the format finds in the whole, and holds no more than has come.

use ldctl::wire::frame::{HEADER, MAX_REPLY, MAX_REQUEST, ReadBuffer, frame_into};

use super::support::{Pieces, now, options};

/// The caps that are tried: both of the protocol's, and two that short inputs reach.
const CAPS: [usize; 4] = [MAX_REQUEST, MAX_REPLY, 3, 40];

/// The first byte chooses the cap, and frames or lines; the second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([choice, sizes @ ..], bytes) = options::<3>(data);
    let most = CAPS[usize::from(choice % 4)];
    if choice & 4 == 0 {
        let (frames, refused) = frames(bytes, most);
        assert_eq!(received(Pieces::new(bytes, sizes), most, frame), (frames.clone(), refused));
        assert_eq!(received(Pieces::whole(bytes), most, frame), (frames.clone(), refused));
        let mut written = Vec::new();
        frames.iter().for_each(|body| frame_into(body, &mut written));
        assert!(bytes.starts_with(&written), "what was read is written otherwise");
    } else {
        let (lines, refused) = lines(bytes, most);
        assert_eq!(received(Pieces::new(bytes, sizes), most, line), (lines.clone(), refused));
        assert_eq!(received(Pieces::whole(bytes), most, line), (lines, refused));
    }
}

/// The frames of a byte stream up to its end or the first length that is out of bounds, and whether
/// there is one.
fn frames(mut bytes: &[u8], most: usize) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
        let length = u32::from_be_bytes(*header) as usize;
        if length == 0 || length > most {
            return (frames, true);
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        frames.push(body.to_vec());
        bytes = rest;
    }
    (frames, false)
}

/// The same of lines.
fn lines(mut bytes: &[u8], most: usize) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        if end > most {
            return (lines, true);
        }
        lines.push(bytes[..end].to_vec());
        bytes = &bytes[end + 1..];
    }
    (lines, bytes.len() > most)
}

/// A body and how many bytes it took, once it is there; `Err` where its length is out of bounds.
type Taken = Result<Option<(Vec<u8>, usize)>, ()>;

fn frame(buffer: &mut ReadBuffer, most: usize) -> Taken {
    let found = buffer.frame(most).map_err(|_| ())?;
    Ok(found.map(|body| (body.to_vec(), HEADER + body.len())))
}

fn line(buffer: &mut ReadBuffer, most: usize) -> Taken {
    let found = buffer.line(most).map_err(|_| ())?;
    Ok(found.map(|line| (line.to_vec(), line.len() + 1)))
}

fn received(
    mut from: Pieces<'_>,
    most: usize,
    take: fn(&mut ReadBuffer, usize) -> Taken,
) -> (Vec<Vec<u8>>, bool) {
    let mut buffer = ReadBuffer::default();
    let mut taken = Vec::new();
    let mut peak = 0;
    loop {
        match take(&mut buffer, most) {
            Err(()) => return (taken, true),
            Ok(Some((body, length))) => {
                taken.push(body);
                buffer.consume(length);
            }
            Ok(None) => {
                let before = buffer.pending().len();
                let count = now(buffer.fill(&mut from, MAX_REPLY)).expect("bytes from memory");
                assert_eq!(buffer.pending().len(), before + count);
                if count == 0 {
                    return (taken, false);
                }
                peak = peak.max(buffer.pending().len());
                // Twice for what was taken and is not yet dropped, twice for how a vector grows.
                assert!(buffer.held() <= 4 * peak + 64, "{} bytes for {peak}", buffer.held());
            }
        }
    }
}
