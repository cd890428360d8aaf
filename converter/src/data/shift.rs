//! Images moved to the side.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Examples;
use crate::{Error, Result};

/// `examples`, images `[h, w, c]`, with `copies` copies of each, moved by up to `pixels` down, up, left and right; what
/// comes in from the border is `fill`.
///
/// # Errors
/// If the samples are no images.
pub fn with_shifts(
    examples: &Examples<f32>,
    pixels: usize,
    copies: usize,
    fill: f32,
    seed: u64,
) -> Result<Examples<f32>> {
    let [h, w, c] = examples.dims[..] else {
        let dims = &examples.dims;
        return Err(Error::Invalid(format!("only images [h, w, c] can be shifted, not samples {dims:?}")));
    };
    let most = pixels as i32;
    let mut all = examples.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for copy in 0..copies {
        for i in 0..examples.len() {
            rng.set_stream((copy * examples.len() + i) as u64);
            rng.set_word_pos(0);
            let by = [rng.random_range(-most..=most), rng.random_range(-most..=most)];
            all.x.extend(shifted(examples.sample(i), [h, w, c], by, fill));
        }
        all.labels.extend(&examples.labels);
        all.fields.extend(examples.fields.iter().cloned());
    }
    Ok(all)
}

/// An image moved down and right.
fn shifted(image: &[f32], dims: [usize; 3], by: [i32; 2], fill: f32) -> impl Iterator<Item = f32> {
    let [h, w, c] = dims;
    let [down, right] = by.map(|pixels| pixels as isize);
    (0..h * w * c).map(move |i| {
        let (y, x) = ((i / (w * c)) as isize - down, (i / c % w) as isize - right);
        let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
        if inside { image[(y as usize * w + x as usize) * c + i % c] } else { fill }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_move_together() {
        // 2×2 pixels of two channels.
        let image = [1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0];
        let right: Vec<f32> = shifted(&image, [2, 2, 2], [0, 1], 0.5).collect();
        assert_eq!(right, [0.5, 0.5, 1.0, -1.0, 0.5, 0.5, 3.0, -3.0]);
        let up: Vec<f32> = shifted(&image, [2, 2, 2], [-1, 0], 0.0).collect();
        assert_eq!(up, [3.0, -3.0, 4.0, -4.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn copies_follow_the_originals() {
        let examples = Examples::new(&[2, 2, 1], (0..8).map(|i| i as f32).collect(), vec![1, 0]).unwrap();
        let more = with_shifts(&examples, 1, 3, 0.0, 7).unwrap();
        assert_eq!((more.len(), &more.labels[..4], &more.x[..8]), (8, &[1, 0, 1, 0][..], &examples.x[..]));
        assert_eq!(more, with_shifts(&examples, 1, 3, 0.0, 7).unwrap());
        assert_ne!(more, with_shifts(&examples, 1, 3, 0.0, 8).unwrap());
    }
}
