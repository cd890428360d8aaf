//! Every operator against its goldens: int8 byte for byte, f32 within the tolerance below.

use dunlin::ops::OpCode;
use dunlin_converter::plan::plan;
use dunlin_converter::{Data, Program};
use dunlin_tests::assets::arrangements;
use dunlin_tests::cases::{cases, operators};

/// Greatest difference of f32 results, relative to the larger magnitude (absolute below 1).
const F32_TOLERANCE: f32 = 1e-5;

/// Operators without goldens, and why.
const WITHOUT_GOLDENS: &[(OpCode, &str)] =
    &[(OpCode::BatchNorm, "f32 only, folded before conversion; its unit tests compare with the definition")];

#[test]
fn every_operator_has_goldens() {
    let tested = operators();
    // Operators of training are checked with finite differences.
    for &op in OpCode::ALL.iter().filter(|&&op| (op as u8) < 64) {
        let excused = WITHOUT_GOLDENS.iter().any(|(without, _)| *without == op);
        let has = tested.iter().any(|name| name == op.name());
        assert!(has != excused, "{}: write tests/cases/{0}.py, or excuse it above (not both)", op.name());
    }
}

#[test]
fn operators_agree_with_their_oracles() {
    let mut failures = Vec::new();
    let mut n_cases = 0;
    for operator in operators() {
        for case in cases(&operator) {
            n_cases += 1;
            for rewrite in arrangements() {
                let program = Program::compile_with(&case.graph, rewrite, |graph| Ok(plan(graph)));
                match program.and_then(|program| program.run(&case.inputs)) {
                    Ok(outputs) => failures
                        .extend(difference(&outputs[0], &case.expected).map(|d| (case.name.clone(), d))),
                    Err(error) => failures.push((case.name.clone(), error.to_string())),
                }
            }
        }
    }
    for (name, what) in &failures {
        println!("{name}: {what}");
    }
    assert!(failures.is_empty(), "{} of {n_cases} cases differ", failures.len());
    assert!(n_cases > 400, "only {n_cases} goldens were found");
}

fn difference(have: &Data, want: &Data) -> Option<String> {
    match (have, want) {
        (Data::F32(have), Data::F32(want)) => {
            let far = |(&h, &w): (&f32, &f32)| (h - w).abs() > F32_TOLERANCE * w.abs().max(1.0) || h.is_nan();
            let i = have.iter().zip(want).position(far)?;
            Some(format!("element {i} is {}, expected {}", have[i], want[i]))
        }
        _ if have == want => None,
        (Data::I8(have), Data::I8(want)) => {
            let i = have.iter().zip(want).position(|(h, w)| h != w)?;
            let n = have.iter().zip(want).filter(|(h, w)| h != w).count();
            Some(format!("element {i} is {}, expected {}; {n} of {} differ", have[i], want[i], want.len()))
        }
        _ => Some(format!("is {have:?}, expected {want:?}")),
    }
}
