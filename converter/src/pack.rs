//! Constants in the order in which a core's kernels read them fastest. The bytes are as many as before, and what is
//! computed is the same on every core.

use crate::{Graph, Kind, Result, Tensor};

/// For which cores constants are arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// For those that multiply one pair of numbers at a time, and for hosts.
    #[default]
    Portable,
    /// For Cortex-M cores with the DSP extension.
    Dsp,
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
        let Some((op, input, data)) = node.op.pack(graph, &node) else { continue };
        // Another node may read the same weights in the other order.
        let packed = Tensor { kind: Kind::Constant(data), ..graph[node.inputs[input]].clone() };
        let id = graph.add_tensor(packed);
        let node = &mut graph.nodes_mut()[i];
        (node.op, node.inputs[input]) = (op, id);
    }
    graph.verify()
}
