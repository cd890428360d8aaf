//! What was found, what was removed, and the proof.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::Intervals;
use super::needed::Needed;
use crate::{Graph, Node, report};

/// The dead channels of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeadChannels {
    /// Multiply-accumulates of one run, before.
    pub macs_before: u64,
    /// And after.
    pub macs_after: u64,
    /// Bytes of all constants, before.
    pub weight_bytes_before: usize,
    /// And after.
    pub weight_bytes_after: usize,
    /// The operators with channels that are constant or gone, in order.
    pub layers: Vec<DeadLayer>,
}

/// An operator some of whose output's channels are constant or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLayer {
    /// Its number, from 0.
    pub index: usize,
    /// The operator.
    pub operator: &'static str,
    /// The node's name.
    pub name: String,
    /// Channels before.
    pub channels: usize,
    /// Channels that are the same for every input.
    pub constant: usize,
    /// Channels that nothing needs, and that are gone.
    pub removed: usize,
    /// Of each constant channel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// Why a channel is the same for every input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The channel, counted before any was removed.
    pub channel: usize,
    /// The number that it always is.
    pub value: i8,
    /// For layers: the least and the greatest sum, bias included, that any input gives. Both become `value`, and so does
    /// what is between.
    pub sums: Option<[i64; 2]>,
    /// Whether it is gone. A constant stays where a reader needs it: behind a padded window, say, if it is not the zero
    /// point, or if the caller reads it.
    pub removed: bool,
}

impl DeadChannels {
    /// What was found in a graph, before anything is removed.
    pub(super) fn found(graph: &Graph, intervals: &Intervals, needed: &Needed) -> DeadChannels {
        let nodes = graph.nodes().iter().enumerate();
        let layers = nodes.filter_map(|(i, node)| layer(graph, intervals, needed, i, node)).collect();
        let (macs, weight_bytes) = (macs(graph), weight_bytes(graph));
        DeadChannels {
            macs_before: macs,
            macs_after: macs,
            weight_bytes_before: weight_bytes,
            weight_bytes_after: weight_bytes,
            layers,
        }
    }

    /// Notes what `graph` has now.
    pub(super) fn removed_from(&mut self, graph: &Graph) {
        (self.macs_after, self.weight_bytes_after) = (macs(graph), weight_bytes(graph));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Channels that are gone.
    pub fn n_removed(&self) -> usize {
        self.layers.iter().map(|layer| layer.removed).sum()
    }

    /// The same without proofs, of which a network may have thousands.
    pub fn without_proofs(&self) -> DeadChannels {
        let short = |layer: &DeadLayer| DeadLayer { proofs: Vec::new(), ..layer.clone() };
        DeadChannels { layers: self.layers.iter().map(short).collect(), ..self.clone() }
    }

    /// Every proof as a row of a table.
    pub fn proofs_text(&self) -> String {
        if self.layers.iter().all(|layer| layer.proofs.is_empty()) {
            return "no channel is known to be the same for every input".to_string();
        }
        let header = ["#", "operator", "channel", "least sum", "greatest sum", "always", ""];
        let mut table = report::table(&header, &[0, 2, 3, 4, 5]);
        for (layer, proof) in self.layers.iter().flat_map(|l| l.proofs.iter().map(move |proof| (l, proof))) {
            let end = |i: usize| proof.sums.map_or(String::new(), |sums| sums[i].to_string());
            table.add_row([
                layer.index.to_string(),
                layer.operator.to_string(),
                proof.channel.to_string(),
                end(0),
                end(1),
                proof.value.to_string(),
                if proof.removed { "removed" } else { "stays" }.to_string(),
            ]);
        }
        table.to_string()
    }
}

fn layer(
    graph: &Graph,
    intervals: &Intervals,
    needed: &Needed,
    index: usize,
    node: &Node,
) -> Option<DeadLayer> {
    let &output = node.outputs.first()?;
    let (channels, sums) = (intervals.tensor(output), intervals.sums(output));
    let kept = needed.some_of(output);
    let removed = |c: usize| kept.is_some_and(|kept| !kept[c]);
    let proof = |(channel, value)| Proof {
        channel,
        value,
        sums: sums.map(|sums| sums[channel]),
        removed: removed(channel),
    };
    let constant = channels.iter().enumerate().filter_map(|(c, of)| Some((c, of.constant()?)));
    let proofs: Vec<Proof> = constant.map(proof).collect();
    let layer = DeadLayer {
        index,
        operator: node.op.name(),
        name: graph[output].name.clone(),
        channels: channels.len(),
        constant: proofs.len(),
        removed: (0..channels.len()).filter(|&c| removed(c)).count(),
        proofs,
    };
    (layer.removed > 0 || layer.constant > 0).then_some(layer)
}

fn macs(graph: &Graph) -> u64 {
    let types = |node: &Node| node.inputs.iter().map(|&id| graph[id].ty).collect::<Vec<_>>();
    graph.nodes().iter().map(|node| node.op.macs(&types(node))).sum()
}

/// Bytes of all constants that nodes read, each counted once.
fn weight_bytes(graph: &Graph) -> usize {
    let read: HashSet<_> = graph.nodes().iter().flat_map(|node| &node.inputs).collect();
    read.iter().filter_map(|&&id| graph.constant_data(id).map(|_| graph[id].ty.bytes())).sum()
}

impl fmt::Display for DeadChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let header = ["#", "operator", "channels", "constant", "removed"];
        let mut table = report::table(&header, &[0, 2, 3, 4]);
        for layer in &self.layers {
            table.add_row([
                layer.index.to_string(),
                layer.operator.to_string(),
                layer.channels.to_string(),
                layer.constant.to_string(),
                layer.removed.to_string(),
            ]);
        }
        writeln!(
            f,
            "{} channels removed that are the same for every input, or that nothing reads: {} MACs where there were \
             {}, {} bytes of weights where there were {}",
            self.n_removed(),
            self.macs_after,
            self.macs_before,
            self.weight_bytes_after,
            self.weight_bytes_before
        )?;
        writeln!(f, "{table}")
    }
}
