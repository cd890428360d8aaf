//! Cycles by class, core by core.
//!
//! The manuals count with memory that answers at once. Where they give a range, the tables hold its middle, rounded up:
//! a refill of the pipeline takes 1 to 3 cycles on the Cortex-M3 and M4, a division 2 to 12.

use Class::*;

use crate::Class;

/// How many cycles the instructions of each class take on a core.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Whose it is, where from, and for what it stands in.
    pub source: &'static str,
    cycles: [u8; Class::N],
}

impl Table {
    /// Cycles of an instruction of this class.
    pub fn cycles(&self, class: Class) -> u64 {
        self.cycles[class as usize].into()
    }
}

/// The table for a core, by the name that boards give it.
pub fn table(core: &str) -> Option<&'static Table> {
    Some(match core {
        "cortex-m0" => &CORTEX_M0,
        "cortex-m0plus" => &CORTEX_M0PLUS,
        "armv6m" => &ARMV6M,
        "cortex-m3" => &CORTEX_M3,
        "cortex-m4" => &CORTEX_M4,
        "cortex-m7" => &CORTEX_M7,
        "cortex-m33" => &CORTEX_M33,
        "cortex-m55" => &CORTEX_M55,
        "riscv32" => &RISCV32,
        _ => return None,
    })
}

/// One cycle for each instruction, nothing for what is counted beside them.
const ONE: [u8; Class::N] = {
    let mut cycles = [1; Class::N];
    cycles[Word as usize] = 0;
    cycles[Refill as usize] = 0;
    cycles
};

/// `base` but for these.
const fn with<const N: usize>(base: [u8; Class::N], changes: [(Class, u8); N]) -> [u8; Class::N] {
    let mut cycles = base;
    let mut index = 0;
    while index < N {
        cycles[changes[index].0 as usize] = changes[index].1;
        index += 1;
    }
    cycles
}

static CORTEX_M0: Table = Table {
    source: "Cortex-M0 Technical Reference Manual (DDI 0432), section 3.3, with the multiplier of one cycle",
    cycles: M0_CYCLES,
};

const M0_CYCLES: [u8; Class::N] = with(
    ONE,
    [
        (Load, 2),
        (NextLoad, 2),
        (Store, 2),
        // 1 + N; POP with the PC 4 + N, BL 4, other branches that are taken 3: all with the refill.
        (Word, 1),
        (Return, 2),
        (Call, 2),
        (Refill, 2),
        // MRS, MSR and barriers.
        (System, 4),
    ],
);

static CORTEX_M0PLUS: Table = Table {
    source: "Cortex-M0+ Technical Reference Manual (DDI 0484), section 3.3, with the multiplier of one cycle",
    // POP with the PC 3 + N, BL 3, other branches that are taken 2.
    cycles: with(M0_CYCLES, [(Refill, 1), (System, 3)]),
};

static ARMV6M: Table = Table {
    source: "Cortex-M0 Technical Reference Manual (DDI 0432), section 3.3, with the multiplier of one cycle; of the \
             cores with Armv6-M it is the slower one",
    cycles: M0_CYCLES,
};

static CORTEX_M3: Table = Table {
    source: "Cortex-M3 Technical Reference Manual (DDI 0337), sections 3.3.1 and 3.3.2",
    cycles: M3_CYCLES,
};

const M3_CYCLES: [u8; Class::N] = with(
    ONE,
    [
        // The next load's address goes out while this one's data comes in; what a store writes is not waited for.
        (Load, 2),
        (NextLoad, 1),
        (Store, 1),
        (Word, 1),
        (MultiplyAccumulate, 2),
        // 3 to 5, 4 to 7, 2 to 12.
        (MultiplyLong, 4),
        (MultiplyLongAccumulate, 6),
        (Divide, 7),
        (TableBranch, 2),
        // 1 to 3.
        (Refill, 2),
    ],
);

static CORTEX_M4: Table = Table {
    source: "Cortex-M4 Technical Reference Manual (DDI 0439), sections 3.3.1, 3.3.2 and 7.2.3",
    cycles: M4_CYCLES,
};

const M4_CYCLES: [u8; Class::N] = with(
    M3_CYCLES,
    [
        (MultiplyAccumulate, 1),
        (MultiplyLong, 1),
        (MultiplyLongAccumulate, 1),
        (FloatMultiplyAccumulate, 3),
        (FloatDivide, 14),
        (MovePair, 2),
    ],
);

static CORTEX_M7: Table = Table {
    source: "the Cortex-M4's, as Arm publishes none for the Cortex-M7: it has the same instructions, and issues up to two \
             at a time, so it takes fewer",
    cycles: M4_CYCLES,
};

static CORTEX_M33: Table = Table {
    source: "the Cortex-M4's, as Arm publishes none for the Cortex-M33: it has a pipeline of the same kind, and issues \
             some pairs of short instructions at a time",
    cycles: M4_CYCLES,
};

static CORTEX_M55: Table = Table {
    source: "the Cortex-M4's and two cycles for each Helium instruction, as Arm publishes none for the Cortex-M55: it \
             does two of a vector's four beats in a cycle (Arm, Introduction to the Cortex-M55 Processor); that beats \
             of neighbouring instructions overlap is not counted",
    cycles: with(
        M4_CYCLES,
        [
            (Vector, 2),
            (VectorLoad, 2),
            (VectorStore, 2),
            // The core remembers where the loop ends and begins: no refill, and mostly no instruction.
            (LoopEnd, 1),
        ],
    ),
};

static RISCV32: Table = Table {
    source: "Hazard3, the RISC-V core of the RP2350 (its documentation, Instruction Cycle Counts): of cores with \
             riscv32imc in chips that are sold, one whose maker publishes a table",
    cycles: with(
        ONE,
        [
            // 1 or 2: 2 if the next instruction needs what was loaded.
            (Load, 2),
            (NextLoad, 2),
            // 18 or 19.
            (Divide, 19),
            // 1 where the branch is not predicted; one branch is.
            (Refill, 1),
        ],
    ),
};
