//! Where training takes its samples from, batch by batch.

use std::ops::ControlFlow;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::{Error, Result};

/// Batches that the thread which reads ahead may have ready.
const N_AHEAD: usize = 2;

/// Samples that training asks for one by one: a [`Dataset`](super::Dataset) in memory, copies that change with each epoch
/// ([`Augmented`](crate::data::Augmented)), or what does not fit into memory and is read from a disk. All samples have one
/// shape, and so have their targets.
pub trait Source: Sync {
    /// Number of samples, at least 1.
    fn len(&self) -> usize;

    /// Whether there are none; never.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Dimensions of a sample.
    fn dims(&self) -> &[usize];

    /// Dimensions of a target.
    fn target_dims(&self) -> &[usize];

    /// Writes sample `i` and its target as they are in epoch `epoch`. What is written depends on nothing but these two
    /// numbers: so training ends in the same bytes whatever thread reads, and after an interruption.
    ///
    /// # Errors
    /// If they cannot be read; names the file.
    fn read(&self, i: usize, epoch: usize, x: &mut [f32], target: &mut [f32]) -> Result<()>;

    /// Whether [`Source::read`] takes no longer than a copy. Otherwise a thread reads ahead.
    fn is_quick(&self) -> bool {
        false
    }

    /// A number that other samples do not have, for checkpoints: of all samples in the first epoch.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn checksum(&self) -> Result<u32> {
        let mut crc = crc32fast::Hasher::new();
        let mut batch = Batch::default();
        for i in 0..self.len() {
            batch.read(self, &[i], 0)?;
            crc.update(bytemuck::cast_slice(&batch.x));
            crc.update(bytemuck::cast_slice(&batch.targets));
        }
        Ok(crc.finalize())
    }
}

/// Samples one behind the other, with their targets.
#[derive(Default)]
pub(super) struct Batch {
    pub x: Vec<f32>,
    pub targets: Vec<f32>,
    pub len: usize,
}

impl Batch {
    fn read(&mut self, source: &(impl Source + ?Sized), indices: &[usize], epoch: usize) -> Result<()> {
        let [x_len, target_len] = [source.dims(), source.target_dims()].map(|dims| dims.iter().product());
        self.len = indices.len();
        self.x.resize(x_len * self.len, 0.0);
        self.targets.resize(target_len * self.len, 0.0);
        let rows = self.x.chunks_exact_mut(x_len).zip(self.targets.chunks_exact_mut(target_len));
        indices.iter().zip(rows).try_for_each(|(&i, (x, target))| source.read(i, epoch, x, target))
    }
}

/// Calls `take` with the batches of `order`, one by one. It may end this early.
pub(super) fn for_each_batch(
    source: &dyn Source,
    order: &[usize],
    batch_size: usize,
    epoch: usize,
    mut take: impl FnMut(&Batch) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut chunks = order.chunks(batch_size);
    if source.is_quick() {
        let mut batch = Batch::default();
        for indices in chunks {
            batch.read(source, indices, epoch)?;
            if take(&batch)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let (ready, batches) = sync_channel(N_AHEAD);
        let (used, free) = channel::<Batch>();
        let reader = scope.spawn(move || {
            chunks.try_for_each(|indices| {
                let mut batch = free.try_recv().unwrap_or_default();
                let read = batch.read(source, indices, epoch).map(|()| batch);
                // Nobody takes it when training has ended or failed.
                if ready.send(read).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        for batch in batches {
            let batch = batch?;
            if take(&batch)?.is_break() {
                return Ok(());
            }
            let _ = used.send(batch);
        }
        match reader.join() {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Invalid("the thread that reads samples panicked".to_string())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sample `i` is `i`, and its target the epoch.
    struct Numbers {
        len: usize,
        broken: Option<usize>,
        is_quick: bool,
    }

    impl Source for Numbers {
        fn len(&self) -> usize {
            self.len
        }

        fn dims(&self) -> &[usize] {
            &[1]
        }

        fn target_dims(&self) -> &[usize] {
            &[1]
        }

        fn read(&self, i: usize, epoch: usize, x: &mut [f32], target: &mut [f32]) -> Result<()> {
            (x[0], target[0]) = (i as f32, epoch as f32);
            match self.broken {
                Some(broken) if broken == i => Err(Error::Invalid(format!("sample {i} is broken"))),
                _ => Ok(()),
            }
        }

        fn is_quick(&self) -> bool {
            self.is_quick
        }
    }

    fn taken(source: &Numbers, at_most: usize) -> Result<Vec<Vec<f32>>> {
        let order: Vec<usize> = (0..source.len).rev().collect();
        let mut all = Vec::new();
        for_each_batch(source, &order, 3, 7, |batch| {
            assert_eq!(batch.targets, vec![7.0; batch.len]);
            all.push(batch.x.clone());
            Ok(if all.len() == at_most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(all)
    }

    #[test]
    fn reading_ahead_gives_the_same_batches() {
        for is_quick in [false, true] {
            let source = Numbers { len: 100, broken: None, is_quick };
            let all = taken(&source, usize::MAX).unwrap();
            assert_eq!((all.len(), &all[0][..], &all[33][..]), (34, &[99.0, 98.0, 97.0][..], &[0.0][..]));
            assert_eq!(taken(&source, 2).unwrap(), all[..2]);
            let broken = Numbers { broken: Some(50), ..source };
            assert_eq!(taken(&broken, usize::MAX).unwrap_err().to_string(), "sample 50 is broken");
            assert_eq!(taken(&broken, 2).unwrap(), all[..2], "what nobody takes need not be read");
        }
    }

    #[test]
    fn other_samples_have_another_checksum() {
        let of = |len: usize| Numbers { len, broken: None, is_quick: true }.checksum().unwrap();
        assert_eq!(of(5), of(5));
        assert_ne!(of(5), of(6));
    }
}
