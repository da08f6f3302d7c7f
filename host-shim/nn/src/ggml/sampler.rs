//! Draws the next token from logits.
//!
//! llama.cpp has samplers of its own. These few lines replace them because those sort by comparisons that are
//! undefined for a NaN, which a hostile model can bring about, and because the draws of a seed stay the same here
//! whatever version of llama.cpp is linked. The order of the steps is llama.cpp's: penalties, top-k, top-p, min-p,
//! temperature.

use std::hash::{BuildHasher, RandomState};

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use super::config::Sampling;

/// Tokens that penalties look back at: llama.cpp's default.
const PENALTY_WINDOW: usize = 64;

/// The logits cannot be drawn from: one of them is no number.
#[derive(Debug)]
pub(super) struct NotFinite;

#[derive(Debug, Clone, Copy)]
struct Candidate {
    token: i32,
    logit: f32,
}

/// One text's draws.
#[derive(Debug)]
pub(super) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    /// The last tokens drawn, oldest first.
    window: Vec<i32>,
    candidates: Vec<Candidate>,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        // The standard library's only source of randomness: each state has other keys.
        let seed = sampling.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        Self {
            sampling,
            random: ChaCha8Rng::seed_from_u64(seed),
            window: Vec::with_capacity(PENALTY_WINDOW),
            candidates: Vec::new(),
        }
    }

    /// The next token, by logits of one or more tokens.
    pub(super) fn draw(&mut self, logits: &[f32]) -> Result<i32, NotFinite> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(NotFinite);
        }
        self.candidates.clear();
        self.candidates.extend((0..).zip(logits).map(|(token, &logit)| Candidate { token, logit }));
        self.penalise();
        let token = if self.sampling.temperature > 0.0 { self.random_token() } else { self.likeliest() };
        if self.window.len() == PENALTY_WINDOW {
            self.window.remove(0);
        }
        self.window.push(token);
        Ok(token)
    }

    fn penalise(&mut self) {
        let &Sampling { repeat_penalty, presence_penalty, frequency_penalty, .. } = &self.sampling;
        if repeat_penalty == 1.0 && presence_penalty == 0.0 && frequency_penalty == 0.0 {
            return;
        }
        for (place, &token) in self.window.iter().enumerate() {
            let Some(candidate) = self.candidates.get_mut(token as usize) else { continue };
            candidate.logit -= frequency_penalty;
            if self.window[..place].contains(&token) {
                continue;
            }
            // Division would make a negative logit likelier.
            if candidate.logit <= 0.0 {
                candidate.logit *= repeat_penalty;
            } else {
                candidate.logit /= repeat_penalty.max(f32::MIN_POSITIVE);
            }
            candidate.logit -= presence_penalty;
        }
    }

    /// The first of the largest logits.
    fn likeliest(&self) -> i32 {
        let likelier = |best: Candidate, next: &Candidate| if next.logit > best.logit { *next } else { best };
        self.candidates
            .iter()
            .copied()
            .reduce(|best, next| likelier(best, &next))
            .map_or(0, |best| best.token)
    }

    fn random_token(&mut self) -> i32 {
        let &Sampling { temperature, top_k, top_p, min_p, .. } = &self.sampling;
        let by_rank =
            |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit).then_with(|| a.token.cmp(&b.token));
        if top_k > 0 && top_k < self.candidates.len() {
            self.candidates.select_nth_unstable_by(top_k - 1, by_rank);
            self.candidates.truncate(top_k);
        }
        self.candidates.sort_unstable_by(by_rank);
        let Some(&Candidate { logit: largest, .. }) = self.candidates.first() else { return 0 };
        let weight = |candidate: &Candidate, temperature: f32| {
            (f64::from(candidate.logit - largest) / f64::from(temperature)).exp()
        };
        // At least one stays: the largest has weight 1 and enters first.
        let total: f64 = self.candidates.iter().map(|candidate| weight(candidate, 1.0)).sum();
        let mut sum = 0.0;
        let kept = self
            .candidates
            .iter()
            .take_while(|candidate| {
                let enough = sum >= total * f64::from(top_p);
                sum += weight(candidate, 1.0);
                !enough && weight(candidate, 1.0) >= f64::from(min_p)
            })
            .count();
        self.candidates.truncate(kept.max(1));
        let total: f64 = self.candidates.iter().map(|candidate| weight(candidate, temperature)).sum();
        // 53 bits: as many as a double between 0 and 1 has.
        let mut left = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        for candidate in &self.candidates {
            left -= weight(candidate, temperature);
            if left < 0.0 {
                return candidate.token;
            }
        }
        // Rounding has left a rest.
        self.candidates.last().map_or(0, |candidate| candidate.token)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    fn sampler(change: impl FnOnce(&mut Sampling)) -> Sampler {
        let mut sampling = Sampling { seed: Some(1), ..Config::default().sampling };
        change(&mut sampling);
        Sampler::new(sampling)
    }

    #[test]
    fn without_temperature_the_first_of_the_likeliest_wins() {
        let mut sampler = sampler(|sampling| sampling.temperature = 0.0);
        assert_eq!(sampler.draw(&[0.0, 2.0, 2.0, 1.0]).unwrap(), 1);
    }

    #[test]
    fn a_seed_gives_the_same_draws_and_every_token_its_share() {
        let logits = [1.0_f32, 1.0 + 2.0_f32.ln(), -20.0];
        let draws = |seed| {
            let mut sampler = sampler(|sampling| {
                sampling.seed = Some(seed);
                sampling.temperature = 1.0;
                sampling.top_p = 1.0;
            });
            (0..3000).map(|_| sampler.draw(&logits).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(5), draws(5));
        assert_ne!(draws(5), draws(6));
        // Twice as likely: 2,000 of 3,000 expected, and 26 is the deviation.
        let seconds = draws(5).into_iter().filter(|&token| token == 1).count();
        assert!((1870..2130).contains(&seconds), "{seconds}");
        assert!(!draws(5).contains(&2), "min-p should have cut it");
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let logits = [3.0, 2.0, 1.0, 0.0];
        for change in [
            (|sampling| sampling.top_k = 1) as fn(&mut Sampling),
            |sampling| sampling.top_p = 0.1,
            |sampling| sampling.min_p = 1.0,
        ] {
            let mut sampler = sampler(|sampling| {
                sampling.temperature = 100.0;
                change(sampling);
            });
            assert!((0..200).all(|_| sampler.draw(&logits).unwrap() == 0));
        }
    }

    #[test]
    fn penalties_make_a_token_wait() {
        for change in [
            (|sampling| sampling.repeat_penalty = 2.0) as fn(&mut Sampling),
            |sampling| sampling.presence_penalty = 1.0,
            |sampling| sampling.frequency_penalty = 1.0,
        ] {
            let mut sampler = sampler(|sampling| {
                sampling.temperature = 0.0;
                change(sampling);
            });
            assert_eq!(sampler.draw(&[1.0, 0.9]).unwrap(), 0);
            assert_eq!(sampler.draw(&[1.0, 0.9]).unwrap(), 1);
        }
    }

    #[test]
    fn what_is_no_number_is_not_drawn_from() {
        for logit in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(sampler(|_| ()).draw(&[0.0, logit]).is_err());
        }
    }
}
