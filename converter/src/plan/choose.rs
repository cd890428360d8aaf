//! Choosing among the plans of a graph.

use super::rows::{self, Options, Style};
use super::{Alternative, Memory, Plan, memories, plan};
use crate::program::Rewrite;
use crate::{Error, Graph, Result};

/// How a graph is to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every tensor in one piece: the fewest calls, and nothing to look up.
    Whole,
    /// Operators one after another, with rows wherever others are dead.
    Overlap,
    /// Operators by turns, a few rows each: the fewest bytes.
    Rows,
}

/// What is asked of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind of plan. Without one the fastest that fits [`Request::ram_bytes`] is taken; whole tensors if there is
    /// no limit.
    pub choice: Option<Choice>,
    /// Whether the caller hands over the input row by row.
    pub fed: bool,
    /// The most bytes that the arena may have.
    pub ram_bytes: Option<usize>,
    /// The most bytes of flash that the model file may have: what plain weights leave of it is spent on weights that take
    /// more bytes and fewer instructions. Without a limit all are plain.
    pub flash_bytes: Option<usize>,
    /// The memories to divide the arena into, the fastest first; none if it is to be in one piece. Then tensors are
    /// whole.
    pub memories: Vec<Memory>,
    /// How long to search; see [`Options::effort`].
    pub effort: usize,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            choice: None,
            fed: false,
            ram_bytes: None,
            flash_bytes: None,
            memories: Vec::new(),
            effort: Options::default().effort,
        }
    }
}

impl Request {
    /// How a graph is rewritten for such a plan.
    pub fn rewrite(&self, rewrite: Rewrite) -> Rewrite {
        let is_whole =
            matches!((self.choice, self.ram_bytes), (Some(Choice::Whole), _) | (None, None)) && !self.fed;
        Rewrite { by_rows: !is_whole, ..rewrite }
    }

    /// The plan of a graph in device form.
    ///
    /// # Errors
    /// If no plan of the kind fits; says how many bytes each needs, and whether one with a fed input would fit. If the
    /// input is to be fed and there is not exactly one.
    pub fn plan(&self, graph: &Graph) -> Result<Plan> {
        if !self.memories.is_empty() {
            return match (self.choice, self.fed, self.ram_bytes) {
                (None | Some(Choice::Whole), false, None) => memories::plan(graph, &self.memories),
                _ => Err(Error::Invalid(
                    "several memories take tensors in one piece: ask for no other plan, and for no limit but the \
                     sizes of the memories"
                        .to_string(),
                )),
            };
        }
        self.first_that_fits(graph, |choice| self.make(graph, choice), |plan| plan.arena_bytes)
    }

    /// The same among plans that are made already.
    ///
    /// # Errors
    /// As [`Request::plan`].
    pub fn choose<'a>(&self, graph: &Graph, all: &'a [Alternative]) -> Result<&'a Alternative> {
        let find = |choice| {
            let made = all.iter().find(|each| (each.choice, each.fed) == (choice, self.fed));
            made.ok_or_else(|| {
                Error::graph(&graph.name, "has not one input of several rows that could be fed")
            })
        };
        self.first_that_fits(graph, find, |each| each.plan.arena_bytes)
    }

    /// The one rule: of the kinds that are asked for, from the fewest calls to the fewest bytes, the first that fits.
    fn first_that_fits<T>(
        &self,
        graph: &Graph,
        make: impl Fn(Choice) -> Result<T>,
        arena_bytes: impl Fn(&T) -> usize,
    ) -> Result<T> {
        let mut sizes = Vec::new();
        for choice in self.candidates()? {
            let made = make(choice)?;
            let bytes = arena_bytes(&made);
            if self.ram_bytes.is_none_or(|ram_bytes| bytes <= ram_bytes) {
                return Ok(made);
            }
            sizes.push(format!("{} needs {bytes} bytes", choice.name(self.fed)));
        }
        let ram_bytes = self.ram_bytes.unwrap_or(0);
        Err(Error::graph(
            &graph.name,
            format!(
                "does not fit {ram_bytes} bytes of RAM: the plan {}; {}",
                sizes.join(", "),
                self.advice(graph, ram_bytes)
            ),
        ))
    }

    fn candidates(&self) -> Result<Vec<Choice>> {
        Ok(match (self.choice, self.ram_bytes, self.fed) {
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
        })
    }

    /// What to try where nothing fits. A fed plan changes how the caller hands over the input, so it is never taken
    /// unasked.
    fn advice(&self, graph: &Graph, ram_bytes: usize) -> String {
        let fed = Request { choice: Some(Choice::Rows), fed: true, ram_bytes: None, ..self.clone() };
        match fed.plan(graph) {
            Ok(plan) if !self.fed && plan.arena_bytes <= ram_bytes => format!(
                "with an input that arrives by rows it fits: the plan `rows-fed` needs {} bytes",
                plan.arena_bytes
            ),
            _ => "choose a smaller network or a smaller input".to_string(),
        }
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
    pub fn name(self, fed: bool) -> &'static str {
        match (self, fed) {
            (Choice::Whole, _) => "whole",
            (Choice::Overlap, false) => "overlap",
            (Choice::Rows, false) => "rows",
            (Choice::Overlap, true) => "overlap-fed",
            (Choice::Rows, true) => "rows-fed",
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::{Clamp, Conv2d};

    use super::*;
    use crate::Data;
    use crate::plan::Arrangement;
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;

    /// Four convolutions of 3×3 on 16×16×4.
    fn graph() -> Graph {
        let mut g = Graph::new("four");
        let x = g.input("x", &[1, 16, 16, 4]).unwrap();
        let w = g.constant("w", &[4, 3, 3, 4], Data::F32(vec![0.1; 144])).unwrap();
        let op = Conv2d { window: Window { pads: [1; 4], ..Window::UNIT }, bounds: Bounds::None };
        let last = ["a", "b", "c", "d"].iter().fold(x, |x, name| g.apply(name, op, &[x, w]).unwrap());
        let y = g.apply("y", Clamp { bounds: Bounds::RELU }, &[last]).unwrap();
        g.mark_output(y);
        crate::lower::lower(&g).unwrap().0
    }

    #[test]
    fn the_fastest_that_fits_is_taken() {
        let graph = graph();
        let plan = |ram_bytes| Request { ram_bytes, effort: 1, ..Request::default() }.plan(&graph);
        let whole = plan(None).unwrap();
        assert_eq!(whole.calls.len(), 5);
        let overlap = plan(Some(whole.arena_bytes - 1)).unwrap();
        assert!(overlap.arena_bytes < whole.arena_bytes && overlap.calls.len() == 5);
        let error = plan(Some(1000)).unwrap_err().to_string();
        assert!(error.contains(&format!("whole needs {} bytes", whole.arena_bytes)), "{error}");
        assert!(error.contains("smaller network"), "{error}");
    }

    #[test]
    fn a_fed_plan_is_named_and_not_taken() {
        let graph = graph();
        let fed = Request { fed: true, effort: 1, ..Request::default() }.plan(&graph).unwrap();
        let all = super::super::alternatives(&[Arrangement::of(graph.clone())], true, 1).unwrap();
        let request = Request { ram_bytes: Some(fed.arena_bytes), effort: 1, ..Request::default() };
        // The same rule whether the plans are made already or not.
        let errors =
            [request.plan(&graph).err(), request.choose(&graph, &all).err()].map(|e| e.unwrap().to_string());
        assert!(errors[0].contains(&format!("`rows-fed` needs {} bytes", fed.arena_bytes)), "{}", errors[0]);
        assert_eq!(errors[0], errors[1]);
        let request = Request { fed: true, ..request };
        let chosen = request.choose(&graph, &all).unwrap();
        assert!(chosen.fed && chosen.plan == request.plan(&graph).unwrap(), "{}", chosen.name());
    }

    #[test]
    fn an_input_that_arrives_is_not_whole() {
        let request = Request { choice: Some(Choice::Whole), fed: true, ..Request::default() };
        assert!(request.plan(&graph()).is_err());
    }
}
