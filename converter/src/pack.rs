//! Constants in the form in which a core's kernels read them fastest: in another order, or ready to be used, with another
//! operator that reads them. What is computed is the same on every core.
//!
//! A form of a layer is an operator of the runtime (`runtime/src/ops/NAME.rs` with a generic kernel, which is its
//! specification, and the kernels of the cores that gain by it) and a file `ops/NAME.rs` here, which makes its constants
//! and proves from [`Layers`] that the arithmetic is exact. The layer that it stands for names it in
//! [`HostOperator::pack`](crate::ops::HostOperator), and `plan/cost.rs` has its rate. Besides, as every operator, it stands in
//! the list of operators and in `runtime/FORMAT.md`, its kernels in `kernels/mod.rs` and those of `generic/` and of each core, its
//! random layers in `tests/tests/kernels_on_boards/packed.rs`, and a network that holds it in `tests/src/convnet.rs`, for damaged files
//! to run it. What a form costs in flash and saves in instructions is counted here, and
//! so is chosen between those of a layer.

use dunlin::{Shape, TensorType};
use serde::Serialize;

use crate::dead_channels::Intervals;
use crate::ops::Op;
use crate::plan::cost;
use crate::{Data, Graph, Node, Result, Tensor, TensorId, report};

/// For which cores constants are arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// For hosts.
    #[default]
    Portable,
    /// For cores that multiply one pair of numbers at a time.
    Scalar,
    /// For Cortex-M cores with the DSP extension.
    Dsp,
    /// For Cortex-M cores with vectors of 16 bytes.
    Helium,
}

impl Packing {
    /// Channels that kernels take at once: with the rest of so many they are slower.
    pub fn channel_group(self) -> usize {
        match self {
            Packing::Portable | Packing::Scalar | Packing::Dsp => 4,
            Packing::Helium => 16,
        }
    }

    /// As in tables.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Portable => "plain",
            Packing::Scalar => "in words",
            Packing::Dsp => "for DSP",
            Packing::Helium => "for vectors",
        }
    }
}

/// What constants are arranged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The cores.
    pub packing: Packing,
    /// Whether the plan runs layers by a row or a few, which are overwritten as soon as nothing reads them any more.
    pub by_rows: bool,
}

/// The forms that a node can take.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    /// Of as many bytes, but for a little padding; if there is none, the node stays as it is.
    pub plain: Option<Packed>,
    /// Of more bytes and fewer instructions.
    pub expanded: Option<Packed>,
}

/// What takes a node's place.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The operator.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<Input>,
}

/// An input of a packed node.
#[derive(Clone, Debug)]
pub enum Input {
    /// As it is.
    Kept(TensorId),
    /// A constant made of another one.
    Constant {
        /// The constant that it takes name and quantization from.
        of: TensorId,
        /// Its dimensions.
        dims: Vec<usize>,
        /// Its content.
        data: Data,
    },
}

/// What is known of the layers of a graph in device form, as [`Intervals`] prove it.
pub struct Layers<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// What it is packed for.
    pub target: Target,
    intervals: Intervals,
    /// Plain forms of the layers so far, and their MACs.
    packed: Vec<(Op, u64)>,
}

impl<'g> Layers<'g> {
    /// Of all layers.
    ///
    /// # Errors
    /// As [`Intervals::of`].
    pub fn of(graph: &'g Graph, target: Target) -> Result<Layers<'g>> {
        Ok(Layers { graph, target, intervals: Intervals::of(graph)?, packed: Vec::new() })
    }

    /// The forms of all nodes.
    fn forms(mut self) -> Vec<Forms> {
        let mut all = Vec::new();
        for node in self.graph.nodes() {
            let forms = node.op.pack(&self, node);
            let plain = forms.plain.iter().map(|plain| (plain.op, plain.op.macs(&plain.types(self.graph))));
            self.packed.extend(plain);
            all.push(forms);
        }
        all
    }

    /// MACs of the layers before that have such a form: its kernel is there in any case.
    pub fn macs_before(&self, is_such: impl Fn(&Op) -> bool) -> u64 {
        self.packed.iter().filter(|(op, _)| is_such(op)).map(|(_, macs)| macs).sum()
    }

    /// Least and greatest sum of each channel of a layer, bias included.
    pub fn sums(&self, node: &Node) -> Option<&[[i64; 2]]> {
        self.intervals.sums(node.outputs[0])
    }

    /// The output of a channel that gives the same for every input.
    pub fn constant(&self, node: &Node, channel: usize) -> Option<i8> {
        self.intervals.tensor(node.outputs[0])[channel].constant()
    }

    /// The stored number for 0.0, if the tensor has one.
    pub fn zero_point(&self, id: TensorId) -> Option<i32> {
        self.graph[id].quant.as_ref().map(|quant| quant.zero_point)
    }
}

/// A layer that can have more bytes of weights, and fewer instructions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expansion {
    /// The layer.
    pub layer: String,
    /// The operator that it becomes.
    pub operator: &'static str,
    /// Bytes of flash that it takes more.
    pub more_bytes: usize,
    /// Instructions of one run that it saves, estimated.
    pub fewer_instructions: u64,
    /// Bytes of scratch memory that it needs more (or less), while it runs alone.
    pub more_scratch_bytes: i64,
    /// Whether it is taken.
    pub taken: bool,
}

/// Arranges the constants of a graph in device form. What `more_bytes` of flash are spent for is told: layers in the order
/// of instructions saved for a byte, as long as they fit.
///
/// # Errors
/// As [`Graph::verify`].
pub fn pack(graph: &mut Graph, target: Target, more_bytes: usize) -> Result<Vec<Expansion>> {
    if target.packing == Packing::Portable {
        return Ok(Vec::new());
    }
    let mut forms = Layers::of(graph, target)?.forms();
    let mut expansions: Vec<(usize, Expansion)> = Vec::new();
    for (i, forms) in forms.iter().enumerate() {
        expansions.extend(expansion(graph, &graph.nodes()[i], forms).map(|expansion| (i, expansion)));
    }
    choose(&mut expansions, more_bytes);
    for (i, forms) in forms.iter_mut().enumerate() {
        let is_taken = expansions.iter().any(|(k, expansion)| *k == i && expansion.taken);
        let form = if is_taken { forms.expanded.take() } else { forms.plain.take() };
        if let Some(form) = form {
            replace(graph, i, form)?;
        }
    }
    graph.verify()?;
    Ok(expansions.into_iter().map(|(_, expansion)| expansion).collect())
}

/// What layers can have more bytes for, as a table; what is taken is marked.
pub fn expansions_text(expansions: &[Expansion]) -> String {
    if expansions.is_empty() {
        return "no layer has weights that take more bytes and fewer instructions on these cores".to_string();
    }
    let header =
        ["", "layer", "as", "flash, bytes more", "instructions fewer", "for a byte", "scratch, bytes more"];
    let mut table = report::table(&header, &[3, 4, 5, 6]);
    let mut row = |mark: &str, layer: &str, operator: &str, all: &[&Expansion]| {
        let more_bytes: usize = all.iter().map(|each| each.more_bytes).sum();
        let fewer: u64 = all.iter().map(|each| each.fewer_instructions).sum();
        let scratch = all.iter().map(|each| each.more_scratch_bytes).max().unwrap_or(0);
        table.add_row([
            mark.to_string(),
            layer.to_string(),
            operator.to_string(),
            more_bytes.to_string(),
            fewer.to_string(),
            format!("{:.1}", fewer as f64 / more_bytes.max(1) as f64),
            scratch.to_string(),
        ]);
    };
    for each in expansions {
        row(if each.taken { "*" } else { "" }, &each.layer, each.operator, &[each]);
    }
    let taken: Vec<&Expansion> = expansions.iter().filter(|each| each.taken).collect();
    row("*", "taken", "", &taken);
    format!("{table}\n* these layers have weights that take more bytes; instructions are estimated")
}

/// Takes what saves most instructions for a byte first, as long as the bytes last.
fn choose(expansions: &mut [(usize, Expansion)], mut bytes: usize) {
    let mut order: Vec<&mut Expansion> = expansions.iter_mut().map(|(_, expansion)| expansion).collect();
    let per_byte = |each: &Expansion| each.fewer_instructions as f64 / each.more_bytes.max(1) as f64;
    order.sort_by(|a, b| per_byte(b).total_cmp(&per_byte(a)));
    for each in order {
        each.taken = each.more_bytes <= bytes;
        bytes -= if each.taken { each.more_bytes } else { 0 };
    }
}

/// What the greater form of a node costs and saves; `None` if it has none that saves anything.
fn expansion(graph: &Graph, node: &Node, forms: &Forms) -> Option<Expansion> {
    let expanded = forms.expanded.as_ref()?;
    let (types, output) = (expanded.types(graph), graph[node.outputs[0]].ty);
    let (op, plain_types) = match &forms.plain {
        Some(plain) => (plain.op, plain.types(graph)),
        None => (node.op, node.inputs.iter().map(|&id| graph[id].ty).collect()),
    };
    let instructions = |op: &Op, types: &[TensorType]| cost::node_instructions(op, types, output);
    let fewer = instructions(&op, &plain_types)? - instructions(&expanded.op, &types)?;
    // Activations and outputs are the same.
    let bytes = |types: &[TensorType]| types.iter().map(TensorType::bytes).sum::<usize>();
    let scratch_bytes = |op: &Op, types: &[TensorType]| op.scratch_bytes(types) as i64;
    (fewer > 0.0).then(|| Expansion {
        layer: node.name.clone(),
        operator: expanded.op.name(),
        more_bytes: bytes(&types).saturating_sub(bytes(&plain_types)),
        fewer_instructions: fewer as u64,
        more_scratch_bytes: scratch_bytes(&expanded.op, &types) - scratch_bytes(&op, &plain_types),
        taken: false,
    })
}

impl Packed {
    /// Types of the inputs.
    fn types(&self, graph: &Graph) -> Vec<TensorType> {
        let ty = |input: &Input| match input {
            Input::Kept(id) => graph[*id].ty,
            Input::Constant { dims, data, .. } => {
                TensorType::new(data.dtype(), Shape::new(dims).expect("a constant has a shape"))
            }
        };
        self.inputs.iter().map(ty).collect()
    }
}

/// Puts a form in the place of node `i`.
pub(crate) fn replace(graph: &mut Graph, i: usize, Packed { op, inputs }: Packed) -> Result<()> {
    let mut ids = Vec::with_capacity(inputs.len());
    for input in inputs {
        ids.push(match input {
            Input::Kept(id) => id,
            // Another node may read the same weights in the other order.
            Input::Constant { of, dims, data } => {
                let Tensor { name, quant, .. } = graph[of].clone();
                let id = graph.constant(&name, &dims, data)?;
                graph[id].quant = quant;
                id
            }
        });
    }
    let packed = &mut graph.nodes_mut()[i];
    (packed.op, packed.inputs) = (op, ids);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_saves_most_for_a_byte_is_taken_first() {
        let expansion = |more_bytes, fewer_instructions| Expansion {
            layer: "layer".to_string(),
            operator: "conv_winograd",
            more_bytes,
            fewer_instructions,
            more_scratch_bytes: 0,
            taken: false,
        };
        let taken = |bytes| {
            let mut all = [(0, expansion(100, 500)), (3, expansion(10, 90)), (4, expansion(50, 100))];
            choose(&mut all, bytes);
            all.map(|(_, each)| each.taken)
        };
        assert_eq!(taken(9), [false, false, false]);
        assert_eq!(taken(59), [false, true, false]);
        // What does not fit leaves its bytes to others.
        assert_eq!(taken(60), [false, true, true]);
        assert_eq!(taken(110), [true, true, false]);
        assert_eq!(taken(usize::MAX), [true, true, true]);
    }
}
