//! Changes of images `[h, w, c]`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Augment, at_least_0, signed};
use crate::{Error, Result};

/// Moved down, up, left and right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// By up to so many pixels.
    pub pixels: usize,
    /// What comes in from the border.
    pub fill: f32,
}

/// Mirrored, each with even chances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// Top and bottom change places.
    pub upside_down: bool,
    /// Left and right change places.
    pub left_right: bool,
}

/// Turned around the middle, and larger or smaller; pixels between others are their bilinear mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// By up to so many degrees in either direction.
    pub degrees: f64,
    /// By up to this part larger or smaller, below 1.
    pub scale: f64,
    /// What comes in from the border.
    pub fill: f32,
}

/// A square is missing, perhaps partly outside (DeVries and Taylor 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cutout {
    /// Side of the square.
    pub pixels: usize,
    /// What is there instead.
    pub fill: f32,
}

fn image(dims: &[usize]) -> [usize; 3] {
    [dims[0], dims[1], dims[2]]
}

fn check_image(dims: &[usize]) -> Result<()> {
    if dims.len() == 3 {
        return Ok(());
    }
    Err(Error::Invalid(format!("only images [h, w, c] can be changed like this, not samples {dims:?}")))
}

/// Every pixel of an image from where `source` says it was, or `fill` if it was outside.
fn moved(
    image: &mut [f32],
    [h, w, c]: [usize; 3],
    fill: f32,
    source: impl Fn(isize, isize) -> (isize, isize),
) {
    let before = image.to_vec();
    for (i, pixel) in image.chunks_exact_mut(c).enumerate() {
        let (y, x) = source((i / w) as isize, (i % w) as isize);
        let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
        match inside {
            true => pixel.copy_from_slice(&before[(y as usize * w + x as usize) * c..][..c]),
            false => pixel.fill(fill),
        }
    }
}

impl Augment<f32> for Shift {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_image(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let most = self.pixels as i32;
        let [down, right] = [rng.random_range(-most..=most), rng.random_range(-most..=most)];
        moved(sample, image(dims), self.fill, |y, x| (y - down as isize, x - right as isize));
    }
}

impl Augment<f32> for Flip {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_image(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let [vertical, horizontal] = [rng.random::<bool>(), rng.random::<bool>()];
        let (vertical, horizontal) = (self.upside_down && vertical, self.left_right && horizontal);
        let [h, w, _] = image(dims).map(|len| len as isize);
        moved(sample, image(dims), 0.0, |y, x| {
            (if vertical { h - 1 - y } else { y }, if horizontal { w - 1 - x } else { x })
        });
    }
}

impl Augment<f32> for Turn {
    fn check(&self, dims: &[usize]) -> Result<()> {
        at_least_0("the angle by which images are turned", self.degrees)?;
        at_least_0("the part by which images are scaled", self.scale)?;
        if self.scale >= 1.0 {
            return Err(Error::Invalid(format!(
                "images are scaled by up to {}; it must be below 1",
                self.scale
            )));
        }
        check_image(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let radians = self.degrees.to_radians() * signed(rng);
        let scale = 1.0 / (1.0 + self.scale * signed(rng));
        let (sin, cos) = (scale * libm::sin(radians), scale * libm::cos(radians));
        let [h, w, c] = image(dims);
        let before = sample.to_vec();
        let at = |y: isize, x: isize, channel: usize| {
            let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
            f64::from(if inside { before[(y as usize * w + x as usize) * c + channel] } else { self.fill })
        };
        let middle = |len: usize| (len as f64 - 1.0) / 2.0;
        for (i, pixel) in sample.chunks_exact_mut(c).enumerate() {
            let (y, x) = ((i / w) as f64 - middle(h), (i % w) as f64 - middle(w));
            let (y, x) = (cos * y - sin * x + middle(h), sin * y + cos * x + middle(w));
            let (top, left) = (libm::floor(y), libm::floor(x));
            let (down, right) = (y - top, x - left);
            let (top, left) = (top as isize, left as isize);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let row = |y| at(y, left, channel) * (1.0 - right) + at(y, left + 1, channel) * right;
                *value = (row(top) * (1.0 - down) + row(top + 1) * down) as f32;
            }
        }
    }
}

impl Augment<f32> for Cutout {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_image(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let [h, w, c] = image(dims);
        let mut around = |len: usize| {
            let start = rng.random_range(0..len as u32) as usize as isize - self.pixels as isize / 2;
            start..start + self.pixels as isize
        };
        let (rows, columns) = (around(h), around(w));
        for (i, pixel) in sample.chunks_exact_mut(c).enumerate() {
            if rows.contains(&((i / w) as isize)) && columns.contains(&((i % w) as isize)) {
                pixel.fill(self.fill);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn pixels_move_together() {
        // 2×2 pixels of two channels.
        let image = [1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0];
        let mut right = image;
        moved(&mut right, [2, 2, 2], 0.5, |y, x| (y, x - 1));
        assert_eq!(right, [0.5, 0.5, 1.0, -1.0, 0.5, 0.5, 3.0, -3.0]);
        let mut up = image;
        moved(&mut up, [2, 2, 2], 0.0, |y, x| (y + 1, x));
        assert_eq!(up, [3.0, -3.0, 4.0, -4.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn flips_have_even_chances_and_undo_themselves() {
        let flip = Flip { upside_down: false, left_right: true };
        let mut n_flipped = 0;
        for seed in 0..200 {
            let mut image = [1.0, 2.0, 3.0, 4.0];
            flip.apply(&[2, 2, 1], &mut image, &mut ChaCha8Rng::seed_from_u64(seed));
            n_flipped += usize::from(image == [2.0, 1.0, 4.0, 3.0]);
            assert!(image == [2.0, 1.0, 4.0, 3.0] || image == [1.0, 2.0, 3.0, 4.0]);
        }
        assert!((70..130).contains(&n_flipped), "{n_flipped}");
    }

    #[test]
    fn a_turned_disc_is_a_disc_and_a_still_image_stays() {
        let disc: Vec<f32> = (0..441)
            .map(|i| {
                let (y, x) = ((i / 21) as f64 - 10.0, (i % 21) as f64 - 10.0);
                libm::exp(-(y * y + x * x) / 18.0) as f32
            })
            .collect();
        let mut turned = disc.clone();
        let turn = Turn { degrees: 40.0, scale: 0.0, fill: 0.0 };
        turn.apply(&[21, 21, 1], &mut turned, &mut ChaCha8Rng::seed_from_u64(3));
        assert_ne!(turned, disc);
        assert!(turned.iter().zip(&disc).all(|(a, b)| (a - b).abs() < 0.02));
        let mut still = disc.clone();
        Turn { degrees: 0.0, ..turn }.apply(&[21, 21, 1], &mut still, &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(still, disc);
        // A quarter of a turn takes the top to a side.
        let mut line: Vec<f32> = (0..9).map(|i| f32::from(u8::from(i == 1))).collect();
        let quarter = |image: &mut [f32]| {
            moved(image, [3, 3, 1], 0.0, |y, x| (x, 2 - y));
        };
        quarter(&mut line);
        assert_eq!(line.iter().position(|&x| x == 1.0), Some(3));
    }

    #[test]
    fn a_cutout_is_a_square() {
        let mut image = vec![1.0; 2 * 100];
        Cutout { pixels: 4, fill: 0.0 }.apply(&[10, 10, 2], &mut image, &mut ChaCha8Rng::seed_from_u64(5));
        let n_missing = image.iter().filter(|&&x| x == 0.0).count();
        assert!((8..=32).contains(&n_missing) && n_missing.is_multiple_of(4), "{n_missing}");
    }
}
