//! RV32IMAC.
//!
//! Source: The RISC-V Instruction Set Manual, volume I, "RV32/64G Instruction Set Listings" and "RVC Instruction Set
//! Listings".

use crate::Class;

/// The class of the instruction with these halfwords.
pub fn class(first: u16, second: Option<u16>) -> Class {
    if first & 3 == 3 { full(first, second.unwrap_or(0)) } else { compressed(first) }
}

fn full(first: u16, second: u16) -> Class {
    let funct3 = first >> 12 & 7;
    match first & 0x7f {
        // LB, LH, LW, LBU, LHU; LR.W and the atomic operations.
        0x03 | 0x2f => Class::Load,
        0x23 => Class::Store,
        // BEQ and its like; JALR; JAL.
        0x63 | 0x67 | 0x6f => Class::Branch,
        // OP with funct7 = 1.
        0x33 if second >> 9 == 1 => match funct3 {
            0 => Class::Multiply,
            1..=3 => Class::MultiplyLong,
            _ => Class::Divide,
        },
        // FENCE; ECALL, EBREAK and the control and status registers.
        0x0f | 0x73 => Class::System,
        _ => Class::Other,
    }
}

fn compressed(first: u16) -> Class {
    let (quadrant, funct3) = (first & 3, first >> 13);
    match (quadrant, funct3) {
        // C.LW, C.LWSP.
        (0 | 2, 2) => Class::Load,
        // C.SW, C.SWSP.
        (0 | 2, 6) => Class::Store,
        // C.JAL, C.J, C.BEQZ, C.BNEZ.
        (1, 1 | 5 | 6 | 7) => Class::Branch,
        // C.JR and C.JALR: a register, and no second one.
        (2, 4) if first & 0xf80 != 0 && first & 0x7c == 0 => Class::Branch,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::*;

    #[test]
    fn instructions_have_their_classes() {
        // Encodings by LLVM's assembler.
        for (text, code, expected) in [
            ("lb a0, 4(a1)", 0x0045_8503_u32, Load),
            ("lhu a0, 4(a1)", 0x0045_d503, Load),
            ("sw a0, 2000(a1)", 0x7ca5_a823, Store),
            ("beq a0, t6, 8", 0x01f5_0463, Branch),
            ("jal t0, 2048", 0x0010_02ef, Branch),
            ("jalr t0, 4(a0)", 0x0045_02e7, Branch),
            ("mul a0, a1, a2", 0x02c5_8533, Multiply),
            ("mulh a0, a1, a2", 0x02c5_9533, MultiplyLong),
            ("mulhu a0, a1, a2", 0x02c5_b533, MultiplyLong),
            ("div a0, a1, a2", 0x02c5_c533, Divide),
            ("remu a0, a1, a2", 0x02c5_f533, Divide),
            ("add t3, a1, a2", 0x00c5_8e33, Other),
            ("sub a0, a1, a2", 0x40c5_8533, Other),
            ("lui a0, 12345", 0x0303_9537, Other),
            ("csrr a0, mcycle", 0xb000_2573, System),
            ("fence", 0x0ff0_000f, System),
            ("lr.w a0, (a1)", 0x1005_a52f, Load),
            ("c.lw a0, 4(a1)", 0x41c8, Load),
            ("c.sw a0, 4(a1)", 0xc1c8, Store),
            ("c.lwsp a0, 8(sp)", 0x4522, Load),
            ("c.swsp a0, 8(sp)", 0xc42a, Store),
            ("c.j 8", 0xa021, Branch),
            ("c.jal 8", 0x2021, Branch),
            ("c.beqz a0, 8", 0xc501, Branch),
            ("c.bnez a0, 8", 0xe501, Branch),
            ("c.jr a0", 0x8502, Branch),
            ("c.jalr a0", 0x9502, Branch),
            ("c.mv a0, a1", 0x852e, Other),
            ("c.add a0, a1", 0x952e, Other),
            ("c.ebreak", 0x9002, Other),
            ("c.addi a0, 1", 0x0505, Other),
            ("c.nop", 0x0001, Other),
            ("c.li a0, 3", 0x450d, Other),
            ("c.slli a0, 3", 0x050e, Other),
        ] {
            assert_eq!(class(code as u16, Some((code >> 16) as u16)), expected, "{text}");
        }
    }
}
