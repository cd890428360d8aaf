//! A plan as a picture: bytes of the arena over time.
//!
//! Time runs to the right, a step a row that an operator computes. Every tensor (every row, where rows live and
//! die on their own) is a box from its first step to its last, at the bytes where it lies. The line is what is
//! alive; below stands which operator runs when.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

use dunlin::TensorType;
use dunlin::ops::{OUTPUT, Order};

use super::{Call, Plan, input_types, n_rows};
use crate::{Graph, Kind, TensorId};

const PLOT: [f64; 2] = [1000.0, 440.0];
const LEFT: f64 = 190.0;
const TOP: f64 = 64.0;
const LANE: f64 = 13.0;
const LEGEND: f64 = 330.0;
/// Width of a letter of the labels.
const LETTER: f64 = 6.5;
const SCRATCH: &str = "#9a9a9a";
const ARENA: &str = "stroke='#0055bb'";
const BOUND: &str = "stroke='#cc0000' stroke-dasharray='7 4'";
const ALIVE: &str = "stroke='black'";

/// The picture of a plan as SVG.
pub fn picture(graph: &Graph, plan: &Plan) -> String {
    let calls = Calls::new(graph, plan);
    let areas = areas(graph, plan, &calls);
    let lanes_height = LANE * (graph.nodes().len() + 1) as f64;
    let named = named(graph, &areas);
    let colours = Colours(named.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect());
    let height = TOP + (PLOT[1] + 60.0 + lanes_height).max(LANE * (named.len() + 6) as f64);
    let width = LEFT + PLOT[0] + LEGEND;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0} {height:.0}' \
         font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n"
    );
    text(&mut svg, [12.0, 22.0], "font-size='16' font-weight='bold'", &graph.name);
    text(&mut svg, [12.0, 42.0], "font-size='12'", &plan.explain(graph));
    let scale = Scale { steps: calls.end.max(1), bytes: top_bytes(plan) };
    axis(&mut svg, &scale);
    for each in &areas {
        draw(&mut svg, &scale, &colours, each);
    }
    for &(id, _) in &named {
        label(&mut svg, &scale, graph, id, &areas);
    }
    lines(&mut svg, &scale, plan, &calls);
    lanes(&mut svg, &scale, &colours, graph, plan, &calls);
    legend(&mut svg, &colours, graph, plan, &named);
    svg.push_str("</svg>\n");
    svg
}

/// The steps of every call.
struct Calls {
    steps: Vec<Range<usize>>,
    end: usize,
}

impl Calls {
    fn new(graph: &Graph, plan: &Plan) -> Calls {
        let mut end = 0;
        let steps = plan.calls.iter().map(|call| {
            let (Call::Run { rows, .. } | Call::Feed { rows, .. }) = call;
            let start = end;
            // An operator that takes its tensors whole is one step, however many rows it has.
            let whole = matches!(call, Call::Run { node, .. } if is_whole(graph, *node));
            end += if whole { 1 } else { rows.len() };
            start..end
        });
        let steps = steps.collect();
        Calls { steps, end }
    }

    /// First and last step of the life of a tensor.
    fn life(&self, first: usize, last: usize) -> Range<usize> {
        let step = |call: usize| call.checked_sub(1).and_then(|call| self.steps.get(call));
        let start = if first == 0 { 0 } else { step(first).map_or(self.end, |steps| steps.start) };
        let end = if last == 0 { 0 } else { step(last).map_or(self.end, |steps| steps.end) };
        start..end.max(start + 1)
    }
}

/// Whether a node reads and writes in no order of rows.
fn is_whole(graph: &Graph, i: usize) -> bool {
    let (op, types) = (&graph.nodes()[i].op, input_types(graph, i));
    op.by_rows(&types) & OUTPUT == 0 && op.order(&types) == Order::Rows
}

/// Bytes that something takes for some steps.
#[derive(Clone, Debug, PartialEq)]
struct Area {
    /// The tensor; none for scratch memory.
    tensor: Option<TensorId>,
    bytes: Range<usize>,
    steps: Range<usize>,
}

impl Area {
    fn meets(&self, other: &Area) -> bool {
        let share = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
        share(&self.bytes, &other.bytes) && share(&self.steps, &other.steps)
    }
}

/// A box a tensor, if they keep apart; else a box a row.
fn areas(graph: &Graph, plan: &Plan, calls: &Calls) -> Vec<Area> {
    let mut ids: Vec<TensorId> = plan.tensors.keys().copied().collect();
    ids.sort_unstable_by_key(|id| (plan.tensors[id].first, *id));
    let whole: Vec<Area> = ids.iter().map(|&id| whole_area(graph, plan, calls, id)).collect();
    // Of two tensors in place one ends in the call in which the other begins.
    let apart = |(i, a): (usize, &Area)| {
        whole[..i].iter().zip(&ids).all(|(b, id)| {
            !a.meets(b)
                || plan.tensors[id].last == plan.tensors[&ids[i]].first && a.bytes.start == b.bytes.start
        })
    };
    let in_pieces = plan.tensors.values().all(|place| place.rows.is_none());
    let mut areas = match in_pieces && whole.iter().enumerate().all(apart) {
        true => whole,
        false => row_areas(graph, plan, calls, &ids),
    };
    for i in 0..graph.nodes().len() {
        scratch_areas(graph, plan, calls, i, &mut areas);
    }
    areas
}

fn whole_area(graph: &Graph, plan: &Plan, calls: &Calls, id: TensorId) -> Area {
    let place = &plan.tensors[&id];
    let bytes = place.offset..place.offset + graph[id].ty.bytes();
    Area { tensor: Some(id), bytes, steps: calls.life(place.first, place.last) }
}

fn row_bytes(ty: &TensorType) -> usize {
    ty.shape.row_len() * ty.dtype.bytes()
}

/// Every row from the step that writes it to the last one that reads it; neighbours with one life as one box.
fn row_areas(graph: &Graph, plan: &Plan, calls: &Calls, ids: &[TensorId]) -> Vec<Area> {
    let mut lives: Vec<Vec<Option<Range<usize>>>> =
        graph.tensors().map(|(_, tensor)| vec![None; tensor.ty.shape.rows()]).collect();
    let mut touch = |id: TensorId, rows: Range<usize>, step: usize| {
        for life in &mut lives[id.0 as usize][rows] {
            *life = Some(life.as_ref().map_or(step, |life| life.start)..step + 1);
        }
    };
    for &id in ids {
        if plan.tensors[&id].first == 0 {
            touch(id, 0..graph[id].ty.shape.rows(), 0);
        }
    }
    for (call, steps) in plan.calls.iter().zip(&calls.steps) {
        match call {
            Call::Feed { input, rows } => {
                rows.clone().zip(steps.clone()).for_each(|(y, t)| touch(graph.inputs()[*input], y..y + 1, t));
            }
            Call::Run { node, rows } => {
                for (k, step) in steps.clone().enumerate() {
                    touched(graph, *node, rows.start + k, &mut |id, rows| touch(id, rows, step));
                }
            }
        }
    }
    let mut areas: Vec<Area> = Vec::new();
    for &id in ids {
        let (place, bytes) = (&plan.tensors[&id], row_bytes(&graph[id].ty));
        for (y, life) in lives[id.0 as usize].iter().enumerate() {
            let Some(life) = life else { continue };
            let start = place.rows.as_ref().map_or(place.offset + y * bytes, |rows| rows[y]);
            let stays = graph.outputs().contains(&id) || matches!(graph[id].kind, Kind::State(_));
            let steps = life.start..if stays { calls.end } else { life.end };
            match areas.last_mut() {
                Some(last) if last.tensor == Some(id) && last.steps == steps && last.bytes.end == start => {
                    last.bytes.end += bytes;
                }
                _ => areas.push(Area { tensor: Some(id), bytes: start..start + bytes, steps }),
            }
        }
    }
    areas
}

/// The rows that a step of a node reads and writes.
fn touched(graph: &Graph, i: usize, y: usize, touch: &mut dyn FnMut(TensorId, Range<usize>)) {
    let (node, types) = (&graph.nodes()[i], input_types(graph, i));
    let all = |id: TensorId| 0..graph[id].ty.shape.rows();
    let (by_rows, whole) = (node.op.by_rows(&types), is_whole(graph, i));
    for (k, &id) in node.inputs.iter().enumerate().filter(|(_, id)| graph.constant_data(**id).is_none()) {
        touch(id, if by_rows & (1 << k) != 0 && !whole { node.op.rows(k, &types, y) } else { all(id) });
    }
    for &id in &node.outputs {
        match node.op.order(&types) {
            Order::Rows if !whole && node.outputs.len() == 1 => touch(id, y..y + 1),
            Order::Reduction if y + 1 < n_rows(graph, i) => {}
            _ => touch(id, all(id)),
        }
    }
}

fn scratch_areas(graph: &Graph, plan: &Plan, calls: &Calls, i: usize, areas: &mut Vec<Area>) {
    let (op, types) = (&graph.nodes()[i].op, input_types(graph, i));
    let size = op.scratch_bytes(&types);
    let bytes = plan.scratch_offsets[i]..plan.scratch_offsets[i] + size;
    let mine = plan.calls.iter().zip(&calls.steps);
    let mine = mine.filter(|(call, _)| matches!(call, Call::Run { node, .. } if *node == i));
    let mut spans: Vec<Range<usize>> = mine.map(|(_, steps)| steps.clone()).collect();
    if let (Order::Reduction, [first, .., last]) = (op.order(&types), &spans[..]) {
        let life = first.start..last.end;
        spans.truncate(1);
        spans[0] = life;
    }
    let spans = spans.into_iter().filter(|_| size > 0);
    areas.extend(spans.map(|steps| Area { tensor: None, bytes: bytes.clone(), steps }));
}

struct Scale {
    steps: usize,
    bytes: usize,
}

impl Scale {
    fn x(&self, step: usize) -> f64 {
        LEFT + PLOT[0] * step as f64 / self.steps as f64
    }

    fn y(&self, byte: usize) -> f64 {
        TOP + PLOT[1] * (1.0 - byte as f64 / self.bytes as f64)
    }
}

fn top_bytes(plan: &Plan) -> usize {
    (plan.arena_bytes.max(plan.lower_bound_bytes()) * 21 / 20).max(4)
}

/// Colours of tensors, by their place in the legend.
struct Colours(HashMap<TensorId, usize>);

impl Colours {
    /// A light colour: hues by the golden angle, so that neighbours differ.
    fn of(&self, id: TensorId) -> String {
        let place = self.0.get(&id).copied().unwrap_or(0);
        let hue = place as f64 * 137.508 / 60.0 % 6.0;
        let (lightness, spread) = ([0.76, 0.66, 0.84][place % 3], [0.18, 0.22, 0.13][place % 3]);
        let channel = |shift: f64| {
            let distance = ((hue + shift) % 6.0 - 3.0).abs() - 1.0; // 2 at its own hue, -1 opposite
            ((lightness + spread * (2.0 * distance.clamp(0.0, 1.0) - 1.0)) * 255.0) as u8
        };
        format!("#{:02x}{:02x}{:02x}", channel(0.0), channel(4.0), channel(2.0))
    }
}

fn draw(svg: &mut String, scale: &Scale, colours: &Colours, each: &Area) {
    let (x, y) = (scale.x(each.steps.start), scale.y(each.bytes.end));
    let (width, height) = (scale.x(each.steps.end) - x, scale.y(each.bytes.start) - y);
    let fill = each.tensor.map_or(SCRATCH.to_string(), |id| colours.of(id));
    let _ = writeln!(
        svg,
        "<rect x='{x:.2}' y='{y:.2}' width='{width:.2}' height='{height:.2}' fill='{fill}' stroke='white' \
         stroke-width='0.4'/>"
    );
}

/// The name of a tensor in its largest box, if it fits there.
fn label(svg: &mut String, scale: &Scale, graph: &Graph, id: TensorId, areas: &[Area]) {
    let mine = areas.iter().filter(|each| each.tensor == Some(id));
    let Some(largest) = mine.max_by_key(|each| each.bytes.len() * each.steps.len()) else { return };
    let (x, width) =
        (scale.x(largest.steps.start), scale.x(largest.steps.end) - scale.x(largest.steps.start));
    let (y, height) = (scale.y(largest.bytes.end), scale.y(largest.bytes.start) - scale.y(largest.bytes.end));
    let name = short(&graph[id].name, (width / LETTER) as usize);
    if height >= 11.0 && name.chars().count() >= 5 {
        text(svg, [x + 3.0, y + height / 2.0 + 4.0], "", &name);
    }
}

/// The end of a name that is too long: names of networks differ at their ends.
fn short(name: &str, most: usize) -> String {
    let len = name.chars().count();
    if len <= most {
        return name.to_string();
    }
    "…".chars().chain(name.chars().skip(len + 1 - most.max(1))).collect()
}

fn text(svg: &mut String, [x, y]: [f64; 2], style: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let words = words.replace(char::is_control, "\u{FFFD}");
    let _ = writeln!(svg, "<text x='{x:.1}' y='{y:.1}' {style}>{words}</text>");
}

fn axis(svg: &mut String, scale: &Scale) {
    let rough = scale.bytes / 6;
    let power = 10usize.pow(rough.max(1).ilog10());
    let step =
        [1, 2, 5, 10].map(|k| k * power).into_iter().find(|step| *step >= rough).unwrap_or(power).max(1);
    for bytes in (0..=scale.bytes).step_by(step) {
        let (y, right) = (scale.y(bytes), LEFT + PLOT[0]);
        let _ = writeln!(svg, "<path d='M{LEFT} {y:.1}H{right}' stroke='#ddd'/>");
        text(svg, [LEFT - 6.0, y + 4.0], "text-anchor='end' fill='#555'", &format!("{bytes} B"));
    }
}

/// What is alive, the size of the arena, and the bound.
fn lines(svg: &mut String, scale: &Scale, plan: &Plan, calls: &Calls) {
    let mut path = String::new();
    for (steps, &live) in calls.steps.iter().zip(&plan.live_bytes[1..]) {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let (start, end, y) = (scale.x(steps.start), scale.x(steps.end), scale.y(live));
        let _ = write!(path, "{command}{start:.2} {y:.2}H{end:.2}");
    }
    let _ = writeln!(svg, "<path d='{path}' fill='none' stroke-width='1.3' {ALIVE}/>");
    let mut level = |bytes: usize, stroke: &str| {
        let (y, right) = (scale.y(bytes), LEFT + PLOT[0]);
        let _ = writeln!(svg, "<path d='M{LEFT} {y:.1}H{right}' stroke-width='1.5' {stroke}/>");
    };
    level(plan.arena_bytes, ARENA);
    level(plan.bound_bytes(), BOUND);
}

/// Which operator runs when.
fn lanes(svg: &mut String, scale: &Scale, colours: &Colours, graph: &Graph, plan: &Plan, calls: &Calls) {
    let top = TOP + PLOT[1] + 34.0;
    text(svg, [LEFT, top - 12.0], "fill='#555'", "rows computed, by operator; time runs to the right");
    let feeds = plan.calls.iter().any(|call| matches!(call, Call::Feed { .. })) as usize;
    if feeds > 0 {
        text(svg, [LEFT - 6.0, top + LANE - 3.0], "text-anchor='end'", "input fed");
    }
    for (i, node) in graph.nodes().iter().enumerate() {
        let y = top + LANE * (i + feeds + 1) as f64 - 3.0;
        text(svg, [LEFT - 6.0, y], "text-anchor='end'", &format!("{i} {}", node.op.title()));
    }
    for (call, steps) in plan.calls.iter().zip(&calls.steps) {
        let (lane, fill) = match call {
            Call::Feed { input, .. } => (0, colours.of(graph.inputs()[*input])),
            Call::Run { node, .. } => (node + feeds, colours.of(graph.nodes()[*node].outputs[0])),
        };
        let (x, y) = (scale.x(steps.start), top + LANE * lane as f64 + 1.0);
        let (width, height) = ((scale.x(steps.end) - x).max(0.8), LANE - 2.0);
        let _ = writeln!(
            svg,
            "<rect x='{x:.2}' y='{y:.1}' width='{width:.2}' height='{height}' fill='{fill}' stroke='#666' \
             stroke-width='0.3'/>"
        );
    }
}

/// The tensors of the picture with their bytes, in the order of their birth.
fn named(graph: &Graph, areas: &[Area]) -> Vec<(TensorId, usize)> {
    let mut named: Vec<(TensorId, usize)> = Vec::new();
    for id in areas.iter().filter_map(|each| each.tensor) {
        if named.last().is_none_or(|last| last.0 != id) {
            named.push((id, graph[id].ty.bytes()));
        }
    }
    named
}

fn legend(svg: &mut String, colours: &Colours, graph: &Graph, plan: &Plan, named: &[(TensorId, usize)]) {
    let x = LEFT + PLOT[0] + 18.0;
    let mut y = TOP + 8.0;
    let stroked = [
        (ARENA, format!("arena: {} B", plan.arena_bytes)),
        (BOUND, format!("bound: no plan of this kind is below {} B", plan.bound_bytes())),
        (ALIVE, "bytes alive".to_string()),
    ];
    for (stroke, words) in stroked {
        let _ = writeln!(svg, "<path d='M{x} {:.1}h22' stroke-width='1.5' {stroke}/>", y - 4.0);
        text(svg, [x + 28.0, y], "", &words);
        y += LANE + 2.0;
    }
    let mut line = |fill: &str, words: &str| {
        let _ = writeln!(svg, "<rect x='{x}' y='{:.1}' width='10' height='10' fill='{fill}'/>", y - 9.0);
        text(svg, [x + 15.0, y], "", words);
        y += LANE;
    };
    line(SCRATCH, "scratch memory");
    for &(id, bytes) in named {
        let tensor = &graph[id];
        let size = format!(" {} {bytes} B", tensor.ty.shape);
        let name = short(&tensor.name, 43usize.saturating_sub(size.chars().count()));
        line(&colours.of(id), &(name + &size));
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::{Clamp, Pad};

    use super::super::rows::{self, Options};
    use super::*;

    fn graph() -> Graph {
        let mut graph = Graph::new("a <small> & simple network");
        let mut x = graph.input("pixels", &[1, 12, 4, 2]).unwrap();
        for name in ["first", "second"] {
            let pads = [[0, 0], [1, 1], [0, 0], [0, 0]];
            x = graph.apply(name, Pad { pads }, &[x]).unwrap();
        }
        let last = graph.apply("last", Clamp { bounds: Bounds::RELU }, &[x]).unwrap();
        graph.mark_output(last);
        graph
    }

    #[test]
    fn every_tensor_and_number_is_named() {
        let graph = graph();
        for plan in [super::super::whole(&graph), rows::plan(&graph, &Options::default()).unwrap()] {
            let svg = picture(&graph, &plan);
            for words in ["a &lt;small&gt; &amp; simple network", "pixels 1×12×4×2 384 B", "last", "2 clamp"]
            {
                assert!(svg.contains(words), "{words}: {svg}");
            }
            assert!(svg.contains(&format!("arena: {} B", plan.arena_bytes)));
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
            assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        }
    }

    #[test]
    fn rows_have_boxes_of_their_own() {
        let graph = graph();
        let areas = |plan: &Plan| areas(&graph, plan, &Calls::new(&graph, plan));
        let whole = areas(&super::super::whole(&graph));
        assert_eq!(whole.len(), graph.nodes().len() + 1);
        let rows = areas(&rows::plan(&graph, &Options::default()).unwrap());
        assert!(rows.len() > 12, "{rows:?}");
        for (i, a) in rows.iter().enumerate() {
            // In place one ends in the step in which the other begins.
            let in_place = |b: &Area| b.bytes.start == a.bytes.start && b.steps.end == a.steps.start + 1;
            let shares = |b: &&Area| b.tensor != a.tensor && b.meets(a) && !in_place(b);
            assert_eq!(rows[..i].iter().find(shares), None, "{a:?}");
        }
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(short("block_7/relu", 12), "block_7/relu");
        assert_eq!(short("block_7/relu", 6), "…/relu");
    }
}
