//! Made-up layers, on which kernels are compared with the generic ones.

extern crate std;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::requantize::{Channels, Requantize};
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::{Geometry, Window};

/// A layer's sizes, and where its numbers come from.
#[derive(Clone, Debug)]
pub struct Layer {
    pub kernel: [usize; 2],
    pub window: Window,
    /// `[h, w, c]`.
    pub image: [usize; 3],
    pub channels: usize,
    pub zero_points: [i32; 2],
    pub least: i8,
    pub seed: u64,
}

pub fn layers(kernel: impl Strategy<Value = [usize; 2]>) -> impl Strategy<Value = Layer> {
    let window = ([1u8..3, 1u8..3], [1u8..3, 1u8..3], [0u8..3, 0u8..3, 0u8..3, 0u8..3]).prop_map(
        |(stride, dilation, pads)| Window { stride, dilation: [dilation[0], 1.max(dilation[1] / 2)], pads },
    );
    // An interpreter takes minutes for more.
    let (width, many) = if cfg!(miri) { (1usize..7, 30usize..34) } else { (1..20, 30..70) };
    let image = (1usize..6, width, prop_oneof![1usize..9, many]);
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
pub fn elements(seed: &mut u64, len: usize) -> Vec<i8> {
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
pub fn table(seed: &mut u64, channels: usize) -> Vec<i32> {
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

/// What a kernel gets for a whole layer.
pub struct Operands<'a> {
    pub arithmetic: I8<'a>,
    pub geometry: Geometry,
    pub x: Rows<'a, i8>,
    pub w: View<'a, i8>,
    pub out: RowsMut<'a, i8>,
    pub scratch: ViewMut<'a, i32>,
}

impl Layer {
    /// `None` if the window does not fit the image.
    pub fn geometry(&self) -> Option<Geometry> {
        let [h, w, c] = self.image;
        let shape = crate::Shape::new(&[1, h, w, c]).unwrap();
        let [out_h, out_w] = self.window.output(self.kernel, &shape).ok()?;
        let output = [out_h, out_w, self.channels];
        Some(Geometry { window: self.window, kernel: self.kernel, input: self.image, output })
    }

    /// The outputs of each kernel for weights of so many elements a channel and tap; `None` if there is no such layer.
    pub fn outputs<const N: usize>(
        &self,
        per_channel: usize,
        scratch: fn(&Geometry) -> usize,
        kernels: [&dyn Fn(&Operands); N],
    ) -> Option<[Vec<i8>; N]> {
        let geometry = self.geometry()?;
        let [h, w, c] = self.image;
        let mut seed = self.seed;
        let x = elements(&mut seed, h * w * c);
        let weights = elements(&mut seed, self.channels * self.kernel[0] * self.kernel[1] * per_channel);
        let table = table(&mut seed, self.channels);
        let [x_zero_point, zero_point] = self.zero_points;
        let channels = Channels(View::from(&table[..]));
        let requantize = Requantize { channels, zero_point, bounds: (self.least, 125) };
        let mut memory = vec![0i32; scratch(&geometry) / 4];
        Some(kernels.map(|kernel| {
            let mut out = vec![0i8; geometry.output.iter().product()];
            kernel(&Operands {
                arithmetic: I8 { x_offset: -x_zero_point, requantize },
                geometry,
                x: Rows::new(View::from(&x[..]), w * c),
                w: View::from(&weights[..]),
                out: RowsMut::new((&mut out[..]).into(), geometry.output[1] * self.channels),
                scratch: (&mut memory[..]).into(),
            });
            out
        }))
    }
}
