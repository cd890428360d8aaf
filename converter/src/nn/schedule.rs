//! What changes while training goes on: the learning rate, and whether to go on at all.

use crate::{Error, Result};

/// How the learning rate changes while training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Times `factor` each `epochs` epochs.
    Step {
        /// Epochs between changes.
        epochs: usize,
        /// What the rate is multiplied with.
        factor: f64,
    },
    /// Times `factor` each epoch, a little with each batch.
    Exponential {
        /// What is left of the rate after an epoch.
        factor: f64,
    },
    /// Up linearly for `warmup` epochs, then down to 0 along half a cosine.
    Cosine {
        /// Epochs until the full rate.
        warmup: f64,
    },
    /// Times `factor` whenever the loss has not become smaller for some epochs: that of the validation samples where
    /// there are some, that of the training samples otherwise.
    Plateau {
        /// What the rate is multiplied with, in (0, 1).
        factor: f64,
        /// So many epochs, at least 1.
        patience: usize,
        /// By how much a loss must be below the least one so far to count as smaller.
        min_improvement: f64,
    },
}

impl Schedule {
    /// What the learning rate is multiplied with after `epoch` of `epochs` epochs; `epoch` has a fraction. `losses` are
    /// those of the epochs that are done.
    pub fn factor(&self, epoch: f64, epochs: f64, losses: &[f64]) -> f64 {
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Step { epochs: every, factor } => {
                libm::pow(factor, libm::floor(epoch / every.max(1) as f64))
            }
            Schedule::Exponential { factor } => libm::pow(factor, epoch),
            Schedule::Cosine { warmup } if epoch < warmup => epoch / warmup,
            Schedule::Cosine { warmup } => {
                let done = (epoch - warmup) / (epochs - warmup).max(f64::MIN_POSITIVE);
                0.5 + 0.5 * libm::cos(std::f64::consts::PI * done.min(1.0))
            }
            Schedule::Plateau { factor, patience, min_improvement } => {
                let (mut scale, mut n_stale, mut least) = (1.0, 0, f64::INFINITY);
                for &loss in losses {
                    let improved = loss < least - min_improvement;
                    (least, n_stale) = if improved { (loss, 0) } else { (least, n_stale + 1) };
                    if n_stale >= patience.max(1) {
                        (scale, n_stale) = (scale * factor, 0);
                    }
                }
                scale
            }
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Invalid(format!("the learning rate's schedule {what}")));
        match *self {
            Schedule::Plateau { factor, .. } if !(factor > 0.0 && factor < 1.0) => {
                wrong(format!("multiplies it with {factor} on a plateau; the factor must be between 0 and 1"))
            }
            Schedule::Exponential { factor } | Schedule::Step { factor, .. }
                if !(factor > 0.0 && factor.is_finite()) =>
            {
                wrong(format!("multiplies it with {factor}; the factor must be above 0"))
            }
            Schedule::Cosine { warmup } if warmup.is_nan() || warmup < 0.0 => {
                wrong(format!("warms up for {warmup} epochs; it must be at least 0"))
            }
            _ => Ok(()),
        }
    }
}

/// Training ends when the loss has not become smaller for some epochs: that of the validation samples where there are
/// some, that of the training samples otherwise. The parameters are then those of the last epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// So many epochs, at least 1.
    pub patience: usize,
    /// By how much a loss must be below the least one so far to count as smaller.
    pub min_improvement: f64,
}

impl EarlyStopping {
    /// Whether training ends after epochs with these losses.
    pub(super) fn stops(&self, losses: &[f64]) -> bool {
        let (mut least, mut at) = (f64::INFINITY, 0);
        for (epoch, &loss) in losses.iter().enumerate() {
            if loss < least - self.min_improvement {
                (least, at) = (loss, epoch);
            }
        }
        losses.len() > at + self.patience.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_scale_the_rate() {
        let cosine = Schedule::Cosine { warmup: 2.0 };
        let factors = [0.0, 1.0, 2.0, 6.0, 10.0].map(|epoch| cosine.factor(epoch, 10.0, &[]));
        for (factor, expected) in factors.iter().zip([0.0, 0.5, 1.0, 0.5, 0.0]) {
            assert!((factor - expected).abs() < 1e-12, "{factor} is not {expected}");
        }
        let step = Schedule::Step { epochs: 3, factor: 0.5 };
        assert_eq!([0.0, 2.9, 3.0, 6.5].map(|epoch| step.factor(epoch, 10.0, &[])), [1.0, 1.0, 0.5, 0.25]);
        assert_eq!(Schedule::Constant.factor(4.0, 10.0, &[]), 1.0);
        let exponential = Schedule::Exponential { factor: 0.25 };
        assert_eq!([0.0, 0.5, 2.0].map(|epoch| exponential.factor(epoch, 10.0, &[])), [1.0, 0.5, 0.0625]);
    }

    #[test]
    fn a_plateau_lowers_the_rate_each_time() {
        let plateau = Schedule::Plateau { factor: 0.5, patience: 2, min_improvement: 0.1 };
        let losses = [1.0, 0.8, 0.75, 0.72, 0.9, 0.71, 0.5, 0.5, 0.5];
        //            best best  1     2: half  1    2: half best 1   2: half
        let factors: Vec<f64> = (0..=9).map(|n| plateau.factor(n as f64, 20.0, &losses[..n])).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]);
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let error = |schedule: Schedule| schedule.check().unwrap_err().to_string();
        let plateau = Schedule::Plateau { factor: 1.5, patience: 2, min_improvement: 0.0 };
        assert!(error(plateau).contains("1.5 on a plateau; the factor must be between 0 and 1"));
        assert!(error(Schedule::Exponential { factor: -1.0 }).contains("must be above 0"));
        assert!(error(Schedule::Cosine { warmup: f64::NAN }).contains("must be at least 0"));
    }
}
