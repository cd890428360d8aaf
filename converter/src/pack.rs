//! Constants in the form in which a core's kernels read them fastest: in another order, or ready to be used, with another
//! operator that reads them. What is computed is the same on every core.

use crate::ops::Op;
use crate::{Data, Graph, Result, Tensor, TensorId};

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
    /// The same for plans in which rows are overwritten as soon as nothing reads them any more.
    DspByRows,
    /// For Cortex-M cores with vectors of 16 bytes.
    Helium,
}

impl Packing {
    /// The same for a plan by rows.
    pub fn by_rows(self) -> Packing {
        if self == Packing::Dsp { Packing::DspByRows } else { self }
    }

    /// Channels that kernels take at once: with the rest of so many they are slower.
    pub fn channel_group(self) -> usize {
        match self {
            Packing::Portable | Packing::Scalar | Packing::Dsp | Packing::DspByRows => 4,
            Packing::Helium => 16,
        }
    }

    /// As in tables.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Portable => "plain",
            Packing::Scalar => "in words",
            Packing::Dsp => "for DSP",
            Packing::DspByRows => "for DSP, by rows",
            Packing::Helium => "for vectors",
        }
    }
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

/// Arranges the constants of a graph in device form.
///
/// # Errors
/// As [`Graph::verify`].
pub fn pack(graph: &mut Graph, packing: Packing) -> Result<()> {
    if packing == Packing::Portable {
        return Ok(());
    }
    for i in 0..graph.nodes().len() {
        let node = graph.nodes()[i].clone();
        let Some(Packed { op, inputs }) = node.op.pack(graph, &node, packing) else { continue };
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
    }
    graph.verify()
}
