//! Small int8 networks of the operators that [`convnet`](crate::convnet) has not: on sequences, and of growing images.

use dunlin::ops::pointwise::Function;
use dunlin_converter::nn::{
    Attention, Conv2dTranspose, Dense, Embedding, Gru, LayerNorm, Lstm, Network, Sequential, Softmax,
    Windowed,
};
use dunlin_converter::quantize::{calibrate, quantize};
use dunlin_converter::{Data, Graph, Program, Result};

/// A network and an input.
pub struct Sample {
    /// In int8.
    pub program: Program,
    /// Of the program's dtype.
    pub input: Data,
}

/// Twelve tokens through attention, normalization, a GRU and an LSTM; the first weights of the layers.
///
/// # Errors
/// None that a caller could cause.
pub fn tokens() -> Result<Sample> {
    let layers = Sequential::new()
        .then(Embedding::new(6, 8))
        .then(Attention::new(2))
        .then(LayerNorm::new())
        .then(Gru::new(8).sequences())
        .then(Lstm::new(6))
        .then(Dense::new(4))
        .then(Softmax);
    let tokens = |from: usize| (0..12).map(|i| ((i * 5 + from) % 6) as f32).collect();
    let samples: Vec<Vec<Data>> = (0..8).map(|i| vec![Data::F32(tokens(i))]).collect();
    let graph = Network::new("tokens", &[12], layers, 1)?.inference_graph(1)?;
    let program = Program::compile(&quantize(&graph, &calibrate(&graph, &samples)?)?)?;
    Ok(Sample { program, input: Data::I32((0..12).map(|i| i * 7 % 6).collect()) })
}

/// An image that is made twice as large, and the exponential of that.
///
/// # Errors
/// None that a caller could cause.
pub fn image() -> Result<Sample> {
    let layers = Sequential::new()
        .then(Conv2dTranspose::new(3, [3, 3]).stride(2).same())
        .then(dunlin_converter::nn::MaxPool2d::new([2, 2]).stride(2));
    let graph = Network::new("image", &[4, 4, 2], layers, 1)?.inference_graph(1)?;
    let mut graph: Graph = graph;
    let grown = graph.outputs()[0];
    let exp = graph.pointwise("exp", Function::Exp, grown)?;
    graph.set_ports(graph.inputs().to_vec(), vec![exp]);
    let pixels = |from: usize| (0..32).map(|i| ((i * 7 + from) % 11) as f32 / 5.0 - 1.0).collect();
    let samples: Vec<Vec<Data>> = (0..4).map(|i| vec![Data::F32(pixels(i))]).collect();
    let program = Program::compile(&quantize(&graph, &calibrate(&graph, &samples)?)?)?;
    Ok(Sample { program, input: Data::I8((0..32).map(|i| (i * 37 % 256) as u8 as i8).collect()) })
}
