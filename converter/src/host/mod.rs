//! Fast f32 on the host: how training steps and evaluations run.
//!
//! An [`Executor`] runs a compiled program in its own arena, as a session does, but hands the operators that training
//! spends its time in to kernels of this folder: a file each, with wide vectors and threads. What has no kernel here
//! runs as on the device. Results do not depend on the number of threads, nor on the width of the machine's vectors:
//! every sum has one order, which only the shapes decide.

mod batch_norm;
mod conv2d;
mod correlate;
mod depthwise;
mod elementwise;
mod fully_connected;
mod gru;
mod lstm;
mod math;
mod max_pool2d;
mod mean;
mod operands;
mod recurrent;
mod simd;
#[cfg(test)]
mod tests;
mod threads;
mod tile;
mod update;

use dunlin::Session;
use dunlin::mem::cast_mut;

use crate::ops::Op;
use crate::{Node, Program};

use operands::Operands;
pub(crate) use threads::Threads;

/// A node made ready to run: shapes looked up, memory allocated.
trait Kernel: Send {
    /// Runs the node in its program's arena.
    fn run(&mut self, arena: &mut [f32]);
}

/// Runs a program's steps.
pub(crate) struct Executor {
    kernels: Vec<Option<Box<dyn Kernel>>>,
}

impl Executor {
    /// Kernels for the nodes of `program` that have one.
    pub(crate) fn new(program: &Program) -> Executor {
        let kernel = |node: &Node| kernel(program, node, Operands::of(program, node)?);
        Executor { kernels: program.graph.nodes().iter().map(kernel).collect() }
    }

    /// Runs every step of a session of the program.
    pub(crate) fn run(&mut self, session: &mut Session) {
        session.run_each(|step| {
            let kernel = self.kernels.get_mut(step.index()).and_then(Option::as_mut);
            match (kernel, step.rows().start) {
                (Some(kernel), 0) => {
                    if let Some(arena) = cast_mut(step.arena_mut()) {
                        return kernel.run(arena);
                    }
                    step.run();
                }
                _ => step.run(),
            }
        });
    }
}

/// The kernel of a node, where there is one for its operator and shapes.
fn kernel(program: &Program, node: &Node, operands: Operands) -> Option<Box<dyn Kernel>> {
    let shapes = operands::Shapes::of(&program.graph, node);
    match node.op {
        Op::Conv2d(op) => conv2d::forward(op, &shapes, operands),
        Op::Conv2dInputGrad(op) => conv2d::input_grad(op, &shapes, operands),
        Op::Conv2dWeightsGrad(op) => conv2d::weights_grad(op, &shapes, operands),
        Op::TransposeConv2d(op) => conv2d::transposed(op, &shapes, operands),
        Op::DepthwiseConv2d(op) => depthwise::forward(op, &shapes, operands),
        Op::DepthwiseConv2dInputGrad(op) => depthwise::input_grad(op, &shapes, operands),
        Op::DepthwiseConv2dWeightsGrad(op) => depthwise::weights_grad(op, &shapes, operands),
        Op::FullyConnected(op) => fully_connected::forward(op, &shapes, operands),
        Op::MatMul(op) => fully_connected::matmul(op, &shapes, operands),
        Op::MaxPool2d(op) => max_pool2d::forward(op, &shapes, operands),
        Op::MaxPool2dGrad(op) => max_pool2d::grad(op, &shapes, operands),
        Op::BatchNormTrain(op) => batch_norm::forward(op, &shapes, operands),
        Op::BatchNormTrainGrad(op) => batch_norm::grad(op, &shapes, operands),
        Op::BatchNorm(op) => batch_norm::inference(op, &shapes, operands),
        Op::Mean(op) => mean::mean(op, &shapes, operands),
        Op::Clamp(op) => elementwise::clamp(op, operands),
        Op::ClampGrad(op) => elementwise::clamp_grad(op, operands),
        Op::Add(op) => elementwise::add(op, &shapes, operands),
        Op::Mul(op) => elementwise::mul(op, &shapes, operands),
        Op::Gru(op) => gru::forward(op, &shapes, operands),
        Op::GruGrad(_) => gru::grad(&shapes, operands),
        Op::Lstm(op) => lstm::forward(op, &shapes, operands),
        Op::LstmGrad(_) => lstm::grad(&shapes, operands),
        Op::Sgd(op) => update::sgd(op, operands),
        Op::Adam(op) => update::adam(op, operands),
        _ => None,
    }
}
