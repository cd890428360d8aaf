//! From arrays in NumPy's manner to a network.

use dunlin_arrays::{Array, Random, axes, concatenate};
use dunlin_converter::data::{Examples, Standardization};
use dunlin_converter::nn::*;

#[test]
fn a_network_learns_from_arrays() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Random::new(1);
    let [low, high] = [0.0, 3.0].map(|mean| random.normal::<f32>(&[100, 3], mean, 1.0));
    let x = concatenate(&[&low, &high], 0)?;
    let labels = concatenate(&[&Array::<i64>::full(&[100], 0), &Array::full(&[100], 1)], 0)?;
    let mut examples = Examples::from_arrays(&(&x).into(), &(&labels).into())?;
    let standardization = Standardization::fit(&examples)?;
    for (mean, expected) in standardization.mean.iter().zip(x.mean(axes(0))?.to_vec()) {
        assert!((mean - expected).abs() < 1e-5);
    }
    standardization.apply(&mut examples);
    let layers = Sequential::new().then(Dense::new(2)).then(Softmax);
    let mut network = Network::new("blobs", &[3], layers, 1)?;
    let options = FitOptions { optimizer: Optimizer::adam(0.05), ..FitOptions::default() };
    network.fit(&examples.classification()?, &options)?;
    let metrics = network.evaluate(&examples.classification()?, Loss::CrossEntropy)?;
    assert!(metrics.accuracy > Some(0.97), "{metrics}");
    let error = Examples::from_arrays(&(&x).into(), &(&x).into()).unwrap_err().to_string();
    assert!(
        error.contains("the labels have shape [200, 3]; samples of shape [200, 3] need [200]"),
        "{error}"
    );
    Ok(())
}
