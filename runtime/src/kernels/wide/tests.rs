//! The kernels against the generic ones, with the vectors of each kind that this machine has.

extern crate std;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::cpu::{Cpu, MAX_LANES, Work};
use super::vectors::{self, tested::with_each_kind};
use super::{add, conv, depthwise, fully_connected, pool};
use crate::kernels::generic;
use crate::kernels::generic::add::SumI8;
use crate::kernels::generic::arithmetic::{F32, I8};
use crate::kernels::generic::pool::{AverageI8, Pixels, Pool};
use crate::kernels::generic::requantize::{Channels, Factor, Requantize};
use crate::kernels::testing::{Layer, Operands, elements, layers, table};
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::fully_connected::Weights;
use crate::ops::window::{Geometry, Window};

type RowKernel = fn(&I8, Weights, View<i8>, View<i8>, ViewMut<i8>, ViewMut<i32>);

fn convolve(o: &Operands) {
    // A call of one row, and one of the others.
    let (first, end) = (1.min(o.geometry.output[0]), o.geometry.output[0]);
    conv::conv_rows_i8(&o.arithmetic, &o.geometry, &o.x, o.w, 0..first, &o.out, o.scratch);
    conv::conv_rows_i8(&o.arithmetic, &o.geometry, &o.x, o.w, first..end, &o.out, o.scratch);
}

fn convolve_generic(o: &Operands) {
    generic::conv::conv_rows_i8(
        &o.arithmetic,
        &o.geometry,
        &o.x,
        o.w,
        0..o.geometry.output[0],
        &o.out,
        o.scratch,
    );
}

fn depthwise_i8(o: &Operands) {
    let rows = 0..o.geometry.output[0];
    depthwise::depthwise_rows_i8(&o.arithmetic, &o.geometry, &o.x, o.w, rows, &o.out, o.scratch);
}

fn depthwise_generic(o: &Operands) {
    let rows = 0..o.geometry.output[0];
    generic::depthwise::depthwise_rows_i8(&o.arithmetic, &o.geometry, &o.x, o.w, rows, &o.out, o.scratch);
}

fn assert_convolves(layer: &Layer) {
    with_each_kind(|kind| {
        let kernels = [&convolve as &dyn Fn(&Operands), &convolve_generic];
        if let Some([found, expected]) = layer.outputs(layer.image[2], conv::conv_scratch_bytes, kernels) {
            assert!(found == expected, "{kind}: {layer:?}");
        }
    });
}

fn assert_convolves_by_channels(layer: &Layer) {
    with_each_kind(|kind| {
        let kernels = [&depthwise_i8 as &dyn Fn(&Operands), &depthwise_generic];
        if let Some([found, expected]) = layer.outputs(1, depthwise::depthwise_scratch_bytes, kernels) {
            assert!(found == expected, "{kind}: {layer:?}");
        }
    });
}

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..40, 60usize..140]
}

proptest! {
    #[test]
    fn convolutions_are_the_generic_ones(layer in layers([1usize..6, 1usize..6]), channels in channels()) {
        assert_convolves(&Layer { channels, ..layer });
    }

    #[test]
    fn pointwise_convolutions_are_the_generic_ones(layer in layers(Just([1, 1])), channels in channels()) {
        assert_convolves(&Layer { channels, window: Window::UNIT, ..layer });
    }

    #[test]
    fn depthwise_convolutions_are_the_generic_ones(
        layer in layers(prop_oneof![3 => Just([3, 3]), 2 => [1usize..7, 1usize..7]]),
        c in channels(),
        multiplier in prop_oneof![5 => Just(1usize), 1 => Just(2)],
    ) {
        let image = [layer.image[0], layer.image[1], c];
        assert_convolves_by_channels(&Layer { image, channels: c * multiplier, ..layer });
    }

    #[test]
    fn fully_connected_layers_are_the_generic_ones(
        taps in prop_oneof![1usize..80, 100usize..700],
        channels in 1usize..150,
        zero_points in (prop_oneof![Just(-128i32), -128i32..128], -128i32..128),
        seed: u64,
    ) {
        let mut seed = seed;
        let (x, w) = (elements(&mut seed, taps), elements(&mut seed, taps * channels));
        let table = table(&mut seed, channels);
        let requantize = Requantize {
            channels: Channels(View::from(&table[..])), zero_point: zero_points.1, bounds: (-128, 127),
        };
        let arithmetic = I8 { x_offset: -zero_points.0, requantize };
        let run = |kernel: RowKernel| {
            let mut out = vec![0i8; channels];
            let (x, w) = (View::from(&x[..]), View::from(&w[..]));
            kernel(&arithmetic, Weights::ROWS, x, w, (&mut out[..]).into(), (&mut [][..]).into());
            out
        };
        let expected = run(generic::fully_connected::fully_connected_row_i8);
        with_each_kind(|kind| assert_eq!(run(fully_connected::fully_connected_row_i8), expected, "{kind}"));
    }

    #[test]
    fn sums_are_the_generic_ones(
        operands in [factor(), factor()],
        output in factor(),
        zero_points in [-128i32..128, -128i32..128],
        zero_point in -128i32..128,
        least in -128i8..0,
        len in 1usize..70,
        seed: u64,
    ) {
        let mut seed = seed;
        let (a, b) = (elements(&mut seed, len), elements(&mut seed, len));
        let sum = SumI8 { zero_points, operands, output, zero_point, bounds: (least, 120) };
        let mut expected = vec![0; len];
        let row = |values| (View::from(values), 1);
        generic::add::add_row(&sum, row(&a[..]), row(&b[..]), (&mut expected[..]).into());
        with_each_kind(|kind| {
            // In place of an operand.
            let mut found = a.clone();
            let out = ViewMut::from(&mut found[..]);
            add::add_row(&sum, (out.view(), 1), row(&b[..]), out);
            assert_eq!(found, expected, "{kind}");
        });
    }

    #[test]
    fn sums_of_pixels_are_the_generic_ones(
        (count, channels) in (0usize..70, prop_oneof![1usize..70, Just(128usize)]),
        gap in 0usize..9,
        seed: u64,
    ) {
        let (mut seed, distance) = (seed, channels + gap);
        let x = elements(&mut seed, count * distance);
        let pixels = Pixels { x: View::from(&x[..]), distance, count };
        let run = |add: fn(ViewMut<i32>, Pixels<i8>)| {
            let mut acc: Vec<i32> = (0..channels as i32).map(|c| c * 77_777).collect();
            add((&mut acc[..]).into(), pixels);
            acc
        };
        let expected = run(generic::pool::add_pixels_i8);
        with_each_kind(|kind| assert_eq!(run(pool::add_pixels_i8), expected, "{kind}"));
    }

    #[test]
    fn quotients_are_exact(n in 1i32..=255 * 255, mean in -128i32..=127, off in -70_000i32..70_000) {
        let acc = (mean * n + off).clamp(-128 * n, 127 * n);
        let mut expected = [0i8; 3];
        let accs = [acc, acc - 1, 127 * n].map(|acc| acc.max(-128 * n));
        let mean = AverageI8((-128, 127));
        for (expected, &acc) in expected.iter_mut().zip(&accs) {
            *expected = mean.finish(acc, n as usize);
        }
        with_each_kind(|kind| {
            let mut found = [0i8; 3];
            pool::means_i8(&mean, View::from(&accs[..]), n as usize, (&mut found[..]).into());
            assert_eq!(found, expected, "{kind}: {accs:?} of {n}");
            generic::pool::means_i8(&mean, View::from(&accs[..]), n as usize, (&mut found[..]).into());
            assert_eq!(found, expected, "{accs:?} of {n}");
        });
    }

    #[test]
    fn accumulators_are_rounded_as_the_generic_ones(
        acc in prop::array::uniform16(prop_oneof![
            any::<i32>(), -100_000..100_000, -3..3, Just(i32::MIN), Just(i32::MAX)
        ]),
        multipliers in prop::array::uniform16(prop_oneof![1 << 30..=i32::MAX, 0..=i32::MAX, Just(1 << 30), Just(0)]),
        shifts in prop::array::uniform16(1i32..=31),
    ) {
        with_each_kind(|kind| {
            let mut found = [[0; MAX_LANES]; 2];
            let rounding = Rounding { acc: &acc, multipliers: &multipliers, shifts: &shifts, found: &mut found };
            assert!(vectors::run(rounding));
            for i in 0..MAX_LANES {
                let factor = Factor { multiplier: multipliers[i], shift: -shifts[i] as i8 };
                let expected = factor.apply(acc[i]);
                assert_eq!(found[0][i], expected, "{kind}: {} times {factor:?}", acc[i]);
                assert_eq!(found[1][i].max(0), expected.max(0), "{kind}: {} times {factor:?}", acc[i]);
            }
        });
    }

    #[test]
    fn f32_layers_are_near_the_generic_ones(
        layer in layers([1usize..5, 1usize..5]),
        channels in channels(),
        has_bias: bool,
    ) {
        crate::fast_f32(true);
        assert_near(&Layer { channels, ..layer }, has_bias, false);
        assert_near(&Layer { channels: layer.image[2], ..layer }, has_bias, true);
    }
}

fn factor() -> impl Strategy<Value = Factor> {
    let shift = prop_oneof![-3i8..=0, -31i8..=2];
    let any = (1 << 30..=i32::MAX, shift).prop_map(|(multiplier, shift)| Factor { multiplier, shift });
    prop_oneof![Just(Factor { multiplier: 1 << 30, shift: 0 }), any]
}

/// All accumulators, as many lanes at a time as there are.
struct Rounding<'a> {
    acc: &'a [i32; MAX_LANES],
    multipliers: &'a [i32; MAX_LANES],
    shifts: &'a [i32; MAX_LANES],
    found: &'a mut [[i32; MAX_LANES]; 2],
}

impl Work for Rounding<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        for i in (0..MAX_LANES).step_by(C::LANES) {
            // SAFETY: all have as many words as any CPU has lanes, which divide them.
            unsafe {
                let acc = cpu.load(self.acc.as_ptr().add(i));
                let shifts = cpu.load(self.shifts.as_ptr().add(i));
                let factors = cpu.factors(cpu.load(self.multipliers.as_ptr().add(i)), shifts);
                cpu.store(cpu.requantize(acc, &factors), self.found[0].as_mut_ptr().add(i));
                cpu.store(cpu.requantize_positive(acc, &factors), self.found[1].as_mut_ptr().add(i));
            }
        }
    }
}

/// f32 in [-1, 1).
fn reals(seed: &mut u64, len: usize) -> Vec<f32> {
    elements(seed, len).into_iter().map(|x| x as f32 / 128.0).collect()
}

/// Runs a layer, or a fully connected one of its image, in f32 on both sides.
fn assert_near(layer: &Layer, has_bias: bool, is_depthwise: bool) {
    let Some(geometry) = layer.geometry() else { return };
    let ([h, w, c], [out_h, out_w, channels]) = (layer.image, geometry.output);
    let per_channel = if is_depthwise { 1 } else { c };
    let mut seed = layer.seed;
    let x = reals(&mut seed, h * w * c);
    let weights = reals(&mut seed, channels * layer.kernel[0] * layer.kernel[1] * per_channel);
    let biases = reals(&mut seed, channels);
    let bias = has_bias.then(|| View::from(&biases[..]));
    let arithmetic = F32 { bias, bounds: (layer.least as f32, 40.0) };
    let rows = Rows::new(View::from(&x[..]), w * c);
    let run = |is_generic: bool| {
        let mut out = vec![0f32; out_h * out_w * channels];
        let to = RowsMut::new((&mut out[..]).into(), out_w * channels);
        let kernel = match (is_depthwise, is_generic) {
            (false, false) => conv::conv_rows_f32,
            (false, true) => generic::conv::conv_rows_f32,
            (true, false) => depthwise::depthwise_rows_f32,
            (true, true) => generic::depthwise::depthwise_rows_f32,
        };
        kernel(&arithmetic, &geometry, &rows, View::from(&weights[..]), 0..out_h, &to);
        out
    };
    let expected = run(true);
    with_each_kind(|kind| assert_all_near(&run(false), &expected, kind, layer));
    let k = h * w * c;
    let weights = reals(&mut seed, channels * k);
    let run = |kernel: fn(&F32, View<f32>, View<f32>, ViewMut<f32>)| {
        let mut out = vec![0f32; channels];
        kernel(&arithmetic, View::from(&x[..]), View::from(&weights[..]), (&mut out[..]).into());
        out
    };
    let expected = run(generic::fully_connected::fully_connected_row_f32);
    with_each_kind(|kind| {
        assert_all_near(&run(fully_connected::fully_connected_row_f32), &expected, kind, layer)
    });
}

fn assert_all_near(found: &[f32], expected: &[f32], kind: &str, layer: &Layer) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-4, "{kind}: {found} is not {expected}: {layer:?}");
    }
}

/// 3x3 with padding.
fn large(image: [usize; 3], channels: usize) -> Layer {
    let window = Window { stride: [1, 1], dilation: [1, 1], pads: [1; 4] };
    Layer { kernel: [3, 3], window, image, channels, zero_points: [3, -7], least: -128, seed: 1 }
}

#[test]
#[cfg_attr(miri, ignore = "millions of products: an hour in an interpreter")]
fn layers_of_many_weights_are_laid_out_by_blocks() {
    assert_convolves(&large([2, 3, 60], 1600));
}

#[test]
fn long_rows_are_staged_by_parts() {
    assert_convolves(&large([2, 700, 12], 5));
    assert_convolves_by_channels(&large([2, 700, 20], 20));
}

#[test]
#[cfg_attr(miri, ignore = "millions of products: an hour in an interpreter")]
fn rows_may_stand_where_earlier_ones_were_read() {
    // Four rows of 12,000 bytes: more than are staged at a time.
    let (h, w, c) = (4, 300, 40);
    let geometry = Geometry { window: Window::UNIT, kernel: [1, 1], input: [h, w, c], output: [h, w, c] };
    let (mut seed, row) = (7, w * c);
    let (x, weights) = (elements(&mut seed, h * row), elements(&mut seed, c * c));
    let table = table(&mut seed, c);
    let requantize =
        Requantize { channels: Channels(View::from(&table[..])), zero_point: 3, bounds: (-128, 127) };
    let arithmetic = I8 { x_offset: 5, requantize };
    let weights = View::from(&weights[..]);
    let mut expected = vec![0i8; h * row];
    let (rows, out) = (Rows::new(View::from(&x[..]), row), RowsMut::new((&mut expected[..]).into(), row));
    generic::conv::conv_rows_i8(&arithmetic, &geometry, &rows, weights, 0..h, &out, (&mut [][..]).into());
    with_each_kind(|kind| {
        // The input begins where the output's second row does.
        let mut memory = [vec![0; row], x.clone()].concat();
        let memory = ViewMut::from(&mut memory[..]);
        let (x, out) = (Rows::new(memory.slice(row, h * row).view(), row), RowsMut::new(memory, row));
        conv::conv_rows_i8(&arithmetic, &geometry, &x, weights, 0..h, &out, (&mut [][..]).into());
        let found: Vec<i8> = memory.slice(0, h * row).view().iter().collect();
        assert!(found == expected, "{kind}");
    });
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands of products: minutes in an interpreter")]
fn windows_that_do_not_fit_the_stack_are_left_to_the_generic_kernels() {
    assert_convolves(&large([1, 1, 20_000], 2));
    assert_convolves_by_channels(&large([1, 1, 20_000], 20_000));
}

#[test]
fn f32_that_is_no_number_stays_so() {
    crate::fast_f32(true);
    let x = [f32::NAN, 1.0, -9.0, 9.0];
    let w = [1f32, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let arithmetic = F32 { bias: None, bounds: (-2.0, 2.0) };
    with_each_kind(|kind| {
        let (mut out, mut finite) = ([0f32; 4], [0f32; 3]);
        fully_connected::fully_connected_row_f32(
            &arithmetic,
            View::from(&x[..]),
            View::from(&w[..]),
            (&mut out[..]).into(),
        );
        assert!(out[0].is_nan(), "{kind}");
        let (x, w) = (View::from(&x[1..]), View::from(&[1f32, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0][..]));
        fully_connected::fully_connected_row_f32(&arithmetic, x, w, (&mut finite[..]).into());
        assert_eq!(finite, [1.0, -2.0, 2.0], "{kind}");
    });
}
