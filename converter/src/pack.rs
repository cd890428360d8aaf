//! Constants in the order in which a core's kernels read them fastest. The bytes are as many as before, and what is
//! computed is the same on every core.

use crate::ops::Op;
use crate::{Data, Graph, Kind, Result, Tensor};

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

/// A node's operator and the contents of some of its constant inputs, by their numbers.
pub type Packed = (Op, Vec<(usize, Data)>);

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
        let Some((op, constants)) = node.op.pack(graph, &node, packing) else { continue };
        for (input, data) in constants {
            // Another node may read the same weights in the other order.
            let packed = Tensor { kind: Kind::Constant(data), ..graph[node.inputs[input]].clone() };
            let id = graph.add_tensor(packed);
            graph.nodes_mut()[i].inputs[input] = id;
        }
        graph.nodes_mut()[i].op = op;
    }
    graph.verify()
}
