//! From a sensor of several axes, such as an accelerometer, to windows of features.
//!
//! ```
//! use dunlin::frontend::{Axis, Windows};
//! // 16384 units a g: features in g, in fixed point.
//! let axes = [Axis { offset: 0, factor_q16: 1024 }; 3];
//! let mut memory = [0; 128 * 3];
//! let mut windows = Windows::<i16, 3>::new(axes, 64, &mut memory)?;
//! let mut n_windows = 0;
//! for _ in 0..256 {
//!     if let Some(window) = windows.push([0, 0, 16384]) {
//!         assert_eq!(window[..3], [0, 0, 256]);
//!         n_windows += 1;
//!     }
//! }
//! assert_eq!(n_windows, 3); // after 128, 192 and 256 samples
//! # Ok::<(), dunlin::frontend::Error>(())
//! ```

use super::{Error, FEATURE_SCALE};
use crate::Element;

/// What becomes of an axis' numbers: `(raw - offset) * factor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Axis {
    /// What is taken away, in the sensor's units.
    pub offset: i16,
    /// Steps of [`FEATURE_SCALE`] that a unit of the sensor stands for, with 16 bits behind the point.
    pub factor_q16: u32,
}

/// A feature of an axis: i16 in fixed point, in steps of [`FEATURE_SCALE`], or f32.
pub trait MotionFeature: Element {
    /// The feature of a sensor's number.
    fn of(axis: Axis, raw: i16) -> Self;
}

/// Fixed point, the same bits on every machine: rounded to nearest, ties up, and saturated.
impl MotionFeature for i16 {
    fn of(axis: Axis, raw: i16) -> i16 {
        let product = (i64::from(raw) - i64::from(axis.offset)) * i64::from(axis.factor_q16);
        ((product + (1 << 15)) >> 16).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }
}

impl MotionFeature for f32 {
    fn of(axis: Axis, raw: i16) -> f32 {
        let difference = i32::from(raw) - i32::from(axis.offset);
        difference as f32 * (axis.factor_q16 as f32 / 65536.0 * FEATURE_SCALE)
    }
}

/// The last samples, again and again: windows that overlap.
pub struct Windows<'m, T, const AXES: usize> {
    axes: [Axis; AXES],
    hop: usize,
    window: &'m mut [T],
    /// Numbers of the window that have arrived.
    n_arrived: usize,
}

impl<'m, T: MotionFeature, const AXES: usize> Windows<'m, T, AXES> {
    /// Windows as long as `window`, whose contents are lost, each `hop` samples after the one before.
    ///
    /// # Errors
    /// [`Error::Window`] if that is no whole number of samples or none; [`Error::Hop`] if the hop is longer, or 0.
    pub fn new(axes: [Axis; AXES], hop: usize, window: &'m mut [T]) -> Result<Self, Error> {
        let rows = window.len().checked_div(AXES).unwrap_or(0);
        if rows == 0 || rows * AXES != window.len() {
            return Err(Error::Window);
        }
        if !(1..=rows).contains(&hop) {
            return Err(Error::Hop);
        }
        Ok(Windows { axes, hop, window, n_arrived: 0 })
    }

    /// Takes a sample. The features of a window, sample after sample, if it is the last one of a window.
    pub fn push(&mut self, sample: [i16; AXES]) -> Option<&[T]> {
        if self.n_arrived >= self.window.len() {
            let gone = (self.hop * AXES).min(self.window.len());
            self.window.copy_within(gone.., 0);
            self.n_arrived = self.window.len() - gone;
        }
        let room = self.window.get_mut(self.n_arrived..)?;
        for ((to, axis), raw) in room.iter_mut().zip(self.axes).zip(sample) {
            *to = T::of(axis, raw);
        }
        self.n_arrived += AXES;
        (self.n_arrived >= self.window.len()).then_some(self.window)
    }

    /// Forgets the samples: the next one is the first again.
    pub fn restart(&mut self) {
        self.n_arrived = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_saturated() {
        let half = Axis { offset: 3, factor_q16: 1 << 15 };
        assert_eq!([3, 4, 2, 6, 0].map(|raw| i16::of(half, raw)), [0, 1, 0, 2, -1]);
        let large = Axis { offset: i16::MIN, factor_q16: u32::MAX };
        assert_eq!([i16::MIN, -32767, i16::MAX].map(|raw| i16::of(large, raw)), [0, i16::MAX, i16::MAX]);
        let most = Axis { offset: i16::MAX, factor_q16: u32::MAX };
        assert_eq!(i16::of(most, i16::MIN), i16::MIN);
        assert_eq!([3, 131, -509].map(|raw| f32::of(half, raw)), [0.0, 0.25, -1.0]);
    }

    #[test]
    fn windows_overlap() {
        let axes = [Axis { offset: 0, factor_q16: 1 << 16 }; 2];
        let mut memory = [0; 6];
        let mut windows = Windows::<i16, 2>::new(axes, 2, &mut memory).unwrap();
        let mut due = [[0; 7]; 3];
        let mut n = 0;
        for i in 0..8 {
            if let Some(window) = windows.push([i, -i]) {
                due[n][0] = i;
                due[n][1..].copy_from_slice(window);
                n += 1;
            }
        }
        assert_eq!(due, [[2, 0, 0, 1, -1, 2, -2], [4, 2, -2, 3, -3, 4, -4], [6, 4, -4, 5, -5, 6, -6]]);
        windows.restart();
        assert_eq!(windows.push([1, 1]), None);
    }

    #[test]
    fn impossible_windows_are_refused() {
        let axes = [Axis { offset: 0, factor_q16: 1 }; 2];
        let refused = |len: usize, hop| Windows::<i16, 2>::new(axes, hop, &mut [0; 8][..len]).err();
        assert_eq!([refused(8, 4), refused(8, 5), refused(8, 0)], [None, Some(Error::Hop), Some(Error::Hop)]);
        assert_eq!([refused(7, 1), refused(0, 1)], [Some(Error::Window); 2]);
        assert_eq!(Windows::<i16, 0>::new([], 1, &mut []).err(), Some(Error::Window));
    }
}
