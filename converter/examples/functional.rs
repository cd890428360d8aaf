//! A network with a skip connection and two branches, from layers to the bytes that a device computes:
//! `cargo run --release -p dunlin-converter --example functional`.

use dunlin_converter::export;
use dunlin_converter::file::{self, ModelFile};
use dunlin_converter::nn::*;
use dunlin_converter::npy::Array;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Program, Result};

/// Images of 8×8 pixels with a bright row, a bright column or a bright square.
fn shapes(n: usize) -> Result<Dataset> {
    let pixel = |i: usize, p: usize| {
        let (y, x, at) = (p / 8, p % 8, 1 + i / 3 % 5);
        let lit = [y == at, x == at, (at..at + 2).contains(&y) && (at..at + 2).contains(&x)][i % 3];
        ((i * 31 + p * 17) % 13) as f32 / 40.0 + if lit { 0.6 } else { 0.0 }
    };
    let x = (0..n).flat_map(|i| (0..64).map(move |p| pixel(i, p))).collect();
    Dataset::classification(&[8, 8, 1], x, &(0..n).map(|i| i % 3).collect::<Vec<_>>(), 3)
}

fn main() -> Result<()> {
    let image = Symbol::input("image", &[8, 8, 1]);
    let stem = image.then(Conv2d::new(6, [3, 3]).same().without_bias()).then(BatchNorm::new()).then(Relu);
    let skipped = (&stem + &stem.then(Conv2d::new(6, [3, 3]).same())).then(Relu);
    let pooled = skipped.then(MaxPool2d::new([2, 2]));
    let filtered = stem.then(DepthwiseConv2d::new([3, 3]).same().stride(2)).then(Relu6);
    let joined = Symbol::concat(&[&pooled, &filtered]).then(GlobalAveragePool);
    let shape = joined.then(Dense::new(3)).then(Softmax);
    let mut network =
        Network::functional("shapes", &[&image], &[&shape], 1)?.labels(&["row", "column", "square"]);
    println!("{}", network.summary()?);

    let data = shapes(120)?;
    let options = FitOptions { epochs: 30, optimizer: Optimizer::adam(0.01), ..FitOptions::default() };
    network.fit(&data, &options)?;
    println!("f32: {}", network.evaluate(&data, Loss::CrossEntropy)?);

    let folder = std::env::temp_dir();
    let (dunlin, tflite) = (folder.join("shapes.dunlin"), folder.join("shapes.tflite"));
    let quantized = network.quantized(&data)?;
    file::write_program(&dunlin, &Program::compile(&quantized)?)?;
    export::write_tflite(&tflite, &quantized)?;
    println!("wrote {} and {}", dunlin.display(), tflite.display());

    let x = (0..data.len()).flat_map(|i| data.sample(i)).copied().collect();
    let images = [Array { dims: vec![data.len(), 8, 8, 1], data: Data::F32(x) }];
    let outputs = [&dunlin, &tflite].map(|path| -> Result<Vec<u8>> {
        let file = ModelFile::read(path)?;
        let model = file.model()?;
        samples::run(&model, &Samples::of(&model, &images)?)
    });
    let [own, imported] = outputs;
    println!("both give the same bytes: {}", own? == imported?);
    Ok(())
}
