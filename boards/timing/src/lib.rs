//! How many cycles a core would take for the instructions that an emulator executed: an estimate.
//!
//! An emulator knows instructions, no cycles. So the plugin `boards/icount` sorts each instruction that it counts into a
//! [`Class`] ([`Isa::decode`]), and a [`Table`] says what the manual of a core says: how many cycles an instruction of
//! each class takes. Their sum is the estimate ([`Tally::estimated_cycles`]).
//!
//! It tells kernels that take fewer instructions from kernels that take fewer, dearer ones. It leaves out what depends on
//! the chip and on data: wait states of flash, caches, contention for the bus, an instruction that waits for the result
//! of the one before, and cores that issue two instructions at a time. An instruction whose condition fails (Thumb's IT)
//! counts as if it were carried out.

mod class;
mod counter;
mod riscv;
mod tables;
mod thumb;

pub use class::{Class, Tally};
pub use counter::{Counter, Instruction};
pub use tables::{Table, table};

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Thumb with everything that Armv6-M, Armv7-M and Armv8.1-M have: DSP, VFP and Helium.
    Thumb,
    /// RV32IMAC.
    RiscV32,
}

/// What an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its class.
    pub class: Class,
    /// Words that it moves, if it is one of those that move several.
    pub n_words: u8,
}

impl Isa {
    /// The set of an emulator's target, as QEMU names it.
    pub fn of_target(name: &str) -> Option<Isa> {
        match name {
            "arm" => Some(Isa::Thumb),
            "riscv32" => Some(Isa::RiscV32),
            _ => None,
        }
    }

    /// How many bytes the instruction at the front has.
    pub fn n_bytes(self, bytes: &[u8]) -> usize {
        let wide = match (self, bytes) {
            (Isa::Thumb, [_, high, ..]) => high >> 3 >= 0b11101,
            (Isa::RiscV32, [low, ..]) => low & 3 == 3,
            _ => false,
        };
        if wide { 4 } else { 2 }
    }

    /// What the instruction with these bytes is; bytes that are none are [`Class::Other`], as whatever takes one cycle.
    pub fn decode(self, bytes: &[u8]) -> Decoded {
        let bytes = &bytes[..self.n_bytes(bytes).min(bytes.len())];
        let mut halfwords = bytes.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]]));
        let (first, second) = (halfwords.next().unwrap_or(0), halfwords.next());
        match self {
            Isa::Thumb => thumb::decode(first, second),
            Isa::RiscV32 => riscv::class(first, second).into(),
        }
    }
}

impl From<Class> for Decoded {
    fn from(class: Class) -> Decoded {
        Decoded { class, n_words: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_an_instruction_does_not_matter() {
        for (isa, bytes, class) in [
            (Isa::Thumb, [0x48, 0x43, 0x00, 0xbf], Class::Multiply),
            (Isa::Thumb, [0x02, 0xfb, 0x03, 0xf0], Class::Multiply),
            (Isa::RiscV32, [0xc8, 0x41, 0x03, 0x85], Class::Load),
            (Isa::RiscV32, [0x33, 0x85, 0xc5, 0x02], Class::Multiply),
        ] {
            assert_eq!(isa.decode(&bytes).class, class);
            assert_eq!(isa.decode(&[&bytes[..], &bytes].concat()).class, class);
        }
        assert_eq!(Isa::Thumb.decode(&[]).class, Class::Other);
    }
}
