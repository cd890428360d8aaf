//! Work split among threads in parts that do not depend on how many there are.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, Result};

/// Parts that a reduction over samples is split in, and of which each has a sum of its own.
pub(super) const N_PARTS: usize = 8;

/// Samples of a part.
pub(super) fn part_len(n_samples: usize) -> usize {
    n_samples.div_ceil(N_PARTS).max(1)
}

/// Threads that kernels run on.
pub(crate) struct Threads(Option<ThreadPool>);

impl Threads {
    /// So many threads; without a number those that the whole process shares, one a core (or `RAYON_NUM_THREADS`).
    ///
    /// # Errors
    /// If they cannot be started.
    pub(crate) fn new(n_threads: Option<usize>) -> Result<Threads> {
        let Some(n) = n_threads else { return Ok(Threads(None)) };
        let pool = ThreadPoolBuilder::new().num_threads(n).build();
        let pool = pool.map_err(|e| Error::Invalid(format!("{n} threads cannot be started: {e}")))?;
        Ok(Threads(Some(pool)))
    }

    /// Runs `work`, whose kernels take these threads.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            // Inside, so that the kernels need not wake the threads anew.
            None => rayon::scope(|_| work()),
        }
    }
}
