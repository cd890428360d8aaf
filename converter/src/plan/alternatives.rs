//! The ways to run a network: plans, from the fewest calls to the fewest bytes, times arrangements of the weights.

use serde::Serialize;

use super::{Call, Choice, Plan, Request, cost, input_types};
use crate::pack::Expansion;
use crate::program::Lowered;
use crate::{Graph, Result, report, write};

/// Bytes of flash for a call, or for an entry of a table of rows.
const ENTRY_BYTES: usize = 4;

/// A network with its weights arranged in one way.
#[derive(Clone, Debug)]
pub struct Arrangement {
    /// What that is called in tables.
    pub weights: &'static str,
    /// For whole tensors.
    pub whole: Lowered,
    /// For plans by rows: graphs in device form that differ in their weights and the operators that read them, and in the shapes
    /// of images.
    pub by_rows: Lowered,
}

impl Arrangement {
    /// That for a kind of plan.
    fn lowered(&self, choice: Choice) -> &Lowered {
        if choice == Choice::Whole { &self.whole } else { &self.by_rows }
    }
}

/// One way to run a graph.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// How its weights are arranged.
    pub weights: &'static str,
    /// The layers whose weights take more bytes than they need.
    pub expanded: Vec<Expansion>,
    /// Its kind.
    pub choice: Choice,
    /// Whether the caller hands over the input row by row.
    pub fed: bool,
    /// Its arena.
    pub plan: Plan,
    /// Bytes of flash for its calls and its tables of rows, about.
    pub table_bytes: usize,
    /// Bytes of its model file, all of which lie in flash.
    pub model_bytes: usize,
    /// Instructions of one run on a Cortex-M4F, estimated; `None` where no rates were measured.
    pub estimated_instructions: Option<u64>,
}

impl Alternative {
    /// What it is called in tables: `whole`, `overlap`, `rows`, `overlap-fed` or `rows-fed`.
    pub fn name(&self) -> &'static str {
        self.choice.name(self.fed)
    }

    /// What it costs: RAM, flash and time. Time is known by calls only where no instructions are estimated.
    fn costs(&self) -> [u64; 3] {
        let time = self.estimated_instructions.unwrap_or(self.plan.calls.len() as u64);
        [self.plan.arena_bytes as u64, self.model_bytes as u64, time]
    }
}

/// Whether none of `all` to which the input is handed over as to number `i` costs less RAM, flash or time, and no more of
/// the other two. Of plans that cost the same the first, which is the simplest, is best.
fn is_best(all: &[Alternative], i: usize) -> bool {
    let (own, costs) = (&all[i], all[i].costs());
    let beats = |(k, other): (usize, &Alternative)| {
        let others = other.costs();
        let no_more = others.iter().zip(costs).all(|(&other, own)| other <= own);
        let simpler = k < i && other.weights == own.weights;
        other.fed == own.fed && no_more && (others != costs || simpler)
    };
    !all.iter().enumerate().any(beats)
}

/// What a person needs to choose a plan.
#[derive(Clone, Debug, Serialize)]
pub struct AlternativeReport {
    /// Its name.
    pub plan: &'static str,
    /// How the weights are arranged.
    pub weights: &'static str,
    /// The layers whose weights take more bytes than they need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expanded: Vec<Expansion>,
    /// Bytes of RAM.
    pub arena_bytes: usize,
    /// Bytes below which no plan of this kind exists.
    pub bound_bytes: usize,
    /// Bytes of the model file, all of which lie in flash.
    pub model_bytes: usize,
    /// Bytes of it for calls and rows, about.
    pub table_bytes: usize,
    /// Calls of operators, and of the caller who feeds rows, in one run.
    pub calls: usize,
    /// Instructions of one run on a Cortex-M4F, estimated; absent if the network does not compute in int8 alone, or is
    /// for a core for which no rates were measured.
    pub estimated_instructions: Option<u64>,
    /// Whether no other way with the input handed over alike costs less RAM, flash or time (estimated instructions;
    /// calls where there are none), and no more of the other two.
    pub best: bool,
    /// The plan in a sentence.
    pub why: String,
}

/// The alternatives in numbers and words; `graph` is any of those that they were made for.
pub fn reports(graph: &Graph, all: &[Alternative]) -> Vec<AlternativeReport> {
    let report = |(i, each): (usize, &Alternative)| AlternativeReport {
        plan: each.name(),
        weights: each.weights,
        expanded: each.expanded.clone(),
        arena_bytes: each.plan.arena_bytes,
        bound_bytes: each.plan.bound_bytes(),
        model_bytes: each.model_bytes,
        table_bytes: each.table_bytes,
        calls: each.plan.calls.len(),
        estimated_instructions: each.estimated_instructions,
        best: is_best(all, i),
        why: each.plan.explain(graph),
    };
    all.iter().enumerate().map(report).collect()
}

/// Reports as a table, what its columns mean, and a sentence for each plan.
pub fn alternatives_text(reports: &[AlternativeReport]) -> String {
    let header = [
        "",
        "plan",
        "weights",
        "arena B (RAM)",
        "bound B",
        "model B (flash)",
        "calls",
        "estimated instructions",
    ];
    let mut table = report::table(&header, &[3, 4, 5, 6, 7]);
    for each in reports {
        let millions = |n: u64| format!("{:.2} M", n as f64 / 1e6);
        table.add_row([
            if each.best { "*" } else { "" }.to_string(),
            each.plan.to_string(),
            each.weights.to_string(),
            each.arena_bytes.to_string(),
            each.bound_bytes.to_string(),
            each.model_bytes.to_string(),
            each.calls.to_string(),
            each.estimated_instructions.map_or("?".to_string(), millions),
        ]);
    }
    let estimated = reports.iter().any(|each| each.estimated_instructions.is_some());
    let (time, note) = match estimated {
        true => (
            "instructions",
            "instructions are estimated from rates of the Cortex-M4F; `dunlin bench` counts those of any core",
        ),
        false => (
            "calls",
            "instructions are estimated for int8 on cores with the kernels of the Cortex-M4F alone, for which rates \
             were measured; `dunlin bench` counts those of any core",
        ),
    };
    let mut sentences: Vec<String> =
        reports.iter().map(|each| format!("{}: {}", each.plan, each.why)).collect();
    sentences.dedup();
    let mut seen = std::collections::HashSet::new();
    sentences.retain(|sentence| seen.insert(sentence.clone()));
    format!(
        "{table}\n* nothing that takes its input alike (fed or in memory) has less RAM, flash or {time} and no more of the \
         others\n{note}\n{}",
        sentences.join("\n")
    )
}

/// All plans of a network in each of its arrangements: tensors whole, operators one after another with rows written over
/// dead rows, operators by turns; and, if it has one input of several rows, the latter two with that input fed. `estimate`
/// says whether the rates of the Cortex-M4F hold.
///
/// # Errors
/// As [`Request::plan`].
pub fn alternatives(arrangements: &[Arrangement], estimate: bool, effort: usize) -> Result<Vec<Alternative>> {
    let mut all: Vec<Alternative> = Vec::new();
    for (i, arrangement) in arrangements.iter().enumerate() {
        for (choice, fed) in kinds(&arrangement.whole.graph) {
            let Lowered { graph, expansions, .. } = arrangement.lowered(choice);
            // Weights in another order need no other plan, and a search may take seconds.
            let is_like = |each: &&Alternative| {
                let other = arrangements[..i].iter().find(|other| other.weights == each.weights);
                let same = |other: &Arrangement| needs_same_memory(graph, &other.lowered(choice).graph);
                (each.choice, each.fed) == (choice, fed) && other.is_some_and(same)
            };
            let made = all.iter().find(is_like).map(|each| each.plan.clone());
            let plan = made.map_or_else(|| make(graph, choice, fed, effort), Ok)?;
            all.push(Alternative {
                weights: arrangement.weights,
                expanded: expansions.iter().filter(|expansion| expansion.taken).cloned().collect(),
                choice,
                fed,
                table_bytes: table_bytes(graph, &plan),
                model_bytes: write::write(graph, &plan)?.len(),
                estimated_instructions: cost::instructions(graph, &plan).filter(|_| estimate),
                plan,
            });
        }
    }
    Ok(all)
}

/// Whether two graphs have the same nodes on the same tensors, and a plan of one is one of the other.
fn needs_same_memory(a: &Graph, b: &Graph) -> bool {
    let same = |i: usize| {
        let [(a_node, a_types), (b_node, b_types)] =
            [a, b].map(|graph| (&graph.nodes()[i], input_types(graph, i)));
        a_node.outputs == b_node.outputs
            && a_node.op.scratch_bytes(&a_types) == b_node.op.scratch_bytes(&b_types)
            && a_node.op.by_rows(&a_types) == b_node.op.by_rows(&b_types)
            && a_node
                .inputs
                .iter()
                .zip(&b_node.inputs)
                .all(|(&x, &y)| x == y || a.constant_data(x).is_some() && b.constant_data(y).is_some())
    };
    a.nodes().len() == b.nodes().len() && (0..a.nodes().len()).all(same)
}

/// The kinds of plans, and whether the input is fed.
fn kinds(graph: &Graph) -> Vec<(Choice, bool)> {
    let mut kinds = vec![(Choice::Whole, false), (Choice::Overlap, false), (Choice::Rows, false)];
    if matches!(graph.inputs(), [input] if graph[*input].ty.shape.rows() > 1) {
        kinds.extend([(Choice::Overlap, true), (Choice::Rows, true)]);
    }
    kinds
}

fn make(graph: &Graph, choice: Choice, fed: bool, effort: usize) -> Result<Plan> {
    Request { choice: Some(choice), fed, effort, ..Request::default() }.plan(graph)
}

/// Bytes of the tables of a plan: nothing if the nodes run one after another on tensors in one piece.
fn table_bytes(graph: &Graph, plan: &Plan) -> usize {
    let in_order = plan.calls.len() == graph.nodes().len()
        && plan
            .calls
            .iter()
            .enumerate()
            .all(|(i, call)| matches!(call, Call::Run { node, .. } if *node == i));
    let calls = if in_order { 0 } else { plan.calls.len() };
    let entries = plan.tensors.values().filter_map(|place| place.rows.as_deref()).map(period);
    (calls + entries.sum::<usize>()) * ENTRY_BYTES
}

/// Rows after which the offsets of a tensor come round again: a table need not be longer.
fn period(rows: &[usize]) -> usize {
    let repeats = |&period: &usize| rows.iter().zip(&rows[period..]).all(|(a, b)| a == b);
    (1..rows.len()).find(repeats).unwrap_or(rows.len())
}

#[cfg(test)]
mod tests {
    use dunlin::ops::Concat;

    use super::*;

    impl Arrangement {
        /// A graph in device form as it is.
        pub(in crate::plan) fn of(graph: Graph) -> Arrangement {
            let (stored, dead_channels, expansions) = Default::default();
            let whole = Lowered { graph, stored, dead_channels, expansions };
            Arrangement { weights: "plain", by_rows: whole.clone(), whole }
        }
    }

    #[test]
    fn an_input_is_fed_only_if_there_is_one_of_several_rows() {
        let names = |inputs: &[&[usize]]| {
            let mut graph = Graph::new("sum");
            let inputs: Vec<_> = inputs.iter().map(|dims| graph.input("x", dims).unwrap()).collect();
            let y = graph.apply("y", Concat { axis: 0 }, &inputs).unwrap();
            graph.mark_output(y);
            let all = alternatives(&[Arrangement::of(graph)], true, 1).unwrap();
            all.iter().map(|each| each.name()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[&[4, 3]]), ["whole", "overlap", "rows", "overlap-fed", "rows-fed"]);
        assert_eq!(names(&[&[1, 3]]), ["whole", "overlap", "rows"]);
        assert_eq!(names(&[&[4, 3], &[2, 3]]), ["whole", "overlap", "rows"]);
    }

    #[test]
    fn the_best_are_beaten_in_nothing() {
        let costs = |arena_bytes, model_bytes, estimated_instructions, fed| {
            let mut graph = Graph::new("one");
            let x = graph.input("x", &[1]).unwrap();
            let y = graph.apply("y", Concat { axis: 0 }, &[x]).unwrap();
            graph.mark_output(y);
            let plan = Plan { arena_bytes, ..crate::plan::plan(&graph) };
            Alternative {
                weights: "plain",
                expanded: Vec::new(),
                choice: Choice::Whole,
                fed,
                plan,
                table_bytes: 0,
                model_bytes,
                estimated_instructions,
            }
        };
        let all = [
            costs(100, 50, Some(7), false),
            costs(80, 60, Some(8), false),
            costs(80, 61, Some(8), false),
            costs(80, 60, Some(8), false),
            costs(70, 60, Some(8), true),
        ];
        let best: Vec<bool> = (0..all.len()).map(|i| is_best(&all, i)).collect();
        assert_eq!(best, [true, true, false, false, true]);
    }

    #[test]
    fn a_ring_is_stored_once() {
        assert_eq!(period(&[0, 8, 16, 0, 8, 16, 0]), 3);
        assert_eq!(period(&[0, 8, 16]), 3);
        assert_eq!(period(&[4, 4, 4]), 1);
    }
}
