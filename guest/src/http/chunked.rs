//! The chunked transfer coding (RFC 9112 section 7.1), decoded as it arrives.

use super::error::HttpError;

/// Longest line with a chunk's size and extensions. Extensions are unused in practice.
const MAX_SIZE_LINE: usize = 256;
/// Longest trailer section; its fields are read past.
const MAX_TRAILERS: usize = 4096;

/// Decodes a body in pieces of any size. Each byte is looked at once.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// Bytes of the size line or the trailers so far.
    line: usize,
    /// Size read so far, then bytes left of the chunk.
    left: usize,
    digits: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    Data,
    /// The line end behind a chunk's data.
    AfterData,
    /// Trailers, at the start of a line.
    TrailerStart,
    Trailer,
    Done,
}

impl Decoder {
    /// Takes `input`, appends what it decodes to `body`, and gives the number of bytes used and whether the
    /// body is complete; bytes behind a complete body are not used.
    ///
    /// # Errors
    /// Malformed chunks, or a body beyond `limit` bytes.
    pub fn decode(
        &mut self,
        input: &[u8],
        limit: usize,
        body: &mut Vec<u8>,
    ) -> Result<(usize, bool), HttpError> {
        let bad = |reason| Err(HttpError::Chunk { reason });
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            let byte = input[at];
            match self.state {
                State::Size => {
                    self.count_line(MAX_SIZE_LINE)?;
                    match (byte as char).to_digit(16) {
                        Some(digit) => {
                            self.digits += 1;
                            self.left = self.left.saturating_mul(16).saturating_add(digit as usize);
                            if self.left > limit - body.len() {
                                return Err(HttpError::BodyTooLarge { limit });
                            }
                        }
                        None if self.digits == 0 => {
                            return bad("a chunk does not begin with its size in hex");
                        }
                        None => match byte {
                            b'\n' => self.end_of_size(),
                            b';' | b' ' | b'\t' | b'\r' => self.state = State::Extension,
                            _ => return bad("a chunk's size is followed by something else"),
                        },
                    }
                }
                State::Extension => {
                    self.count_line(MAX_SIZE_LINE)?;
                    if byte == b'\n' {
                        self.end_of_size();
                    }
                }
                State::Data => {
                    let take = self.left.min(input.len() - at);
                    body.extend_from_slice(&input[at..at + take]);
                    self.left -= take;
                    at += take;
                    if self.left == 0 {
                        self.state = State::AfterData;
                    }
                    continue;
                }
                State::AfterData => match byte {
                    b'\r' => {}
                    b'\n' => self.state = State::Size,
                    _ => return bad("a chunk is longer than its size"),
                },
                State::TrailerStart | State::Trailer => {
                    self.count_line(MAX_TRAILERS)?;
                    self.state = match (self.state, byte) {
                        (State::TrailerStart, b'\n') => State::Done,
                        (State::TrailerStart, b'\r') => State::TrailerStart,
                        (_, b'\n') => State::TrailerStart,
                        _ => State::Trailer,
                    };
                }
                State::Done => {}
            }
            at += 1;
        }
        Ok((at, self.state == State::Done))
    }

    fn count_line(&mut self, limit: usize) -> Result<(), HttpError> {
        self.line += 1;
        if self.line > limit {
            return Err(HttpError::Chunk { reason: "a size line or the trailers are too long" });
        }
        Ok(())
    }

    fn end_of_size(&mut self) {
        self.state = if self.left == 0 { State::TrailerStart } else { State::Data };
        self.line = 0;
        self.digits = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(input: &[u8]) -> Result<(usize, bool, Vec<u8>), HttpError> {
        let mut body = Vec::new();
        let (used, done) = Decoder::default().decode(input, 100, &mut body)?;
        Ok((used, done, body))
    }

    #[test]
    fn decodes() {
        let text = b"4;x=y\r\nWiki\r\n05\r\npedia\r\n0\r\nA: b\r\n\r\nrest";
        assert_eq!(whole(text), Ok((text.len() - 4, true, b"Wikipedia".to_vec())));
        assert_eq!(whole(b"3\r\nab"), Ok((5, false, b"ab".to_vec())));
    }

    #[test]
    fn refuses() {
        assert!(matches!(whole(b"\r\n"), Err(HttpError::Chunk { .. })));
        assert!(matches!(whole(b"3\r\nabcd"), Err(HttpError::Chunk { .. })));
        assert!(matches!(whole(b"-1\r\n"), Err(HttpError::Chunk { .. })));
        assert!(matches!(whole(&[b'0'; 300]), Err(HttpError::Chunk { .. })));
        assert_eq!(whole(b"65\r\n"), Err(HttpError::BodyTooLarge { limit: 100 }));
        assert_eq!(whole(b"ffffffffffffffffffffff\r\n"), Err(HttpError::BodyTooLarge { limit: 100 }));
    }

    proptest::proptest! {
        #[test]
        fn pieces_change_nothing(input: Vec<u8>, cuts in proptest::collection::vec(0_usize..64, 0..8)) {
            let mut pieces = Decoder::default();
            let (mut body, mut at, mut result) = (Vec::new(), 0, Ok((0, false)));
            for end in cuts.iter().scan(0, |sum, cut| { *sum += cut; Some(*sum) }).chain([usize::MAX]) {
                let end = end.min(input.len());
                result = pieces.decode(&input[at..end], 100, &mut body);
                match result {
                    Ok((used, false)) => at += used,
                    _ => break,
                }
            }
            let mut once = Vec::new();
            let expected = Decoder::default().decode(&input, 100, &mut once);
            proptest::prop_assert_eq!(result.map(|(_, done)| done), expected.map(|(_, done)| done));
            proptest::prop_assert_eq!(body, once);
        }
    }
}
