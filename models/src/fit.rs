//! From a log to a whole model: what is chosen on a shop's newest sessions, and then trained on all of them.

use endcap_core::format::section;

#[cfg(feature = "encoder")]
use crate::encoder::learn::{self, Checkpoints, EncoderOptions, LearnStep, Learned, Until};
use crate::encoder::{EncoderForms, Weights};
use crate::evaluate::{EvaluateError, HeldOut, TunedBlend, tune_blend};
use crate::gate::keep_back;
use crate::ranker::{RankerTrial, learn_ranker};
use crate::train::{Log, Options, Step, Trained, train};

/// What to make.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Sources and their parameters.
    pub options: Options,
    /// Whether the weights of the personal list are chosen.
    pub choose: bool,
    /// Whether a ranker is learned over the sources; only where weights are chosen.
    pub rank: bool,
    /// Whether some of the newest visits are kept back, to compare this model and its successors by.
    pub keep_back: bool,
    /// The sequence encoder, if one is wanted.
    #[cfg(feature = "encoder")]
    pub encoder: Option<EncoderRecipe>,
}

/// How an encoder is learned.
#[cfg(feature = "encoder")]
#[derive(Debug, Clone)]
pub struct EncoderRecipe {
    /// Dimensions and training.
    pub options: EncoderOptions,
    /// Where both parts of its training keep their state, if anywhere.
    pub checkpoints: Option<[Checkpoints; 2]>,
}

/// What was made.
#[derive(Debug)]
pub struct Fitted {
    /// Sources, trained on the whole log, with the weights that were chosen. No section of the encoder is among them yet;
    /// [`Self::with_encoder`] adds them.
    pub trained: Trained,
    /// The encoder, trained on the whole log.
    pub encoder: Option<Weights>,
    /// What was chosen, and by how much it is better.
    pub chosen: Option<TunedBlend>,
    /// What came of learning a ranker, where it was tried; it is among the sections if it is kept.
    pub ranked: Option<RankerTrial>,
    /// How the encoder learned: on the part before the held-out sessions, then on everything.
    #[cfg(feature = "encoder")]
    pub learned: Option<[Learned; 2]>,
}

/// A step of [`fit`], for progress displays.
#[derive(Debug)]
pub enum FitStep<'a> {
    /// The encoder learns from all but the newest sessions.
    #[cfg(feature = "encoder")]
    LearnBefore(LearnStep<'a>),
    /// It learns from everything, as many passes as were right before.
    #[cfg(feature = "encoder")]
    LearnAll(LearnStep<'a>),
    /// Weights are searched.
    Choosing {
        /// Settings tried.
        tried: usize,
        /// Settings that may be tried.
        most: usize,
    },
    /// The search is over; `None` where the log is too small for one.
    Chosen(Option<&'a TunedBlend>),
    /// A ranker is learned.
    Ranking {
        /// Passes done.
        done: usize,
        /// Passes to do.
        total: usize,
    },
    /// It is.
    Ranked(&'a RankerTrial),
    /// The sources are trained.
    Train(Step<'a>),
}

impl Fitted {
    /// The sources with the encoder's sections in these forms.
    ///
    /// # Errors
    /// Where the encoder's weights do not fit.
    pub fn with_encoder(&self, forms: &EncoderForms) -> Result<Trained, EvaluateError> {
        let mut trained = self.trained.clone();
        if let Some(encoder) = &self.encoder {
            let weight = trained.manifest.parameters.blend.sequence;
            trained.add_encoder(encoder, weight, forms)?;
        }
        Ok(trained)
    }
}

/// Makes a model from `log` by `recipe`.
///
/// # Errors
/// Where the log is too small, an option is out of its range, or a training fails.
pub fn fit(log: &Log, recipe: &Recipe, heard: &mut dyn FnMut(FitStep<'_>)) -> Result<Fitted, EvaluateError> {
    let kept = if recipe.keep_back { keep_back(log) } else { None };
    let log = kept.as_ref().map_or(log, |kept| &kept.rest);
    let mut options = recipe.options.clone();
    #[cfg(feature = "encoder")]
    let wants_encoder = recipe.encoder.is_some();
    #[cfg(not(feature = "encoder"))]
    let wants_encoder = false;
    let held = if recipe.choose || wants_encoder { HeldOut::of(log) } else { Err(0) };
    #[cfg(feature = "encoder")]
    let before = match &recipe.encoder {
        Some(encoder) => Some(learn_before(log, held.as_ref(), encoder, heard)?),
        None => None,
    };
    #[cfg(feature = "encoder")]
    let encoder = before.as_ref().map(|learned| &learned.weights);
    #[cfg(not(feature = "encoder"))]
    let encoder: Option<&Weights> = None;
    let (mut chosen, mut ranked) = (None, None);
    if recipe.choose {
        let tuned = match &held {
            Ok(held) => tune_blend(held, &options, encoder, &mut |tried, most| {
                heard(FitStep::Choosing { tried, most });
            })?,
            Err(_) => None,
        };
        heard(FitStep::Chosen(tuned.as_ref().map(|(chosen, _)| chosen)));
        if let (Some((found, model)), Ok(held)) = (tuned, &held) {
            options.parameters = found.parameters.clone();
            options.card.metrics.insert("held_out_ndcg@10".to_owned(), found.ndcg10[1]);
            chosen = Some(found);
            if recipe.rank {
                let trial = learn_ranker(&model, held, &mut |done, total| {
                    heard(FitStep::Ranking { done, total });
                });
                heard(FitStep::Ranked(&trial));
                options.card.metrics.insert("held_out_ranked_ndcg@10".to_owned(), trial.ndcg10[1]);
                ranked = Some(trial);
            }
        }
    }
    let mut trained = train(log, &options, &mut |step| heard(FitStep::Train(step)))?;
    if let Some(kept) = &kept {
        trained.bodies.push((section::SAMPLE, kept.section()));
        trained.manifest.data.questions = kept.questions.len() as u64;
    }
    if let Some(ranker) = ranked.as_ref().and_then(|trial| trial.ranker.as_ref()) {
        trained.add_ranker(ranker);
    }
    #[cfg(feature = "encoder")]
    let learned = match (before, &recipe.encoder) {
        (Some(before), Some(encoder)) => {
            let rates = before.rates();
            let checkpoints = encoder.checkpoints.as_ref().map(|[_, all]| all);
            let all = learn::learn(log, Until::Rates(&rates), &encoder.options, checkpoints, &mut |step| {
                heard(FitStep::LearnAll(step));
            })?;
            Some([before, all])
        }
        _ => None,
    };
    Ok(Fitted {
        trained,
        #[cfg(feature = "encoder")]
        encoder: learned.as_ref().map(|[_, all]| all.weights.clone()),
        #[cfg(not(feature = "encoder"))]
        encoder: None,
        chosen,
        ranked,
        #[cfg(feature = "encoder")]
        learned,
    })
}

#[cfg(feature = "encoder")]
fn learn_before(
    log: &Log,
    held: Result<&HeldOut, &usize>,
    encoder: &EncoderRecipe,
    heard: &mut dyn FnMut(FitStep<'_>),
) -> Result<Learned, EvaluateError> {
    let HeldOut { before, cases, .. } = held.map_err(|&questions| {
        let sequences = log.sessions.iter().filter(|session| session.clicks.len() > 1).count();
        learn::LearnError::TooFew { sequences, questions }
    })?;
    let checkpoints = encoder.checkpoints.as_ref().map(|[before, _]| before);
    Ok(learn::learn(before, Until::Questions(cases), &encoder.options, checkpoints, &mut |step| {
        heard(FitStep::LearnBefore(step));
    })?)
}
