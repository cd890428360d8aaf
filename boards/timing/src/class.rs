//! The classes of instructions, and how many of each were executed.

use std::iter::Sum;
use std::ops::{AddAssign, Index, IndexMut, Sub};

use crate::Table;

/// What the tables tell apart. The last two are no instructions: they are counted beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Everything that is not named here: arithmetic, logic, moves, shifts, DSP products without a class of their own.
    Other,
    /// Load of one register.
    Load,
    /// The same, right after another.
    NextLoad,
    /// Store of one register.
    Store,
    /// LDM, POP, LDRD, VLDM, VPOP, VLDR; the words are counted beside it.
    LoadMultiple,
    /// POP and LDM that end in a jump; the words are counted beside it.
    Return,
    /// STM, PUSH, STRD, VSTM, VPUSH, VSTR; the words are counted beside it.
    StoreMultiple,
    /// A product of 32 bits.
    Multiply,
    /// MLA and MLS.
    MultiplyAccumulate,
    /// A product of 64 bits, or its upper half.
    MultiplyLong,
    /// A product of 64 bits and a sum.
    MultiplyLongAccumulate,
    /// Division and remainder of integers.
    Divide,
    /// Branches, whether they are taken or not, and jumps.
    Branch,
    /// BL, on Arm.
    Call,
    /// TBB and TBH.
    TableBranch,
    /// LE and LETP, which end a low-overhead loop.
    LoopEnd,
    /// Special registers and barriers.
    System,
    /// VFP arithmetic without a class of its own, and moves of one register.
    Float,
    /// VFP multiply-accumulate.
    FloatMultiplyAccumulate,
    /// VFP division and square root.
    FloatDivide,
    /// VMOV of two core registers at a time.
    MovePair,
    /// Helium: arithmetic on a vector.
    Vector,
    /// Helium: load of a vector.
    VectorLoad,
    /// Helium: store of a vector.
    VectorStore,
    /// Beside instructions: a word of those that move several.
    Word,
    /// Beside instructions: an instruction that is not where the one before ends, but for the start of a low-overhead
    /// loop's next turn.
    Refill,
}

impl Class {
    /// How many there are.
    pub const N: usize = Class::Refill as usize + 1;

    /// All, in the order of their numbers, with the names that reports use.
    pub const ALL: [(Class, &str); Class::N] = [
        (Class::Other, "other"),
        (Class::Load, "load"),
        (Class::NextLoad, "next_load"),
        (Class::Store, "store"),
        (Class::LoadMultiple, "load_multiple"),
        (Class::Return, "return"),
        (Class::StoreMultiple, "store_multiple"),
        (Class::Multiply, "multiply"),
        (Class::MultiplyAccumulate, "multiply_accumulate"),
        (Class::MultiplyLong, "multiply_long"),
        (Class::MultiplyLongAccumulate, "multiply_long_accumulate"),
        (Class::Divide, "divide"),
        (Class::Branch, "branch"),
        (Class::Call, "call"),
        (Class::TableBranch, "table_branch"),
        (Class::LoopEnd, "loop_end"),
        (Class::System, "system"),
        (Class::Float, "float"),
        (Class::FloatMultiplyAccumulate, "float_multiply_accumulate"),
        (Class::FloatDivide, "float_divide"),
        (Class::MovePair, "move_pair"),
        (Class::Vector, "vector"),
        (Class::VectorLoad, "vector_load"),
        (Class::VectorStore, "vector_store"),
        (Class::Word, "word"),
        (Class::Refill, "refill"),
    ];

    /// Whether it is an instruction, and not counted beside one.
    pub const fn is_instruction(self) -> bool {
        !matches!(self, Class::Word | Class::Refill)
    }
}

/// How many of each class were executed, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(transparent))]
pub struct Tally([u64; Class::N]);

impl Tally {
    /// From the counts in the order of [`Class::ALL`].
    pub fn new(counts: [u64; Class::N]) -> Tally {
        Tally(counts)
    }

    /// The counts in the order of [`Class::ALL`].
    pub fn counts(&self) -> &[u64; Class::N] {
        &self.0
    }

    /// Executed instructions: exact.
    pub fn instructions(&self) -> u64 {
        Class::ALL.iter().filter(|(class, _)| class.is_instruction()).map(|(class, _)| self[*class]).sum()
    }

    /// Cycles, as the core's table has them: an estimate (see the crate).
    pub fn estimated_cycles(&self, table: &Table) -> u64 {
        Class::ALL.iter().map(|(class, _)| self[*class] * table.cycles(*class)).sum()
    }
}

impl Index<Class> for Tally {
    type Output = u64;

    fn index(&self, class: Class) -> &u64 {
        &self.0[class as usize]
    }
}

impl IndexMut<Class> for Tally {
    fn index_mut(&mut self, class: Class) -> &mut u64 {
        &mut self.0[class as usize]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

impl Sub for Tally {
    type Output = Tally;

    fn sub(self, earlier: Tally) -> Tally {
        Tally(std::array::from_fn(|index| self.0[index] - earlier.0[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_listed_by_number_and_named_once() {
        for (index, (class, name)) in Class::ALL.iter().enumerate() {
            assert_eq!(*class as usize, index);
            assert_eq!(Class::ALL.iter().filter(|(_, other)| other == name).count(), 1, "{name}");
        }
    }
}
