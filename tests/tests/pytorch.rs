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
    // An epsilon that keeps gradients of rounding errors from being scaled up to full steps.
    let rms_prop = Optimizer::RmsProp { rate: 0.003, decay: 0.99, epsilon: 1e-3, weight_decay: 0.0 };
    let optimizers = [
        ("sgd", Optimizer::sgd(0.1), None),
        ("momentum", Optimizer::momentum(0.02, 0.9), None),
        ("adam", Optimizer::adam(0.01), None),
        ("adam_w", Optimizer::adam(0.01).weight_decay(0.5), None),
        ("rms_prop", rms_prop, None),
        ("clipped", Optimizer::sgd(0.1), Some(0.25)),
    ];
    for (name, optimizer, clip_norm) in optimizers {
        let expected: Vec<f64> = serde_json::from_value(golden[name].clone()).unwrap();
        let losses = pytorch_losses::losses(&folder, optimizer, clip_norm).unwrap();
        assert_eq!(losses.len(), expected.len());
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            assert!((loss - expected).abs() < 1e-4, "{name}, step {step}: {loss} is not {expected}");
        }
        let greatest = losses.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{name}: at most {greatest:.2e} apart");
    }
}
