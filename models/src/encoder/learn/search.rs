//! A bounded search for options, by how well held-out questions are answered.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use super::options::EncoderOptions;
use super::sequences::chance;

/// Purpose of [`chance`] here; those of a training are small numbers.
const PURPOSE: u64 = u64::MAX;

impl EncoderOptions {
    /// Options number `trial` of a search around these: these themselves first, then others drawn from what published
    /// encoders of a few thousand to a hundred thousand items use. The same seed and number give the same options.
    #[must_use]
    pub fn trial(&self, trial: u64) -> Self {
        let mut options = self.clone();
        if trial == 0 {
            return options;
        }
        let mut draw = Draw(chance(self.seed, trial, PURPOSE));
        options.dim = draw.of(&[32, 64, 64, 128]);
        options.layers = draw.of(&[1, 2, 2, 3]);
        // Heads of 16 to 64, as published.
        options.heads = (options.dim / draw.of(&[16, 32, 64])).max(1);
        options.dropout = Some(draw.of(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]));
        options.weight_decay = draw.of(&[0.0, 0.02, 0.05, 0.1]);
        // Even in its logarithm, as factors are what matters.
        options.learning_rate = 1e-3 * 8_f32.powf(draw.0.random_range(0.0..1.0));
        options
    }

    /// As arguments of `endcap-model train`.
    pub fn arguments(&self) -> String {
        let dropout = self.dropout.map_or_else(String::new, |share| format!("--encoder-dropout {share} "));
        format!(
            "--encoder --encoder-dim {} --encoder-layers {} --encoder-heads {} {dropout}--encoder-weight-decay {} \
             --encoder-learning-rate {}",
            self.dim, self.layers, self.heads, self.weight_decay, self.learning_rate
        )
    }
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn of<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.0).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_in_range_and_the_same_again() {
        let options = EncoderOptions::default();
        assert_eq!(options.trial(0), options);
        for trial in 0..500 {
            let drawn = options.trial(trial);
            assert_eq!(drawn, options.trial(trial));
            assert!(drawn.shape(1_000).is_ok(), "{drawn:?}");
        }
        assert_ne!(options.trial(1), options.trial(2));
    }
}
