//! How a tensor of the file lies in memory.
//!
//! ONNX has channels before pixels, the device pixels before channels; and much of a file moves dimensions about. None of
//! that is computed: a tensor of the file is a tensor of the graph and a *view* of it, the factors of its number of
//! elements in the order of memory, and which of them each axis consists of. Transpositions exchange axes, reshapes split
//! and join them. Only what needs another order in memory than there is moves elements.

use crate::graph::{Graph, TensorId};
use crate::{Result, ops::reshape::reshape_to};

use dunlin::ops::Transpose;

/// Axes, each of factors in the order of memory; no factor is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Sizes, outermost in memory first.
    factors: Vec<usize>,
    /// Indices of the factors of each axis of the file, outermost first.
    axes: Vec<Vec<usize>>,
}

impl View {
    /// Axes one behind another in memory.
    pub fn row_major(dims: &[usize]) -> View {
        View::in_order(dims, &(0..dims.len()).collect::<Vec<_>>())
    }

    /// Axes of `dims` that lie in memory in `order`, outermost first.
    pub fn in_order(dims: &[usize], order: &[usize]) -> View {
        let (mut factors, mut axes) = (Vec::new(), vec![Vec::new(); dims.len()]);
        for &axis in order.iter().filter(|&&axis| dims[axis] > 1) {
            axes[axis].push(factors.len());
            factors.push(dims[axis]);
        }
        View { factors, axes }
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.axes.len()
    }

    /// The axes' lengths.
    pub fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.iter().map(|&factor| self.factors[factor]).product()).collect()
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.factors.iter().product()
    }

    /// The same memory with axis `perm[i]` as axis `i`.
    pub fn transposed(&self, perm: &[usize]) -> View {
        View {
            factors: self.factors.clone(),
            axes: perm.iter().map(|&from| self.axes[from].clone()).collect(),
        }
    }

    /// The same memory with axes of `dims`, if each consists of whole factors or parts of them.
    pub fn reshaped(&self, dims: &[usize]) -> Option<View> {
        let mut split: Vec<Vec<usize>> = self.factors.iter().map(|_| Vec::new()).collect();
        let mut left: Vec<(usize, usize)> =
            self.axes.iter().flatten().rev().map(|&factor| (factor, self.factors[factor])).collect();
        let mut parts = Vec::new();
        for &dim in dims {
            let (mut missing, mut axis) = (dim, Vec::new());
            while missing > 1 {
                let (factor, size) = left.pop()?;
                let part = if missing % size == 0 { size } else { missing };
                if size % part != 0 {
                    return None;
                }
                axis.push((factor, split[factor].len()));
                split[factor].push(part);
                if part < size {
                    left.push((factor, size / part));
                }
                missing /= part;
            }
            parts.push(axis);
        }
        if !left.is_empty() {
            return None;
        }
        let starts: Vec<usize> = split
            .iter()
            .scan(0, |start, parts| Some(std::mem::replace(start, *start + parts.len())))
            .collect();
        let axes = parts.into_iter().map(|axis| axis.into_iter().map(|(f, i)| starts[f] + i).collect());
        Some(View { factors: split.concat(), axes: axes.collect() }.joined())
    }

    /// With factors joined that are neighbours in memory and in their axis: views that mean the same are equal.
    fn joined(self) -> View {
        let follows = |k: usize| {
            self.axes.iter().any(|axis| axis.windows(2).any(|pair| pair == [k.wrapping_sub(1), k]))
        };
        let mut factors: Vec<usize> = Vec::new();
        let mut places = Vec::new();
        for (k, &factor) in self.factors.iter().enumerate() {
            match factors.last_mut() {
                Some(last) if follows(k) => {
                    *last *= factor;
                    places.push(None);
                }
                _ => {
                    places.push(Some(factors.len()));
                    factors.push(factor);
                }
            }
        }
        let axes = self.axes.iter().map(|axis| axis.iter().filter_map(|&k| places[k]).collect()).collect();
        View { factors, axes }
    }

    /// The same axes, with those in `without` of length 1.
    pub fn without(&self, without: impl Fn(usize) -> bool) -> View {
        let kept: Vec<usize> = self.in_memory(|axis| !without(axis));
        let place = |factor: &usize| kept.iter().position(|kept| kept == factor);
        View {
            factors: kept.iter().map(|&factor| self.factors[factor]).collect(),
            axes: self.axes.iter().map(|axis| axis.iter().filter_map(place).collect()).collect(),
        }
        .joined()
    }

    /// With an axis of length 1 at `place`.
    pub fn with_axis(&self, place: usize) -> View {
        let mut axes = self.axes.clone();
        axes.insert(place, Vec::new());
        View { factors: self.factors.clone(), axes }
    }

    /// With axis `axis`, which has length 1, in another length and innermost in memory.
    pub fn with_innermost(&self, axis: usize, len: usize) -> View {
        let mut view = self.clone();
        if len > 1 {
            view.axes[axis].push(view.factors.len());
            view.factors.push(len);
        }
        view
    }

    /// Dimensions for the memory, each of elements of which `is` is the same: `dims` if they are such, else as few as it takes.
    pub fn layout(&self, dims: &[usize], is: impl Fn(usize) -> bool) -> Vec<usize> {
        let is_of = self.owners().into_iter().map(is).collect::<Vec<bool>>();
        let is_even =
            |run: &std::ops::Range<usize>| is_of[run.clone()].windows(2).all(|pair| pair[0] == pair[1]);
        if self.runs(dims).is_some_and(|runs| runs.iter().all(is_even)) {
            return dims.to_vec();
        }
        let mut dims: Vec<usize> = Vec::new();
        for (factor, &size) in self.factors.iter().enumerate() {
            match dims.last_mut() {
                Some(last) if is_of[factor] == is_of[factor - 1] => *last *= size,
                _ => dims.push(size),
            }
        }
        if dims.is_empty() { vec![1] } else { dims }
    }

    /// Which of the dimensions of a [`View::layout`] consist of axes that `is` holds for.
    pub fn marked(&self, layout: &[usize], is: impl Fn(usize) -> bool) -> Vec<bool> {
        let (owners, runs) = (self.owners(), self.runs(layout).unwrap_or_default());
        runs.into_iter().map(|run| run.clone().any(|factor| is(owners[factor]))).collect()
    }

    /// Without axis `axis`, which has length 1.
    pub fn without_axis(&self, axis: usize) -> View {
        let mut axes = self.axes.clone();
        axes.remove(axis);
        View { factors: self.factors.clone(), axes }
    }

    /// The factors of some axes in the order of memory.
    fn in_memory(&self, of: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut factors: Vec<usize> = self.axes_where(of).flatten().copied().collect();
        factors.sort_unstable();
        factors
    }

    fn axes_where(&self, of: impl Fn(usize) -> bool) -> impl Iterator<Item = &Vec<usize>> {
        self.axes.iter().enumerate().filter(move |(axis, _)| of(*axis)).map(|(_, factors)| factors)
    }

    /// Whether some axes are innermost in memory, whatever the order of their factors.
    pub fn has_innermost(&self, of: impl Fn(usize) -> bool) -> bool {
        let inner = self.in_memory(of);
        inner.first().is_none_or(|&first| first + inner.len() == self.factors.len())
    }

    /// Whether axis 1, whose length is not 1, is innermost in memory, and another one is not.
    pub fn has_channels_last(&self) -> bool {
        let n_factors = self.axes.get(1).map_or(0, Vec::len);
        n_factors > 0 && n_factors < self.factors.len() && self.has_innermost(|axis| axis == 1)
    }

    /// An order of the axes in which they lie in memory, if each lies there in one piece. Axes of length 1 stand behind the
    /// axis before them.
    pub fn order(&self) -> Option<Vec<usize>> {
        if !self.axes.iter().all(|axis| axis.len() <= 1) {
            return None;
        }
        let mut order: Vec<usize> = (0..self.rank()).filter(|&axis| !self.axes[axis].is_empty()).collect();
        order.sort_by_key(|&axis| self.axes[axis][0]);
        for axis in (0..self.rank()).filter(|&axis| self.axes[axis].is_empty()) {
            let before = axis.checked_sub(1).and_then(|before| order.iter().position(|&each| each == before));
            order.insert(before.map_or(0, |place| place + 1), axis);
        }
        Some(order)
    }

    /// The factors of each of `dims`, into which memory is divided, if they are whole ones.
    pub fn runs(&self, dims: &[usize]) -> Option<Vec<std::ops::Range<usize>>> {
        let mut start = 0;
        let mut runs = Vec::new();
        for &dim in dims {
            let (mut end, mut size) = (start, 1);
            while size < dim {
                size *= *self.factors.get(end)?;
                end += 1;
            }
            if size != dim {
                return None;
            }
            runs.push(start..end);
            start = end;
        }
        (start == self.factors.len()).then_some(runs)
    }

    /// The factors.
    pub fn factors(&self) -> &[usize] {
        &self.factors
    }

    /// The axis that each factor is of.
    pub fn owners(&self) -> Vec<usize> {
        let mut owners = vec![0; self.factors.len()];
        for (axis, factors) in self.axes.iter().enumerate() {
            factors.iter().for_each(|&factor| owners[factor] = axis);
        }
        owners
    }

    /// The factors of this view in the order in which they lie in `other`, which has the same dimensions, and both with
    /// factors split so that they are the same: the order, and this view's sizes. `None` if that cannot be, which is not
    /// where every axis of either is of one factor.
    fn order_in(&self, other: &View) -> Option<(Vec<usize>, Vec<usize>)> {
        let (mine, others) = (self.split_as(other)?, other.split_as(self)?);
        let mut order = vec![0; mine.factors.len()];
        for (mine, others) in mine.axes.iter().flatten().zip(others.axes.iter().flatten()) {
            order[*others] = *mine;
        }
        Some((order, mine.factors))
    }

    /// With factors split where `other`, of the same dimensions, has an end of one.
    fn split_as(&self, other: &View) -> Option<View> {
        let mut split: Vec<Vec<usize>> = vec![Vec::new(); self.factors.len()];
        let mut counts = Vec::new();
        for (mine, others) in self.axes.iter().zip(&other.axes) {
            // Numbers of elements of the axis behind each end of a factor.
            let ends = |view: &View, axis: &[usize]| {
                let mut size = 1;
                let sizes = axis.iter().rev().map(|&factor| {
                    size *= view.factors[factor];
                    size
                });
                sizes.collect::<Vec<usize>>()
            };
            let foreign = ends(other, others);
            let (mut inner, mut of_axis) = (1, Vec::new());
            for (&factor, outer) in mine.iter().rev().zip(ends(self, mine)) {
                let mut parts = Vec::new();
                let inside = foreign.iter().copied().filter(|&end| end > inner && end < outer);
                for end in inside.collect::<Vec<_>>().into_iter().chain([outer]) {
                    if end % inner != 0 {
                        return None;
                    }
                    parts.push(end / inner);
                    inner = end;
                }
                parts.reverse();
                of_axis.push((factor, parts.len()));
                split[factor] = parts;
            }
            of_axis.reverse();
            counts.push(of_axis);
        }
        let starts: Vec<usize> = split
            .iter()
            .scan(0, |start, parts| Some(std::mem::replace(start, *start + parts.len())))
            .collect();
        let axes = counts.into_iter().map(|axis| {
            axis.into_iter().flat_map(|(factor, n)| starts[factor]..starts[factor] + n).collect()
        });
        Some(View { factors: split.concat(), axes: axes.collect() })
    }

    /// For every element in the order of this view's memory its place among those of the tensor in the order of its axes.
    pub fn places(&self) -> Vec<usize> {
        let Some((order, sizes)) = self.order_in(&View::row_major(&self.dims())) else { return Vec::new() };
        // From one element to the next along each of this view's factors.
        let mut steps = vec![0; sizes.len()];
        let mut step = 1;
        for &factor in order.iter().rev() {
            steps[factor] = step;
            step *= sizes[factor];
        }
        let mut places = vec![0];
        for (size, step) in sizes.iter().zip(&steps) {
            places = places.iter().flat_map(|&place| (0..*size).map(move |i| place + i * step)).collect();
        }
        places
    }

    /// Appends what moves the elements of `x`, which this is a view of, to the order of `other`; `x` itself if they are in it.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn moved(&self, graph: &mut Graph, name: &str, x: TensorId, other: &View) -> Result<TensorId> {
        let Some((order, sizes)) = self.order_in(other) else {
            let plain = View::row_major(&self.dims());
            let x = self.moved(graph, name, x, &plain)?;
            return plain.moved(graph, name, x, other);
        };
        let mut x = x;
        let mut current: Vec<usize> = (0..order.len()).collect();
        while current != order {
            let blocks = blocks(&current, &order);
            let size = |factors: &[usize]| factors.iter().map(|&factor| sizes[factor]).product::<usize>();
            if blocks.len() <= 4 {
                let dims: Vec<usize> = blocks.iter().map(|block| size(block)).collect();
                let mut wanted: Vec<usize> = (0..blocks.len()).collect();
                wanted.sort_by_key(|&i| order.iter().position(|&factor| factor == blocks[i][0]));
                let mut perm = [0, 1, 2, 3];
                perm.iter_mut().zip(&wanted).for_each(|(slot, &from)| *slot = from as u8);
                return transposed(graph, name, x, &dims, perm);
            }
            // The first block that is not in its place goes there; those between it move behind.
            let at = current.iter().zip(&order).take_while(|(have, want)| have == want).count();
            let from = current.iter().position(|factor| *factor == order[at]).unwrap_or(at);
            let n = blocks.iter().find(|block| block[0] == order[at]).map_or(1, Vec::len);
            let parts = [&current[..at], &current[at..from], &current[from..from + n], &current[from + n..]];
            x = transposed(graph, name, x, &parts.map(size), [0, 2, 1, 3])?;
            current = [parts[0], parts[2], parts[1], parts[3]].concat();
        }
        Ok(x)
    }
}

fn transposed(graph: &mut Graph, name: &str, x: TensorId, dims: &[usize], perm: [u8; 4]) -> Result<TensorId> {
    let x = match graph.dims(x) == dims {
        true => x,
        false => graph.apply(&format!("{name}/blocks"), reshape_to(dims)?, &[x])?,
    };
    graph.apply(&format!("{name}/moved"), Transpose { perm }, &[x])
}

/// The factors in the order of `current`, those together that follow each other in `order`, too.
fn blocks(current: &[usize], order: &[usize]) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    for &factor in current {
        let follows = |last: &usize| order.windows(2).any(|pair| pair == [*last, factor]);
        match blocks.last_mut() {
            Some(block) if block.last().is_some_and(follows) => block.push(factor),
            _ => blocks.push(vec![factor]),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Program};

    /// An image `[n, c, h, w]` with its channels last.
    fn image(dims: &[usize; 4]) -> View {
        View::in_order(dims, &[0, 2, 3, 1])
    }

    #[test]
    fn axes_are_split_and_joined_where_they_lie() {
        let view = image(&[1, 6, 2, 4]);
        assert_eq!((view.dims(), view.factors()), (vec![1, 6, 2, 4], &[2, 4, 6][..]));
        let flat = view.reshaped(&[1, 48]).unwrap();
        assert_eq!((flat.dims(), flat.factors()), (vec![1, 48], &[8, 6][..]));
        assert_eq!(flat.reshaped(&[1, 6, 2, 4]).unwrap(), view);
        let groups = view.reshaped(&[1, 3, 2, 2, 4]).unwrap();
        assert_eq!(groups.factors(), [2, 4, 3, 2]);
        let shuffled = groups.transposed(&[0, 2, 1, 3, 4]).reshaped(&[1, 6, 2, 4]).unwrap();
        assert_eq!(shuffled.places()[..6], [0, 24, 8, 32, 16, 40]);
        // Rows and channels do not lie side by side.
        assert_eq!(view.reshaped(&[4, 12]), None);
        assert_eq!(view.reshaped(&[1, 6, 2, 5]), None);
        assert_eq!(View::row_major(&[4, 1, 6]).reshaped(&[2, 12, 1]), Some(View::row_major(&[2, 12, 1])));
    }

    #[test]
    fn neighbours_are_one_factor() {
        assert_eq!(View::row_major(&[2, 3]).reshaped(&[6]).unwrap().factors(), [6]);
        assert_eq!(image(&[1, 1, 2, 4]), View::row_major(&[1, 1, 2, 4]));
        assert_eq!(image(&[1, 5, 2, 4]).without(|axis| axis == 2).order(), Some(vec![0, 3, 1, 2]));
        assert!(image(&[1, 5, 2, 4]).has_innermost(|axis| axis == 1));
        assert!(!image(&[1, 5, 2, 4]).has_innermost(|axis| axis == 2));
    }

    /// Elements moved by nodes are where the views say.
    #[test]
    fn elements_move_where_the_views_say() {
        let dims = [2, 3, 2, 4, 3];
        let orders: [[usize; 5]; 4] = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 1, 4, 0, 2], [1, 0, 4, 2, 3]];
        for (from, to) in orders.iter().flat_map(|from| orders.iter().map(move |to| (from, to))) {
            let (from, to) = (View::in_order(&dims, from), View::in_order(&dims, to));
            let mut graph = Graph::new("moved");
            let x = graph.input("x", &[from.count()]).unwrap();
            let moved = from.moved(&mut graph, "moved", x, &to).unwrap();
            assert_eq!(moved == x, from == to);
            let flat = graph.reshape("flat", moved, &[from.count()]).unwrap();
            let y = if flat == x { graph.scale("y", x, 1.0).unwrap() } else { flat };
            graph.mark_output(y);
            let input = Data::F32(from.places().iter().map(|&place| place as f32).collect());
            let output = Program::compile(&graph).unwrap().run(&[input]).unwrap();
            let wanted: Vec<f32> = to.places().iter().map(|&place| place as f32).collect();
            assert_eq!(output[0].as_f32().unwrap(), wanted);
        }
    }
}
