//! The row kernels against the generic ones.

extern crate std;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::requantize::{Channels, Requantize};
use crate::mem::{Rows, View, ViewMut};
use crate::ops::fully_connected::Weights;
use crate::ops::window::{Geometry, Window};

/// A layer's sizes, and where its numbers come from.
#[derive(Clone, Debug)]
struct Layer {
    kernel: [usize; 2],
    window: Window,
    /// `[h, w, c]`.
    image: [usize; 3],
    channels: usize,
    zero_points: [i32; 2],
    least: i8,
    seed: u64,
}

fn layers(kernel: impl Strategy<Value = [usize; 2]>) -> impl Strategy<Value = Layer> {
    let window = ([1u8..3, 1u8..3], [1u8..3, 1u8..3], [0u8..3, 0u8..3, 0u8..3, 0u8..3]).prop_map(
        |(stride, dilation, pads)| Window { stride, dilation: [dilation[0], 1.max(dilation[1] / 2)], pads },
    );
    let image = (1usize..6, 1usize..20, prop_oneof![1usize..9, 30usize..70]);
    let zero_points = [-128i32..128, -128i32..128];
    (kernel, window, image, 1usize..40, zero_points, -128i8..0, any::<u64>()).prop_map(
        |(kernel, window, image, channels, zero_points, least, seed)| Layer {
            kernel,
            window,
            image: image.into(),
            channels,
            zero_points,
            least,
            seed,
        },
    )
}

/// Elements of which a quarter are the ends of int8.
fn elements(seed: &mut u64, len: usize) -> Vec<i8> {
    let mut next = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as u32
    };
    (0..len)
        .map(|_| match next() {
            n if n % 8 == 0 => i8::MIN,
            n if n % 8 == 1 => i8::MAX,
            n => (n >> 8) as i8,
        })
        .collect()
}

/// Biases and factors, one in eight with less common multipliers and shifts.
fn table(seed: &mut u64, channels: usize) -> Vec<i32> {
    let random = elements(seed, 8 * channels);
    random
        .chunks(8)
        .flat_map(|r| {
            let byte = |i: usize| r[i] as u8 as i32;
            let bias = (r[0] as i32) << (byte(1) % 24);
            let multiplier = (byte(2) << 16 | byte(3) << 8 | byte(4)) << 6 | 1 << 30;
            let is_unusual = r[5] % 8 == 5;
            let (multiplier, shift) = if is_unusual {
                (multiplier >> (byte(6) % 8), 3 - byte(7) % 35)
            } else {
                (multiplier, -2 - byte(7) % 12)
            };
            [bias, multiplier, shift]
        })
        .collect()
}

type RowKernel = fn(&I8, &Geometry, &Rows<i8>, View<i8>, usize, ViewMut<i8>, ViewMut<i32>);

impl Layer {
    /// Runs all rows with both kernels; `None` if the window does not fit the image.
    fn differs(
        &self,
        per_channel: usize,
        kernels: [RowKernel; 2],
        scratch: fn(&Geometry) -> usize,
    ) -> Option<bool> {
        let [h, w, c] = self.image;
        let shape = crate::Shape::new(&[1, h, w, c]).unwrap();
        let [out_h, out_w] = self.window.output(self.kernel, &shape).ok()?;
        let output = [out_h, out_w, self.channels];
        let geometry = Geometry { window: self.window, kernel: self.kernel, input: self.image, output };
        let mut seed = self.seed;
        let x = elements(&mut seed, h * w * c);
        let weights = elements(&mut seed, self.channels * self.kernel[0] * self.kernel[1] * per_channel);
        let table = table(&mut seed, self.channels);
        let [x_zero_point, zero_point] = self.zero_points;
        let channels = Channels(View::from(&table[..]));
        let requantize = Requantize { channels, zero_point, bounds: (self.least, 125) };
        let arithmetic = I8 { x_offset: -x_zero_point, requantize };
        let rows = Rows::new(View::from(&x[..]), w * c);
        let mut memory = vec![0i32; scratch(&geometry) / 4];
        let [found, expected] = kernels.map(|kernel| {
            let mut out = vec![0i8; output.iter().product()];
            for (y, row) in out.chunks_mut(out_w * self.channels).enumerate() {
                kernel(
                    &arithmetic,
                    &geometry,
                    &rows,
                    View::from(&weights[..]),
                    y,
                    row.into(),
                    (&mut memory[..]).into(),
                );
            }
            out
        });
        Some(found != expected)
    }
}

proptest! {
    #[test]
    fn convolutions_are_the_generic_ones(layer in layers([1usize..6, 1usize..6])) {
        let kernels: [RowKernel; 2] = [super::conv::conv_row_i8, generic::conv::conv_row_i8];
        let differs = layer.differs(layer.image[2], kernels, generic::conv::conv_scratch_bytes);
        prop_assert_ne!(differs, Some(true));
    }

    #[test]
    fn depthwise_convolutions_are_the_generic_ones(
        layer in layers(prop_oneof![3 => Just([3, 3]), 1 => [1usize..5, 1usize..5]]),
        multiplier in prop_oneof![3 => Just(1usize), 1 => Just(2)],
    ) {
        let layer = Layer { channels: layer.image[2] * multiplier, ..layer };
        let kernels: [RowKernel; 2] =
            [super::depthwise::depthwise_row_i8, generic::depthwise::depthwise_row_i8];
        let differs = layer.differs(1, kernels, generic::depthwise::depthwise_scratch_bytes);
        prop_assert_ne!(differs, Some(true));
    }

    #[test]
    fn fully_connected_layers_are_the_generic_ones(
        taps in prop_oneof![1usize..80, 100usize..700],
        channels in 1usize..150,
        zero_points in [-128i32..128, -128i32..128],
        seed: u64,
    ) {
        let mut seed = seed;
        let (x, w) = (elements(&mut seed, taps), elements(&mut seed, taps * channels));
        let table = table(&mut seed, channels);
        let requantize = Requantize {
            channels: Channels(View::from(&table[..])), zero_point: zero_points[1], bounds: (-128, 127),
        };
        let arithmetic = I8 { x_offset: -zero_points[0], requantize };
        let bytes = generic::fully_connected::fully_connected_scratch_bytes(taps, channels);
        let mut memory = vec![0i32; bytes / 4];
        let kernels = [
            super::fully_connected::fully_connected_row_i8,
            generic::fully_connected::fully_connected_row_i8,
        ];
        let [found, expected] = kernels.map(|kernel| {
            let mut out = vec![0i8; channels];
            let (x, w) = (View::from(&x[..]), View::from(&w[..]));
            kernel(&arithmetic, 0, x, w, (&mut out[..]).into(), (&mut memory[..]).into());
            out
        });
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn layers_with_weights_in_words_are_the_generic_ones(
        fours in prop_oneof![1usize..20, 25usize..170],
        channels in 1usize..150,
        zero_points in [-128i32..128, -128i32..128],
        seed: u64,
    ) {
        let (mut seed, taps) = (seed, 4 * fours);
        let x = elements(&mut seed, taps);
        // Loads are of whole words.
        let w = elements(&mut seed, taps * channels);
        let words: Vec<i32> =
            w.as_chunks().0.iter().map(|w| i32::from_le_bytes(w.map(|w| w as u8))).collect();
        let table = table(&mut seed, channels);
        let requantize = Requantize {
            channels: Channels(View::from(&table[..])), zero_point: zero_points[1], bounds: (-100, 127),
        };
        let arithmetic = I8 { x_offset: 0, requantize };
        let bytes = generic::fully_connected::fully_connected_scratch_bytes(taps, channels);
        let mut memory = vec![0i32; bytes / 4];
        let kernels = [
            super::fully_connected::blocks_row_i8,
            generic::fully_connected::blocks_row_i8,
        ];
        let [found, expected] = kernels.map(|kernel| {
            let mut out = vec![0i8; channels];
            let (x, w) = (View::from(&x[..]), View::from(&words[..]).bytes());
            kernel(&arithmetic, Weights::Words, x, w, (&mut out[..]).into(), (&mut memory[..]).into());
            out
        });
        prop_assert_eq!(found, expected);
    }
}
