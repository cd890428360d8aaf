// Made by make.py: do not edit.

mod algebra;
mod arithmetic;
mod comparisons;
mod conversion;
mod creation;
mod functions;
mod joins;
mod order;
mod reductions;
mod shapes;
mod slices;
mod transforms;

use super::*;

pub(super) const PARTS: [fn(&mut Goldens) -> Result<()>; 15] = [
    creation::all,
    conversion::all,
    slices::all,
    shapes::all,
    arithmetic::part_0,
    arithmetic::part_1,
    functions::part_0,
    functions::part_1,
    comparisons::all,
    reductions::part_0,
    reductions::part_1,
    order::all,
    joins::all,
    algebra::all,
    transforms::all,
];
