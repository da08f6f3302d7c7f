//! What the sequence encoder says of cases, through the executor that serves it.

use endcap_core::ItemIx;
use endcap_core::format::Model;
use endcap_core::inference::SequenceEncoder;

use super::Case;
use super::parallel::on_all_cores;

/// The items that an encoder proposes for each of some cases, with their logits: all that serving takes of it.
///
/// A search over weights asks the same cases a hundred times, and the encoder costs more than everything else of a list.
#[derive(Debug)]
pub(crate) struct Proposals(Vec<Vec<(f32, ItemIx)>>);

impl Proposals {
    /// Asks the encoder of `model`, if it has one, on all cores.
    pub(super) fn of(model: &Model, cases: &[Case]) -> Option<Self> {
        let weights = model.encoder()?;
        let lists = on_all_cores(cases, |_, cases| {
            let mut encoder = SequenceEncoder::builtin(&weights);
            let mut proposed =
                |case: &Case| encoder.propose(&weights, &case.history).unwrap_or_default().to_vec();
            cases.iter().map(&mut proposed).collect::<Vec<_>>()
        });
        Some(Self(lists.into_iter().flatten().collect()))
    }
}

/// An encoder for one caller.
pub(crate) enum Sequence<'a> {
    /// Runs when it is asked.
    Live(&'a Model, Box<SequenceEncoder>),
    /// Was asked before.
    Known(&'a Proposals),
}

impl<'a> Sequence<'a> {
    /// Of `model`, if it has an encoder.
    pub(crate) fn new(model: &'a Model, known: Option<&'a Proposals>) -> Option<Self> {
        let weights = model.encoder()?;
        Some(match known {
            Some(known) => Self::Known(known),
            None => Self::Live(model, Box::new(SequenceEncoder::builtin(&weights))),
        })
    }

    /// What it proposes after `history`, which is that of case number `at`. `None` without a history.
    pub(crate) fn propose(&mut self, at: usize, history: &[ItemIx]) -> Option<&[(f32, ItemIx)]> {
        match self {
            Self::Live(model, encoder) => encoder.propose(&model.encoder()?, history).ok(),
            Self::Known(known) => known.0.get(at).map(Vec::as_slice).filter(|proposed| !proposed.is_empty()),
        }
    }
}
