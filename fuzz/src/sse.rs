//! A hostile target's stream of events reads the same however it is cut, an event is never longer than
//! the limit, and events that are written are the ones that are read.

use ldctl::protocol::sse::event::{Event, Parser, Unfit};

use super::support::{Pieces, one_line, options};

/// What a stream gave: its events, how it ended, and what outlives it.
type Heard = (Vec<Event>, Option<Unfit>, Option<String>, Option<std::time::Duration>);

/// The first byte is the limit in units of eight bytes, 0 for none; the second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([limit, sizes @ ..], bytes) = options::<3>(data);
    let limit = if limit == 0 { usize::MAX } else { usize::from(limit) * 8 };
    let (whole, ended, id, retry) = read(Pieces::whole(bytes), limit);
    let (pieces, ended_too, id_too, retry_too) = read(Pieces::new(bytes, sizes), limit);
    assert_eq!((&whole, ended.is_some()), (&pieces, ended_too.is_some()), "in pieces of {sizes:?}");
    assert_eq!((&id, retry), (&id_too, retry_too));
    assert!(whole.iter().all(|event| event.data.len() <= limit));
    assert!(whole.iter().map(|event| event.size).sum::<u64>() <= bytes.len() as u64);
    if let Some(id) = &id {
        // It becomes a header.
        assert!(!id.contains(['\0', '\r', '\n']));
    }
    if let Some(unfit) = ended {
        one_line(&unfit.to_string());
    }
    written(&whole, sizes);
}

fn read(pieces: Pieces<'_>, limit: usize) -> Heard {
    let mut parser = Parser::new(limit);
    let (mut events, mut ended) = (Vec::new(), None);
    'stream: for mut piece in pieces {
        loop {
            match parser.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(unfit) => {
                    ended = Some(unfit);
                    break 'stream;
                }
            }
        }
        assert!(piece.is_empty());
    }
    (events, ended, parser.last_id().map(str::to_owned), parser.retry())
}

/// Events as a target writes them are read as they were.
fn written(events: &[Event], sizes: [u8; 2]) {
    let mut stream = Vec::new();
    for event in events {
        for line in event.data.split(|byte| *byte == b'\n') {
            stream.extend_from_slice(b"data: ");
            stream.extend_from_slice(line);
            stream.push(b'\n');
        }
        stream.push(b'\n');
    }
    let (read, ended, _, _) = read(Pieces::new(&stream, sizes), usize::MAX);
    assert_eq!(ended, None);
    assert_eq!(read.len(), events.len());
    assert!(read.iter().zip(events).all(|(read, event)| read.data == event.data));
}
