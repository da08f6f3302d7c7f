//! Requests, laid out so that sending one is a copy.

use std::fmt::Write;
use std::io::Write as _;

use endcap_benches::corpus::Prepared;
use endcap_benches::traffic::{Draw, N, Visitor};
use endcap_core::ItemIx;

/// The sessions as JSON text: a prefix of a session is a slice of its ids.
pub(crate) struct Requests<'p> {
    sessions: &'p [Vec<ItemIx>],
    /// `"id","id",...` by session.
    texts: Vec<String>,
    /// For every click of a session, where its id begins and ends in the text.
    places: Vec<Vec<(u32, u32)>>,
}

impl<'p> Requests<'p> {
    pub(crate) fn new(prepared: &'p Prepared) -> Self {
        let items = prepared.model.items();
        let (mut texts, mut places) = (Vec::new(), Vec::new());
        for session in &prepared.sessions {
            let (mut text, mut spans) = (String::new(), Vec::new());
            for &item in session {
                if !text.is_empty() {
                    text.push(',');
                }
                let from = text.len() as u32;
                // The ids of both corpora are digits: nothing is to be escaped.
                let _ = write!(text, "\"{}\"", items.id(item));
                spans.push((from, text.len() as u32));
            }
            texts.push(text);
            places.push(spans);
        }
        Self { sessions: &prepared.sessions, texts, places }
    }

    /// A visitor who has not clicked yet.
    pub(crate) fn arrive(&self, draw: &mut Draw) -> Visitor {
        Visitor::arrive(self.sessions, draw)
    }

    /// The visitor's next click as a request in `out`. Does not allocate once `out` has grown.
    pub(crate) fn click(&self, visitor: &mut Visitor, draw: &mut Draw, out: &mut Vec<u8>) {
        visitor.click(self.sessions, draw);
        let (session, clicks) = visitor.shown();
        let places = &self.places[session][clicks];
        let (from, to) = (places[0].0 as usize, places[places.len() - 1].1 as usize);
        let ids = &self.texts[session].as_bytes()[from..to];
        out.clear();
        out.extend_from_slice(
            b"POST /api/session/recommend HTTP/1.1\r\nHost: endcap\r\n\
              Content-Type: application/json\r\nContent-Length: ",
        );
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{}\r\n\r\n", HEAD.len() + ids.len() + TAIL.len());
        out.extend_from_slice(HEAD);
        out.extend_from_slice(ids);
        out.extend_from_slice(TAIL);
    }
}

const HEAD: &[u8] = b"{\"items\":[";
const _: () = assert!(N == 20, "the request says so");
const TAIL: &[u8] = b"],\"n\":20}";
