//! What is told how training goes, and may end it.

use super::{Metrics, Network};
use crate::Result;

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// It does.
    GoOn,
    /// It ends, as if this epoch had been the last.
    Stop,
}

/// A batch that is done.
#[derive(Clone, Copy, Debug)]
pub struct BatchEnd {
    /// Of training, from 0 on.
    pub epoch: usize,
    /// Of the epoch, from 0 on.
    pub batch: usize,
    /// Of the epoch.
    pub n_batches: usize,
    /// Mean loss of its samples before the update.
    pub loss: f32,
    /// The learning rate of the update.
    pub rate: f64,
}

/// An epoch that is done.
pub struct EpochEnd<'e> {
    /// From 0 on.
    pub epoch: usize,
    /// Of the training samples, each batch as it was before its own update.
    pub training: &'e Metrics,
    /// Of the validation samples, if there are some.
    pub validation: Option<&'e Metrics>,
    /// The learning rate of the last update.
    pub rate: f64,
    /// The network as it is now.
    pub network: &'e Network,
}

/// What training calls as it goes, in the manner of Keras; [`Network::fit_with`] takes any number. An error ends training,
/// and the network stays as it was.
///
/// A training that goes on from a checkpoint calls [`Callback::restore`] with what [`Callback::state`] gave when the
/// checkpoint was written, then the rest of the epochs: what a callback does must depend on nothing else.
pub trait Callback {
    /// Before the first batch of an epoch, counted from 0.
    ///
    /// # Errors
    /// End training.
    fn epoch_begins(&mut self, _epoch: usize) -> Result<()> {
        Ok(())
    }

    /// After each batch.
    ///
    /// # Errors
    /// End training.
    fn batch_ends(&mut self, _batch: &BatchEnd) -> Result<Next> {
        Ok(Next::GoOn)
    }

    /// After each epoch, before the checkpoint is written.
    ///
    /// # Errors
    /// End training.
    fn epoch_ends(&mut self, _epoch: &EpochEnd) -> Result<Next> {
        Ok(Next::GoOn)
    }

    /// What the callback goes on with, for the checkpoint.
    fn state(&self) -> String {
        String::new()
    }

    /// Takes what [`Callback::state`] gave.
    ///
    /// # Errors
    /// If it cannot go on from there.
    fn restore(&mut self, _state: &str) -> Result<()> {
        Ok(())
    }
}
