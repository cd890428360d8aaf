//! A user's program trains as PyTorch does.

use std::collections::HashMap;
use std::path::Path;

use dunlin_converter::nn::Optimizer;

#[path = "../../converter/examples/pytorch_losses.rs"]
mod pytorch_losses;

#[test]
fn fifty_losses_are_those_of_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pytorch");
    let golden = std::fs::read_to_string(folder.join("golden.json")).unwrap();
    let golden: HashMap<String, serde_json::Value> = serde_json::from_str(&golden).unwrap();
    let optimizers = [
        ("sgd", Optimizer::sgd(0.1)),
        ("momentum", Optimizer::momentum(0.02, 0.9)),
        ("adam", Optimizer::adam(0.01)),
    ];
    for (name, optimizer) in optimizers {
        let expected: Vec<f64> = serde_json::from_value(golden[name].clone()).unwrap();
        let losses = pytorch_losses::losses(&folder, optimizer).unwrap();
        assert_eq!(losses.len(), expected.len());
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            assert!((loss - expected).abs() < 1e-4, "{name}, step {step}: {loss} is not {expected}");
        }
        let greatest = losses.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{name}: at most {greatest:.2e} apart");
    }
}
