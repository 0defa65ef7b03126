//! Whether a failed call is made again, and after which pause. Pure: no clock, no dice.

use std::time::Duration;

use crate::domain::{ModelError, ModelErrorKind};

/// The pause before the first retry, at most; each further one may take twice as long. As the SDKs of providers do it.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause that we choose.
const LONGEST: Duration = Duration::from_secs(8);

/// The longest pause that a provider may ask for. Who asks for more is not asked again.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(20);

/// Returns the pause before the next attempt, or nothing if there should be none.
///
/// `made` counts the attempts so far, `retries` how many may follow the first. `luck` is from 0 to 1: the pause is that
/// part of what is allowed ("full jitter"), so that clients that failed together do not come back together. A pause that
/// the provider asks for is kept whole.
pub(super) fn pause(error: &ModelError, made: u32, retries: u32, luck: f64) -> Option<Duration> {
    if made > retries.min(allowed(error.kind)) {
        return None;
    }
    match error.retry_after {
        Some(asked) => (asked <= LONGEST_ASKED).then_some(asked),
        None => {
            let most = FIRST.saturating_mul(2_u32.saturating_pow(made.saturating_sub(1))).min(LONGEST);
            Some(most.mul_f64(luck.clamp(0.0, 1.0)))
        }
    }
}

/// Returns how often a failure of a kind may be tried again.
const fn allowed(kind: ModelErrorKind) -> u32 {
    match kind {
        ModelErrorKind::RateLimited | ModelErrorKind::Upstream | ModelErrorKind::StreamLost => u32::MAX,
        // What a model writes differs from time to time; more than once more is a habit.
        ModelErrorKind::MalformedReply => 1,
        // A timeout has used up the user's patience.
        ModelErrorKind::Timeout
        | ModelErrorKind::Auth
        | ModelErrorKind::Quota
        | ModelErrorKind::NotFound
        | ModelErrorKind::ContextOverflow
        | ModelErrorKind::ContentFiltered
        | ModelErrorKind::InvalidRequest => 0,
    }
}

#[cfg(test)]
mod tests {
    use ModelErrorKind::*;

    use super::*;

    fn after(kind: ModelErrorKind, asked: Option<u64>, made: u32) -> Option<u128> {
        let error = ModelError { retry_after: asked.map(Duration::from_secs), ..ModelError::new(kind, "") };
        pause(&error, made, 2, 1.0).map(|pause| pause.as_millis())
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_luck_shortens_it() {
        let error = ModelError::new(Upstream, "");
        let pauses = [1, 2, 3, 5, 9, 60].map(|made| pause(&error, made, 99, 1.0).unwrap().as_millis());
        assert_eq!(pauses, [500, 1_000, 2_000, 8_000, 8_000, 8_000]);
        assert_eq!(pause(&error, 3, 99, 0.25), Some(Duration::from_millis(500)));
        assert_eq!(pause(&error, 3, 99, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn what_may_pass_is_tried_again_as_often_as_allowed() {
        for kind in [RateLimited, Upstream, StreamLost] {
            assert_eq!(
                [1, 2, 3].map(|made| after(kind, None, made).is_some()),
                [true, true, false],
                "{kind:?}"
            );
        }
        assert_eq!([1, 2].map(|made| after(MalformedReply, None, made).is_some()), [true, false]);
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        for kind in [Timeout, Auth, Quota, NotFound, ContextOverflow, ContentFiltered, InvalidRequest] {
            assert_eq!((after(kind, None, 1), after(kind, Some(1), 1)), (None, None), "{kind:?}");
        }
    }

    #[test]
    fn a_pause_that_the_provider_asks_for_is_kept_unless_it_is_too_long() {
        assert_eq!(after(RateLimited, Some(20), 1), Some(20_000));
        assert_eq!(after(Upstream, Some(0), 1), Some(0));
        assert_eq!(after(RateLimited, Some(21), 1), None);
    }
}
