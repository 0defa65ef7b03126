//! How far our estimate of tokens is off for each model, learned from what providers count. In memory only: a process that
//! starts believes its estimate again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::ModelIdentity;

/// The estimate itself, in thousandths.
const EXACT: usize = 1_000;

/// How far the estimate is corrected at most, in thousandths: what is beyond has other reasons than the text.
const BOUNDS: (usize, usize) = (500, 1_500);

/// Counts that are believed, in thousandths of the estimate. Some servers count only what they did not have cached.
const BELIEVED: std::ops::RangeInclusive<usize> = 200..=3_000;

/// How many parts of five the past keeps when a new count comes.
const PAST: usize = 4;

/// What was learned, for each model. There are as many as are configured.
#[derive(Debug, Default)]
pub struct Calibration(Mutex<HashMap<ModelIdentity, usize>>);

impl Calibration {
    /// Says how many tokens by our estimate a model takes for so many of its own.
    pub fn estimated(&self, model: &ModelIdentity, tokens: usize) -> usize {
        let factor = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied();
        tokens.saturating_mul(EXACT) / factor.unwrap_or(EXACT)
    }

    /// Learns from a request that was estimated so and counted so.
    pub(super) fn learn(&self, model: &ModelIdentity, estimated: usize, counted: u64) {
        let counted = usize::try_from(counted).unwrap_or(usize::MAX).saturating_mul(EXACT);
        let Some(ratio) = counted.checked_div(estimated).filter(|ratio| BELIEVED.contains(ratio)) else {
            return;
        };
        let mut factors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let factor = factors.entry(model.clone()).or_insert(EXACT);
        *factor = (*factor * PAST + ratio.clamp(BOUNDS.0, BOUNDS.1)) / (PAST + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ModelIdentity {
        ModelIdentity { provider: "x".into(), model: name.into() }
    }

    fn after(counts: &[u64]) -> usize {
        let calibration = Calibration::default();
        counts.iter().for_each(|count| calibration.learn(&model("a"), 1_000, *count));
        assert_eq!(calibration.estimated(&model("b"), 1_000), 1_000, "of another nothing is known");
        calibration.estimated(&model("a"), 1_000)
    }

    #[test]
    fn a_model_that_counts_more_is_sent_less_and_one_count_does_not_turn_it_round() {
        assert_eq!(after(&[]), 1_000);
        assert_eq!(after(&[1_500]), 909);
        assert!((660..675).contains(&after(&[1_500; 50])), "two thirds");
        assert!((1_400..1_440).contains(&after(&[700; 50])), "ten sevenths");
        let settled = after(&[700, 700, 700, 700, 700, 700, 700, 700, 1_500]);
        assert!((1_000..1_300).contains(&settled), "{settled}");
    }

    #[test]
    fn the_correction_has_bounds_and_what_cannot_be_true_is_not_learned() {
        assert_eq!(after(&[2_900; 50]), after(&[1_500; 50]));
        assert_eq!(after(&[250; 50]), after(&[500; 50]));
        assert_eq!(after(&[0, 11, 199, 3_001, u64::MAX]), 1_000);
        let calibration = Calibration::default();
        calibration.learn(&model("a"), 0, 7);
        assert_eq!(calibration.estimated(&model("a"), 9), 9);
    }
}
