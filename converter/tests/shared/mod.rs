//! Small problems.

#![allow(dead_code)] // each suite takes some

use dunlin_converter::nn::*;

/// `y = 2 a - 3 b + 0.5` at 21 points.
pub fn line() -> Dataset {
    let points = (0..21).map(|i| [(i % 5) as f32 - 2.0, (i / 5) as f32 - 2.0]);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for [a, b] in points {
        x.extend([a, b]);
        y.push(2.0 * a - 3.0 * b + 0.5);
    }
    Dataset::new(&[2], x, &[1], y).unwrap()
}

/// Blobs of 8×6 pixels in one of two corners.
pub fn blobs(n: usize) -> Dataset {
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        let label = i % 2;
        let noise = |p: usize| ((i * 31 + p * 17) % 13) as f32 / 26.0;
        let lit = |p: usize| (p / 6 < 4) == (label == 0);
        x.extend((0..48).map(|p| noise(p) + if lit(p) { 0.6 } else { 0.0 }));
        labels.push(label);
    }
    Dataset::classification(&[8, 6, 1], x, &labels, 2).unwrap()
}

/// Convolutions, pooling and normalization in all their kinds, for blobs.
pub fn every_layer() -> Sequential {
    let inner = Sequential::new().then(Conv2d::new(4, [3, 3]).same().dilation(2)).then(BatchNorm::new());
    Sequential::new()
        .then(Conv2d::new(4, [3, 3]).same().stride(2).without_bias())
        .then(BatchNorm::new().momentum(0.8).epsilon(1e-2))
        .then(Relu6)
        .then(Residual::new(inner))
        .then(DepthwiseConv2d::new([3, 2]).multiplier(2).initializer(Initializer::GlorotNormal))
        .then(Relu)
        .then(MaxPool2d::new([2, 2]).stride(1).same())
        .then(AveragePool2d::new([2, 1]).stride(1))
        .then(GlobalAveragePool)
        .then(Flatten)
        .then(Dense::new(2))
        .then(Softmax)
}

/// All parameters.
pub fn bytes(network: &Network) -> Vec<u32> {
    network.parameters().iter().flat_map(|p| &p.values).map(|v| v.to_bits()).collect()
}
