//! The plans of a graph, from the fewest calls to the fewest bytes.

use serde::Serialize;

use super::rows::{self, Options, Style};
use super::{Call, Choice, Plan, cost, plan};
use crate::{Graph, Result, report};

/// Bytes of flash for a call, or for an entry of a table of rows.
const ENTRY_BYTES: usize = 4;

/// One way to run a graph.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Its kind.
    pub choice: Choice,
    /// Whether the caller hands over the input row by row.
    pub fed: bool,
    /// Its arena.
    pub plan: Plan,
    /// Bytes of flash for its calls and its tables of rows, about.
    pub table_bytes: usize,
}

impl Alternative {
    /// What it is called in tables: `whole`, `overlap`, `rows`, `overlap-fed` or `rows-fed`.
    pub fn name(&self) -> &'static str {
        self.choice.name(self.fed)
    }

    /// The alternative in numbers and words.
    pub fn report(&self, graph: &Graph) -> AlternativeReport {
        AlternativeReport {
            plan: self.name(),
            arena_bytes: self.plan.arena_bytes,
            bound_bytes: self.plan.bound_bytes(),
            calls: self.plan.calls.len(),
            estimated_instructions: cost::instructions(graph, &self.plan),
            table_bytes: self.table_bytes,
            why: self.plan.explain(graph),
        }
    }
}

/// What a person needs to choose a plan.
#[derive(Clone, Debug, Serialize)]
pub struct AlternativeReport {
    /// Its name.
    pub plan: &'static str,
    /// Bytes of RAM.
    pub arena_bytes: usize,
    /// Bytes below which no plan of this kind exists.
    pub bound_bytes: usize,
    /// Calls of operators, and of the caller who feeds rows, in one run.
    pub calls: usize,
    /// Instructions of one run on a Cortex-M4F, estimated; absent if the network does not compute in int8 alone.
    pub estimated_instructions: Option<u64>,
    /// Bytes of flash for calls and rows, about.
    pub table_bytes: usize,
    /// The plan in a sentence.
    pub why: String,
}

/// Reports of plans as a table, and a sentence for each.
pub fn alternatives_text(reports: &[AlternativeReport]) -> String {
    let header = ["plan", "arena B", "bound B", "calls", "instructions, about (M4F)", "tables B (flash)"];
    let mut table = report::table(&header, &[1, 2, 3, 4, 5]);
    for each in reports {
        let millions = |n: u64| format!("{:.2} M", n as f64 / 1e6);
        table.add_row([
            each.plan.to_string(),
            each.arena_bytes.to_string(),
            each.bound_bytes.to_string(),
            each.calls.to_string(),
            each.estimated_instructions.map_or(String::new(), millions),
            each.table_bytes.to_string(),
        ]);
    }
    let sentences = reports.iter().map(|each| format!("{}: {}", each.plan, each.why));
    format!("{table}\n{}", sentences.collect::<Vec<_>>().join("\n"))
}

/// All plans of a graph in device form: tensors whole, operators one after another with rows written over dead
/// rows, operators by turns; and, if it has one input of several rows, the latter two with that input fed.
///
/// # Errors
/// As [`rows::plan`].
pub fn alternatives(graph: &Graph, effort: usize) -> Result<Vec<Alternative>> {
    let made =
        |choice, fed, plan: Plan| Alternative { choice, fed, table_bytes: table_bytes(graph, &plan), plan };
    let mut all = vec![made(Choice::Whole, false, plan(graph))];
    let fed = matches!(graph.inputs(), [input] if graph[*input].ty.shape.rows() > 1);
    let styles = [
        (Choice::Overlap, Style::Overlap, false),
        (Choice::Rows, Style::Rows, false),
        (Choice::Overlap, Style::Overlap, true),
        (Choice::Rows, Style::Rows, true),
    ];
    for (choice, style, is_fed) in styles.into_iter().filter(|&(_, _, is_fed)| fed || !is_fed) {
        all.push(made(choice, is_fed, rows::plan(graph, &Options { style, fed: is_fed, effort })?));
    }
    Ok(all)
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

    #[test]
    fn an_input_is_fed_only_if_there_is_one_of_several_rows() {
        let names = |inputs: &[&[usize]]| {
            let mut graph = Graph::new("sum");
            let inputs: Vec<_> = inputs.iter().map(|dims| graph.input("x", dims).unwrap()).collect();
            let y = graph.apply("y", Concat { axis: 0 }, &inputs).unwrap();
            graph.mark_output(y);
            alternatives(&graph, 1).unwrap().iter().map(|each| each.name()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[&[4, 3]]), ["whole", "overlap", "rows", "overlap-fed", "rows-fed"]);
        assert_eq!(names(&[&[1, 3]]), ["whole", "overlap", "rows"]);
        assert_eq!(names(&[&[4, 3], &[2, 3]]), ["whole", "overlap", "rows"]);
    }

    #[test]
    fn a_ring_is_stored_once() {
        assert_eq!(period(&[0, 8, 16, 0, 8, 16, 0]), 3);
        assert_eq!(period(&[0, 8, 16]), 3);
        assert_eq!(period(&[4, 4, 4]), 1);
    }
}
