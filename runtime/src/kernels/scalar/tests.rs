//! The row kernels against the generic ones.

extern crate std;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::pool::{AverageI8, Pixels, Pool};
use crate::kernels::generic::requantize::{Channels, Requantize};
use crate::kernels::testing::{Layer, Operands, elements, layers, table};
use crate::mem::{Rows, View, ViewMut};
use crate::ops::fully_connected::Weights;
use crate::ops::window::Geometry;

type RowKernel = fn(&I8, &Geometry, &Rows<i8>, View<i8>, usize, ViewMut<i8>, ViewMut<i32>);

/// All rows of a layer, one after the other.
fn by_rows(kernel: RowKernel) -> impl Fn(&Operands) {
    move |o| {
        for y in 0..o.geometry.output[0] {
            kernel(&o.arithmetic, &o.geometry, &o.x, o.w, y, o.out.row(y), o.scratch);
        }
    }
}

proptest! {
    #[test]
    fn convolutions_are_the_generic_ones(layer in layers([1usize..6, 1usize..6])) {
        let kernels = [&by_rows(super::conv::conv_row_i8), &by_rows(generic::conv::conv_row_i8) as &dyn Fn(&Operands)];
        let outputs = layer.outputs(layer.image[2], generic::conv::conv_scratch_bytes, kernels);
        prop_assert!(outputs.is_none_or(|[found, expected]| found == expected));
    }

    #[test]
    fn depthwise_convolutions_are_the_generic_ones(
        layer in layers(prop_oneof![3 => Just([3, 3]), 1 => [1usize..5, 1usize..5]]),
        multiplier in prop_oneof![3 => Just(1usize), 1 => Just(2)],
    ) {
        let layer = Layer { channels: layer.image[2] * multiplier, ..layer };
        let kernels = [
            &by_rows(super::depthwise::depthwise_row_i8),
            &by_rows(generic::depthwise::depthwise_row_i8) as &dyn Fn(&Operands),
        ];
        let outputs = layer.outputs(1, generic::depthwise::depthwise_scratch_bytes, kernels);
        prop_assert!(outputs.is_none_or(|[found, expected]| found == expected));
    }

    #[test]
    fn sums_of_pixels_are_the_generic_ones(
        (count, channels) in (0usize..600, 1usize..20),
        gap in 0usize..9,
        start in 0usize..4,
        seed: u64,
    ) {
        let (mut seed, distance) = (seed, channels + gap);
        let x = elements(&mut seed, start + count * distance + channels);
        let x = View::from(&x[..]).slice(start, count * distance);
        let run = |add: fn(ViewMut<i32>, Pixels<i8>)| {
            let mut acc: Vec<i32> = (0..channels as i32).map(|c| c * 77_777).collect();
            add((&mut acc[..]).into(), Pixels { x, distance, count });
            acc
        };
        prop_assert_eq!(run(super::pool::add_pixels_i8), run(generic::pool::add_pixels_i8));
    }

    #[test]
    fn means_without_division_are_the_generic_ones(n in 1usize..=255 * 255, mean in -128i32..=127, seed: u64) {
        let (average, n_i32) = (AverageI8((-120, 120)), n as i32);
        let near = |i: u32| mean * n_i32 + (seed.rotate_left(i) % (2 * n as u64)) as i32 - n_i32;
        let ends = [-128 * n_i32, 127 * n_i32, 0, -1, 1, n_i32 / 2, -n_i32 / 2, (n_i32 + 1) / 2];
        let accs = ends.into_iter().chain((0..8).map(near));
        let accs: Vec<i32> = accs.map(|acc| acc.clamp(-128 * n_i32, 127 * n_i32)).collect();
        let run = |means: fn(&AverageI8, View<i32>, usize, ViewMut<i8>)| {
            let mut out = vec![0i8; accs.len()];
            means(&average, View::from(&accs[..]), n, (&mut out[..]).into());
            out
        };
        let expected: Vec<i8> = accs.iter().map(|&acc| average.finish(acc, n)).collect();
        prop_assert_eq!(&run(super::pool::means_without_division_i8), &expected);
        prop_assert_eq!(&run(generic::pool::means_i8), &expected);
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
        let bytes = generic::fully_connected::fully_connected_scratch_bytes(Weights::ROWS, taps, channels);
        let mut memory = vec![0i32; bytes / 4];
        let kernels = [
            super::fully_connected::fully_connected_row_i8,
            generic::fully_connected::fully_connected_row_i8,
        ];
        let [found, expected] = kernels.map(|kernel| {
            let mut out = vec![0i8; channels];
            let (x, w) = (View::from(&x[..]), View::from(&w[..]));
            kernel(&arithmetic, Weights::ROWS, x, w, (&mut out[..]).into(), (&mut memory[..]).into());
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
        let bytes = generic::fully_connected::fully_connected_scratch_bytes(Weights::ROWS, taps, channels);
        let mut memory = vec![0i32; bytes / 4];
        let kernels = [
            super::fully_connected::blocks_row_i8,
            generic::fully_connected::blocks_row_i8,
        ];
        let [found, expected] = kernels.map(|kernel| {
            let mut out = vec![0i8; channels];
            let (x, w) = (View::from(&x[..]), View::from(&words[..]).bytes());
            kernel(&arithmetic, Weights::WORDS, x, w, (&mut out[..]).into(), (&mut memory[..]).into());
            out
        });
        prop_assert_eq!(found, expected);
    }
}
