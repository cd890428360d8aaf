//! How a recipe changes its training samples.

use std::sync::Arc;

use dunlin_converter::data::{
    Augment, Cutout, Flip, Noise, Rotation, Scale, Shift, TimeShift, TimeWarp, Turn, Variation,
};
use serde::Deserialize;

/// Training samples that are changed a little: so many copies of each beside it, which make an epoch longer by that factor,
/// or without `copies` others in each epoch. What is not named stays as it is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Augmentation {
    /// Of images.
    Images(ImageChanges),
    /// Of windows of an accelerometer or the like.
    Motion(MotionChanges),
    /// Of sounds, before their features; see [`Variation`].
    Sounds {
        /// Copies of each sample.
        copies: usize,
        /// Up to so many samples earlier or later.
        shift_samples: usize,
        /// Up to so many decibels louder or quieter.
        gain_db: f64,
        /// With noise of up to this many decibels relative to full scale.
        noise_db: f64,
    },
}

/// What may happen to images, in this order.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageChanges {
    /// Copies of each; without it each epoch has others.
    pub copies: Option<usize>,
    /// Moved by up to so many pixels in each direction; see [`Shift`].
    pub shift_pixels: usize,
    /// Left and right change places, with even chances.
    pub flip_left_right: bool,
    /// Top and bottom change places, with even chances.
    pub flip_upside_down: bool,
    /// Turned by up to so many degrees; see [`Turn`].
    pub turn_degrees: f64,
    /// Larger or smaller by up to this part.
    pub scale: f64,
    /// Standard deviation of normal noise.
    pub noise: f64,
    /// Side of a square that is missing; see [`Cutout`].
    pub cutout_pixels: usize,
}

/// What may happen to windows `[t, channels]`, in this order.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MotionChanges {
    /// Copies of each; without it each epoch has others.
    pub copies: Option<usize>,
    /// Up to so many rows earlier or later; see [`TimeShift`].
    pub shift_rows: usize,
    /// Faster and slower by up to this part; see [`TimeWarp`].
    pub warp: f64,
    /// Threes of channels are turned by up to so many degrees; see [`Rotation`].
    pub turn_degrees: f64,
    /// Each channel stronger or weaker by up to this part; see [`Scale`].
    pub scale: f64,
    /// Standard deviation of normal noise.
    pub noise: f64,
}

/// Changes of samples, one after the other.
pub(super) type Changes = Vec<Arc<dyn Augment<f32>>>;

impl ImageChanges {
    pub(super) fn changes(&self) -> Changes {
        let ImageChanges { shift_pixels, turn_degrees: degrees, scale, noise, cutout_pixels, .. } = *self;
        let flip = Flip { upside_down: self.flip_upside_down, left_right: self.flip_left_right };
        let mut changes = Changes::new();
        if shift_pixels > 0 {
            changes.push(Arc::new(Shift { pixels: shift_pixels, fill: 0.0 }));
        }
        if flip.upside_down || flip.left_right {
            changes.push(Arc::new(flip));
        }
        if degrees != 0.0 || scale != 0.0 {
            changes.push(Arc::new(Turn { degrees, scale, fill: 0.0 }));
        }
        if noise != 0.0 {
            changes.push(Arc::new(Noise { deviation: noise }));
        }
        if cutout_pixels > 0 {
            changes.push(Arc::new(Cutout { pixels: cutout_pixels, fill: 0.0 }));
        }
        changes
    }
}

impl MotionChanges {
    pub(super) fn changes(&self) -> Changes {
        let MotionChanges { shift_rows: steps, warp, turn_degrees: degrees, scale, noise, .. } = *self;
        let mut changes = Changes::new();
        if steps > 0 {
            changes.push(Arc::new(TimeShift { steps }));
        }
        if warp != 0.0 {
            changes.push(Arc::new(TimeWarp { part: warp }));
        }
        if degrees != 0.0 {
            changes.push(Arc::new(Rotation { degrees }));
        }
        if scale != 0.0 {
            changes.push(Arc::new(Scale { part: scale }));
        }
        if noise != 0.0 {
            changes.push(Arc::new(Noise { deviation: noise }));
        }
        changes
    }
}

impl Augmentation {
    /// For sounds.
    pub(super) fn variation(&self) -> Option<(Variation, usize)> {
        match *self {
            Augmentation::Sounds { copies, shift_samples, gain_db, noise_db } => {
                Some((Variation { shift_samples, gain_db, noise_db }, copies))
            }
            Augmentation::Images(_) | Augmentation::Motion(_) => None,
        }
    }
}
