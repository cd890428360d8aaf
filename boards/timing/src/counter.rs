//! Counting instructions as they are executed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Class, Decoded, Tally};

/// An executed instruction, in the 64 bits that fit into a callback's argument: from below the class, the words, the
/// length in bytes and the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction(u64);

impl Instruction {
    /// An instruction of `n_bytes` at `address`; `None` is one that does nothing and is not counted.
    pub fn new(address: u32, n_bytes: usize, decoded: Option<Decoded>) -> Instruction {
        let (class, n_words) = decoded.map_or((Class::N as u8, 0), |it| (it.class as u8, it.n_words));
        Instruction(
            u64::from(address) << 32
                | (n_bytes as u64 & 0xff) << 16
                | u64::from(n_words) << 8
                | u64::from(class),
        )
    }

    /// From the bits.
    pub fn from_bits(bits: u64) -> Instruction {
        Instruction(bits)
    }

    /// The bits.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    fn class(self) -> usize {
        (self.0 & 0xff) as usize
    }

    fn n_words(self) -> u64 {
        self.0 >> 8 & 0xff
    }

    fn address(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn end(self) -> u32 {
        self.address().wrapping_add((self.0 >> 16 & 0xff) as u32)
    }
}

/// Counts what one core executes. Its methods take `&self`, so that it can be a static, but one thread at a time calls
/// them: additions are not locked.
pub struct Counter {
    counts: [AtomicU64; Class::N],
    /// The bits of the instruction before; 0, which is no instruction, before the first.
    previous: AtomicU64,
}

impl Counter {
    /// A counter at 0.
    pub const fn new() -> Counter {
        Counter { counts: [const { AtomicU64::new(0) }; Class::N], previous: AtomicU64::new(0) }
    }

    /// Counts an instruction, and how the one before led to it.
    pub fn execute(&self, instruction: Instruction) {
        const LOAD: usize = Class::Load as usize;
        let previous = Instruction(self.previous.load(Relaxed));
        self.previous.store(instruction.0, Relaxed);
        let mut class = instruction.class();
        if previous.end() == instruction.address() {
            if class == LOAD && previous.class() == LOAD {
                class = Class::NextLoad as usize;
            }
        } else if previous.class() != Class::LoopEnd as usize && previous.0 != 0 {
            self.add(Class::Refill as usize, 1);
        }
        self.add(class, 1);
        if instruction.n_words() > 0 {
            self.add(Class::Word as usize, instruction.n_words());
        }
    }

    /// What was executed so far.
    pub fn tally(&self) -> Tally {
        Tally::new(std::array::from_fn(|index| self.counts[index].load(Relaxed)))
    }

    /// Adds to a class; what has none is not counted.
    fn add(&self, class: usize, n: u64) {
        if let Some(count) = self.counts.get(class) {
            count.store(count.load(Relaxed) + n, Relaxed);
        }
    }
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, table};

    /// What is counted when these instructions, each at its address, are executed in this order.
    fn executed(isa: Isa, trace: &[(u32, u32)]) -> Tally {
        let counter = Counter::new();
        for &(address, code) in trace {
            let bytes = match (isa, code) {
                (Isa::Thumb, 0..=0xffff) | (Isa::RiscV32, 0..=0xffff) => (code as u16).to_le_bytes().to_vec(),
                (Isa::Thumb, _) => code.rotate_left(16).to_le_bytes().to_vec(),
                (Isa::RiscV32, _) => code.to_le_bytes().to_vec(),
            };
            counter.execute(Instruction::new(address, bytes.len(), Some(isa.decode(&bytes))));
        }
        counter.tally()
    }

    fn estimate(tally: &Tally, core: &str) -> u64 {
        tally.estimated_cycles(table(core).unwrap())
    }

    #[test]
    fn a_loop_with_loads_takes_what_the_manuals_say() {
        let turn = [
            (0x102, 0x4801), // ldr r0, [pc, #4]
            (0x104, 0x5888), // ldr r0, [r1, r2]: neighbour of a load
            (0x106, 0x6048), // str r0, [r1, #4]
            (0x108, 0x3b01), // subs r3, #1
            (0x10a, 0xd1fa), // bne 0x102
        ];
        let start = (0x100, 0x2302); // movs r3, #2
        let trace: Vec<_> = [start].into_iter().chain(turn).chain(turn).collect();
        let tally = executed(Isa::Thumb, &trace);
        assert_eq!(tally.instructions(), 11);
        assert_eq!((tally[Class::Load], tally[Class::NextLoad], tally[Class::Refill]), (2, 2, 1));
        // movs, two turns, and the refill after the branch that is taken.
        assert_eq!(estimate(&tally, "cortex-m4"), 1 + 2 * (2 + 1 + 1 + 1 + 1) + 2);
        assert_eq!(estimate(&tally, "cortex-m0"), 1 + 2 * (2 + 2 + 2 + 1 + 1) + 2);
        assert_eq!(estimate(&tally, "cortex-m0plus"), 1 + 2 * (2 + 2 + 2 + 1 + 1) + 1);
    }

    #[test]
    fn a_call_takes_what_the_manuals_say() {
        let tally = executed(
            Isa::Thumb,
            &[
                (0x100, 0xf000_f87e), // bl 0x200
                (0x200, 0xb530),      // push {r4, r5, lr}
                (0x202, 0xfb82_0103), // smull r0, r1, r2, r3
                (0x206, 0xbd30),      // pop {r4, r5, pc}
                (0x104, 0xbf00),      // nop
            ],
        );
        assert_eq!((tally.instructions(), tally[Class::Word], tally[Class::Refill]), (5, 6, 2));
        // BL 1 + P, PUSH 1 + N, SMULL, POP 1 + N + P, NOP.
        assert_eq!(estimate(&tally, "cortex-m4"), 3 + 4 + 1 + 6 + 1);
        assert_eq!(estimate(&tally, "cortex-m3"), 3 + 4 + 4 + 6 + 1);
        // BL 4, PUSH 1 + N, (no SMULL), POP 4 + N, NOP.
        assert_eq!(estimate(&tally, "cortex-m0"), 4 + 4 + 1 + 7 + 1);
        assert_eq!(estimate(&tally, "cortex-m0plus"), 3 + 4 + 1 + 6 + 1);
    }

    #[test]
    fn the_turns_of_a_low_overhead_loop_refill_nothing() {
        let turn = [
            (0x104, 0xecb0_1f04), // vldrw.u32 q0, [r0], #16
            (0x108, 0xeef0_0f22), // vmlava.s8 r0, q0, q1
            (0x10c, 0xf00f_c009), // le lr, 0x104
        ];
        let start = (0x100, 0xf042_e001); // dls lr, r2
        let trace: Vec<_> = [start].into_iter().chain(turn).chain(turn).chain([(0x110, 0xbf00)]).collect();
        let tally = executed(Isa::Thumb, &trace);
        assert_eq!((tally.instructions(), tally[Class::Refill]), (8, 0));
        assert_eq!(estimate(&tally, "cortex-m55"), 1 + 2 * (2 + 2 + 1) + 1);
    }

    #[test]
    fn a_loop_on_riscv_takes_what_the_table_says() {
        let turn = [
            (0x100, 0x0045_a503), // lw a0, 4(a1)
            (0x104, 0x02c5_0533), // mul a0, a0, a2
            (0x108, 0xc1c8),      // c.sw a0, 4(a1)
            (0x10a, 0xf975),      // c.bnez a0, 0xfe
        ];
        let tally = executed(Isa::RiscV32, &[turn, turn].concat());
        assert_eq!((tally.instructions(), tally[Class::Refill]), (8, 1));
        assert_eq!(estimate(&tally, "riscv32"), 2 * (2 + 1 + 1 + 1) + 1);
    }

    #[test]
    fn what_has_no_class_is_not_counted_but_led_to() {
        let counter = Counter::new();
        let branch = Isa::Thumb.decode(&[0xfe, 0xe7]);
        counter.execute(Instruction::new(0x100, 2, Some(branch)));
        counter.execute(Instruction::new(0x200, 2, None));
        let tally = counter.tally();
        assert_eq!((tally.instructions(), tally[Class::Refill]), (1, 1));
    }
}
