//! The index of session kNN.

use endcap_core::ItemIx;
use endcap_core::format::KnnParameters;
use endcap_core::knn::SessionIndex;

use super::log::Log;

/// Sessions longer than this quantile of lengths are left out, as the published method does: they are robots,
/// resellers and test accounts, and match everything.
const LONGEST_KEPT: f64 = 0.995;

/// Owned arrays of a [`SessionIndex`].
#[derive(Debug)]
pub(super) struct Index {
    session_offsets: Vec<u32>,
    session_items: Vec<ItemIx>,
    posting_offsets: Vec<u32>,
    postings: Vec<u32>,
    idf: Vec<f32>,
}

impl Index {
    /// Builds the index over the sessions of `log` with at least two distinct items: one item alone votes for
    /// nothing, and would only push others out of the sample.
    pub(super) fn build(log: &Log, params: &KnnParameters) -> Self {
        let mut sessions: Vec<Vec<ItemIx>> =
            log.sessions.iter().map(super::Session::distinct).filter(|items| items.len() > 1).collect();
        let longest = quantile(sessions.iter().map(Vec::len).collect(), LONGEST_KEPT);
        sessions.retain(|items| items.len() <= longest);
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); log.items.len()];
        let mut session_offsets = vec![0];
        let mut session_items = Vec::new();
        for (number, mut items) in sessions.into_iter().enumerate() {
            for &item in &items {
                lists[item as usize].push(number as u32 + 1);
            }
            session_items.append(&mut items);
            session_offsets.push(session_items.len() as u32);
        }
        let total = session_items.len().max(1) as f32;
        let idf = lists
            .iter()
            .map(|list| (total / list.len().max(1) as f32).ln().powf(params.idf_exponent))
            .collect();
        let mut posting_offsets = vec![0];
        let mut postings = Vec::new();
        for list in &lists {
            postings.extend(list.iter().rev().take(params.sample as usize));
            postings.push(0);
            posting_offsets.push(postings.len() as u32);
        }
        Self { session_offsets, session_items, posting_offsets, postings, idf }
    }

    pub(super) fn sessions(&self) -> usize {
        self.session_offsets.len() - 1
    }

    pub(super) fn view(&self) -> SessionIndex<'_> {
        SessionIndex {
            session_offsets: &self.session_offsets,
            session_items: &self.session_items,
            posting_offsets: &self.posting_offsets,
            postings: &self.postings,
            idf: &self.idf,
        }
    }
}

/// The smallest value that at least `share` of `values` do not exceed, 0 where there are none.
fn quantile(mut values: Vec<usize>, share: f64) -> usize {
    values.sort_unstable();
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or_default()
}
