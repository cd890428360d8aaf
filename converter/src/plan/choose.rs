//! Choosing among the plans of a graph.

use super::rows::{self, Options, Style};
use super::{Plan, plan};
use crate::{Error, Graph, Result};

/// How a graph is to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every tensor in one piece: the fewest calls.
    Whole,
    /// Operators one after another, each writing over rows of its input that are dead.
    Overlap,
    /// Operators by turns, a few rows each: the fewest bytes.
    Rows,
}

/// What is asked of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind of plan. Without one the fastest that fits [`Request::ram_bytes`] is taken; whole tensors if there is
    /// no limit.
    pub choice: Option<Choice>,
    /// Whether the caller hands over the input row by row.
    pub fed: bool,
    /// The most bytes that the arena may have.
    pub ram_bytes: Option<usize>,
    /// How long to search; see [`Options::effort`].
    pub effort: usize,
}

impl Default for Request {
    fn default() -> Request {
        Request { choice: None, fed: false, ram_bytes: None, effort: Options::default().effort }
    }
}

impl Request {
    /// The plan of a graph in device form.
    ///
    /// # Errors
    /// If no plan of the kind fits; says how many bytes each needs. If the input is to be fed and there is not
    /// exactly one.
    pub fn plan(&self, graph: &Graph) -> Result<Plan> {
        let choices = match (self.choice, self.ram_bytes, self.fed) {
            (Some(Choice::Whole), _, true) => {
                return Err(Error::Invalid(
                    "an input that arrives by rows is not whole: ask for the plan `overlap` or `rows`"
                        .to_string(),
                ));
            }
            (Some(choice), _, _) => vec![choice],
            (None, None, false) => vec![Choice::Whole],
            (None, None, true) => vec![Choice::Rows],
            (None, Some(_), false) => vec![Choice::Whole, Choice::Overlap, Choice::Rows],
            (None, Some(_), true) => vec![Choice::Overlap, Choice::Rows],
        };
        let mut sizes = Vec::new();
        for choice in choices {
            let made = self.make(graph, choice)?;
            if self.ram_bytes.is_none_or(|ram_bytes| made.arena_bytes <= ram_bytes) {
                return Ok(made);
            }
            sizes.push(format!("{} needs {} bytes", choice.name(), made.arena_bytes));
        }
        let advice = match self.fed || graph.inputs().len() != 1 {
            true => "choose a smaller network or a smaller input",
            false => "try an input that arrives by rows (the plan `rows-fed`), or a smaller network",
        };
        Err(Error::graph(
            &graph.name,
            format!(
                "does not fit {} bytes of RAM: the plan {}; {advice}",
                self.ram_bytes.unwrap_or(0),
                sizes.join(", ")
            ),
        ))
    }

    fn make(&self, graph: &Graph, choice: Choice) -> Result<Plan> {
        let style = match choice {
            Choice::Whole => return Ok(plan(graph)),
            Choice::Overlap => Style::Overlap,
            Choice::Rows => Style::Rows,
        };
        rows::plan(graph, &Options { style, fed: self.fed, effort: self.effort })
    }
}

impl Choice {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Choice::Whole => "whole",
            Choice::Overlap => "overlap",
            Choice::Rows => "rows",
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::{Clamp, Conv2d};

    use super::*;
    use crate::Data;
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;

    /// Two convolutions of 3×3 on 16×16×4.
    fn graph() -> Graph {
        let mut g = Graph::new("two");
        let x = g.input("x", &[1, 16, 16, 4]).unwrap();
        let w = g.constant("w", &[4, 3, 3, 4], Data::F32(vec![0.1; 144])).unwrap();
        let op = Conv2d { window: Window { pads: [1; 4], ..Window::UNIT }, bounds: Bounds::None };
        let a = g.apply("a", op, &[x, w]).unwrap();
        let b = g.apply("b", op, &[a, w]).unwrap();
        let y = g.apply("y", Clamp { bounds: Bounds::RELU, factor: None }, &[b]).unwrap();
        g.mark_output(y);
        crate::lower::lower(&g).unwrap().0
    }

    #[test]
    fn the_fastest_that_fits_is_taken() {
        let graph = graph();
        let plan = |ram_bytes| Request { ram_bytes, effort: 1, ..Request::default() }.plan(&graph);
        let whole = plan(None).unwrap();
        assert_eq!(whole.calls.len(), 3);
        let overlap = plan(Some(whole.arena_bytes - 1)).unwrap();
        assert!(overlap.arena_bytes < whole.arena_bytes && overlap.calls.len() == 3);
        let error = plan(Some(1000)).unwrap_err().to_string();
        assert!(error.contains(&format!("whole needs {} bytes", whole.arena_bytes)), "{error}");
        assert!(error.contains("rows-fed"), "{error}");
    }

    #[test]
    fn an_input_that_arrives_is_not_whole() {
        let request = Request { choice: Some(Choice::Whole), fed: true, ..Request::default() };
        assert!(request.plan(&graph()).is_err());
    }
}
