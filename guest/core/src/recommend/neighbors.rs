//! What is like an item, whoever asks.

use crate::ItemIx;
use crate::content;

use super::{Engine, Scratch};

impl Engine<'_> {
    /// What goes together with `item`, or, where nothing does yet, what reads like it: items and their similarities in (0, 1],
    /// best first, each item once and never `item` itself.
    ///
    /// Items without events of their own stand among what goes together: by what their row in `endcap.content` says of those that
    /// have some, where `item` itself counts as much as the best of the others. Only as long as they are no fainter
    /// than the faintest of these. O(items with a content row).
    pub fn neighbors(&self, item: ItemIx, scratch: &mut Scratch) -> Vec<(ItemIx, f32)> {
        let listed = |(items, similarities): (&[ItemIx], &[f32])| -> Vec<_> {
            items.iter().copied().zip(similarities.iter().copied()).collect()
        };
        let mut near = listed(self.model.together().row(item));
        let Some(rows) = self.model.content() else { return near };
        let read = rows.row(item);
        if near.is_empty() && !read.0.is_empty() {
            return listed(read);
        }
        scratch.reset(self.model.items().len());
        let (best, faintest) = match &near[..] {
            [(_, best), .., (_, faintest)] => (*best, *faintest),
            [(_, only)] => (*only, 0.0),
            [] => (1.0, 0.0),
        };
        let Scratch { together, content: new, .. } = scratch;
        for &(other, similarity) in &near {
            together.add(other, similarity);
        }
        content::accumulate(rows, |other| if other == item { best } else { together.get(other) }, new);
        let unlisted = new.touched().iter().filter(|&&other| other != item && together.get(other) == 0.0);
        near.extend(unlisted.map(|&other| (other, new.get(other))).filter(|(_, score)| *score >= faintest));
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near
    }
}
