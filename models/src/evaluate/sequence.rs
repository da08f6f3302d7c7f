//! What the sequence encoder says of cases, through the executor that serves it.

use endcap_core::ItemIx;
use endcap_core::format::Model;
use endcap_core::inference::SequenceEncoder;
use endcap_core::recommend::SEQUENCE_CANDIDATES;
use endcap_core::topn::TopN;

use super::Case;
use super::parallel::on_all_cores;

/// A logit that no item is proposed by: its share of the best is 0.
const NONE: f32 = -1e30;

/// The items that an encoder proposes for each of some cases, with their logits: all that serving takes of it.
///
/// A search over weights asks the same cases a hundred times, and the encoder costs more than everything else of a list.
#[derive(Debug)]
pub(crate) struct Proposals(Vec<Vec<(f32, ItemIx)>>);

impl Proposals {
    /// Asks the encoder of `model`, if it has one, on all cores.
    pub(super) fn of(model: &Model, cases: &[Case]) -> Option<Self> {
        model.encoder()?;
        let lists = on_all_cores(cases, |_, cases| {
            let mut sequence = Sequence::new(model, None);
            let mut top = TopN::default();
            let best = |case: &Case| {
                top.reset(SEQUENCE_CANDIDATES);
                let logits = sequence.as_mut().and_then(|sequence| sequence.logits(0, &case.history));
                for (item, &logit) in (0..).zip(logits.unwrap_or_default()) {
                    top.push(logit, item);
                }
                top.finish().to_vec()
            };
            cases.iter().map(best).collect::<Vec<_>>()
        });
        Some(Self(lists.into_iter().flatten().collect()))
    }
}

/// An encoder's logits for one caller.
pub(crate) enum Sequence<'a> {
    /// Computed when asked for.
    Live(&'a Model, Box<SequenceEncoder>),
    /// Known before.
    Known(&'a Proposals, Vec<f32>),
}

impl<'a> Sequence<'a> {
    /// Of `model`, if it has an encoder.
    pub(crate) fn new(model: &'a Model, known: Option<&'a Proposals>) -> Option<Self> {
        let weights = model.encoder()?;
        Some(match known {
            Some(known) => Self::Known(known, vec![NONE; model.items().len()]),
            None => Self::Live(model, Box::new(SequenceEncoder::builtin(&weights))),
        })
    }

    /// A logit for every item, after `history`, which is that of case number `at`. `None` without a history.
    pub(crate) fn logits(&mut self, at: usize, history: &[ItemIx]) -> Option<&[f32]> {
        match self {
            Self::Live(model, encoder) => encoder.logits(&model.encoder()?, history).ok(),
            Self::Known(known, logits) => {
                let proposed = known.0.get(at).filter(|proposed| !proposed.is_empty())?;
                logits.fill(NONE);
                for &(logit, item) in proposed {
                    logits[item as usize] = logit;
                }
                Some(logits)
            }
        }
    }
}
