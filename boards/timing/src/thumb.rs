//! Thumb, of Armv6-M to Armv8.1-M.
//!
//! Source: Arm v8-M Architecture Reference Manual (DDI 0553), chapter C2, "Instruction Specification"; its older
//! encodings are those of Armv7-M (DDI 0403), chapter A5.

use crate::{Class, Decoded};

/// The instruction with these halfwords.
pub fn decode(first: u16, second: Option<u16>) -> Decoded {
    match second {
        Some(second) => wide(first, second),
        None => narrow(first),
    }
}

/// An instruction that moves as many words as the list has registers.
fn multiple(class: Class, list: u16) -> Decoded {
    Decoded { class, n_words: list.count_ones() as u8 }
}

fn narrow(first: u16) -> Decoded {
    // The bit that tells loads from stores, where there are both.
    let load = first & 0x0800 != 0;
    match first >> 12 {
        // MULS.
        4 if first & 0xffc0 == 0x4340 => Class::Multiply.into(),
        // BX and BLX.
        4 if first & 0xff00 == 0x4700 => Class::Branch.into(),
        // LDR from the pool.
        4 if load => Class::Load.into(),
        // With a register as offset: STR, STRH, STRB; LDRSB, LDR, LDRH, LDRB, LDRSH.
        5 => if first >> 9 & 7 < 3 { Class::Store } else { Class::Load }.into(),
        // With an immediate offset: words, bytes, halfwords; words on the stack.
        6..=9 => if load { Class::Load } else { Class::Store }.into(),
        // PUSH, with LR as a ninth register; POP.
        11 if first & 0xfe00 == 0xb400 => multiple(Class::StoreMultiple, first & 0x1ff),
        11 if first & 0xff00 == 0xbc00 => multiple(Class::LoadMultiple, first & 0xff),
        11 if first & 0xff00 == 0xbd00 => multiple(Class::Return, first & 0x1ff),
        // CBZ and CBNZ.
        11 if first & 0xf500 == 0xb100 => Class::Branch.into(),
        12 => multiple(if load { Class::LoadMultiple } else { Class::StoreMultiple }, first & 0xff),
        // B<cond>, but for UDF and SVC; B.
        13 if first & 0x0e00 != 0x0e00 => Class::Branch.into(),
        14 => Class::Branch.into(),
        _ => Class::Other.into(),
    }
}

fn wide(first: u16, second: u16) -> Decoded {
    match first >> 9 {
        0b111_0100 => several_or_exclusive(first, second),
        0b111_1000..=0b111_1011 if second & 0x8000 != 0 => branch_or_system(first, second).into(),
        0b111_1100 => if first & 0x10 != 0 { Class::Load } else { Class::Store }.into(),
        0b111_1101 if first & 0x100 != 0 => multiply_or_divide(first, second).into(),
        0b111_0110 | 0b111_1110 => coprocessor_move(first, second),
        0b111_0111 | 0b111_1111 => coprocessor_data(first, second).into(),
        _ => Class::Other.into(),
    }
}

/// LDM, STM, LDRD, STRD, TBB, TBH and the exclusive accesses.
fn several_or_exclusive(first: u16, second: u16) -> Decoded {
    let load = first & 0x10 != 0;
    let (several, one) =
        if load { (Class::LoadMultiple, Class::Load) } else { (Class::StoreMultiple, Class::Store) };
    match first & 0x01e0 {
        // Without bit 6: lists of registers, where that of LDM may hold the PC.
        mode if mode & 0x40 == 0 => {
            let returns = load && second & 0x8000 != 0 && first & 0xf != 0xf;
            multiple(if returns { Class::Return } else { several }, second)
        }
        // Neither indexed nor written back: not LDRD and STRD.
        0x0c0 if second & 0xffe0 == 0xf000 => Class::TableBranch.into(),
        0x040 | 0x0c0 => one.into(),
        _ => multiple(several, 0b11),
    }
}

fn branch_or_system(first: u16, second: u16) -> Class {
    match second & 0x5000 {
        0x5000 => Class::Call,
        0x1000 => Class::Branch,
        // LE and LETP; WLS, DLS and their like.
        0x4000 if second & 0x2000 == 0 && matches!(first, 0xf00f | 0xf01f | 0xf02f) => Class::LoopEnd,
        0x4000 => Class::Other,
        // Conditions 14 and 15 are none: MSR, hints, barriers and MRS are there.
        _ if first & 0x0380 != 0x0380 => Class::Branch,
        // Hints.
        _ if first & 0xfff0 == 0xf3a0 => Class::Other,
        _ => Class::System,
    }
}

fn multiply_or_divide(first: u16, second: u16) -> Class {
    let accumulates = second & 0xf000 != 0xf000;
    match (first >> 4 & 0xf, second >> 4 & 0xf) {
        (0, 0) if !accumulates => Class::Multiply,
        (0, 0 | 1) => Class::MultiplyAccumulate,
        // SMULL and UMULL.
        (8 | 10, 0) => Class::MultiplyLong,
        // SDIV and UDIV.
        (9 | 11, 15) => Class::Divide,
        // SMLAL and its like, UMLAL, UMAAL.
        (12..=14, _) => Class::MultiplyLongAccumulate,
        // The products of halfwords and SMMUL: of the DSP extension, so never on cores where products take long.
        _ => Class::Other,
    }
}

/// VFP and Helium: loads, stores and moves of two registers.
fn coprocessor_move(first: u16, second: u16) -> Decoded {
    let load = first & 0x10 != 0;
    let (several, vector) = if load {
        (Class::LoadMultiple, Class::VectorLoad)
    } else {
        (Class::StoreMultiple, Class::VectorStore)
    };
    let is_vector_access = second & 0x0e00 == 0x0e00;
    if first & 0xffe0 == 0xec40 || (first & 0xffe0 == 0xec00 && second & 0x1fe0 == 0x0f00) {
        Class::MovePair.into()
    } else if is_vector_access {
        vector.into()
    } else if first >> 12 == 0xf {
        // VCADD and VCMLA.
        Class::Vector.into()
    } else if first & 0x0120 == 0x0100 {
        // VLDR and VSTR of 1 word or 2; the offset is where the others have the number of words.
        let n_words = if second & 0x0f00 == 0x0b00 { 2 } else { 1 };
        Decoded { class: several, n_words }
    } else {
        Decoded { class: several, n_words: (second & 0xff) as u8 }
    }
}

/// VFP and Helium: arithmetic and moves of one register.
fn coprocessor_data(first: u16, second: u16) -> Class {
    let is_vpst = first & 0xffbf == 0xfe31 && second & 0x1fff == 0x0f4d;
    // Coprocessors 9, 10 and 11: halves, singles and doubles.
    let is_vfp = matches!(second >> 8 & 0xf, 9..=11) && first & 0x0100 == 0;
    let is_vdup = first & 0xff90 == 0xee80 && second & 0x0f50 == 0x0b10;
    match (first >> 4 & 0xb, second >> 6 & 3) {
        _ if is_vpst => Class::Other,
        _ if !is_vfp || is_vdup => Class::Vector,
        // VSEL, VMAXNM, VRINT; VMOV between a core register and a lane, VMRS, VMSR.
        _ if first >> 12 == 0xf || second & 0x10 != 0 => Class::Float,
        // VMLA, VMLS, VNMLA, VNMLS; VFMA, VFMS, VFNMA, VFNMS.
        (0 | 1 | 9 | 10, _) => Class::FloatMultiplyAccumulate,
        (8, _) => Class::FloatDivide,
        // VSQRT.
        (11, 3) if first & 0xf == 1 => Class::FloatDivide,
        _ => Class::Float,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::*;

    fn check(cases: &[(&str, u32, Class, u8)]) {
        for &(text, code, class, n_words) in cases {
            let halfwords = (code as u16, (code >> 16) as u16);
            let decoded = match halfwords {
                (narrow, 0) => decode(narrow, None),
                (second, first) => decode(first, Some(second)),
            };
            assert_eq!(decoded, Decoded { class, n_words }, "{text}");
        }
    }

    // Encodings by LLVM's assembler.

    #[test]
    fn narrow_instructions() {
        check(&[
            ("movs r0, #1", 0x2001, Other, 0),
            ("adds r0, r0, r1", 0x1840, Other, 0),
            ("muls r0, r1, r0", 0x4348, Multiply, 0),
            ("ldr r0, [pc, #4]", 0x4801, Load, 0),
            ("ldr r0, [r1, r2]", 0x5888, Load, 0),
            ("ldrsh r0, [r1, r2]", 0x5e88, Load, 0),
            ("strb r0, [r1, r2]", 0x5488, Store, 0),
            ("str r0, [r1, #4]", 0x6048, Store, 0),
            ("ldrb r0, [r1, #1]", 0x7848, Load, 0),
            ("strh r0, [r1, #2]", 0x8048, Store, 0),
            ("ldr r0, [sp, #8]", 0x9802, Load, 0),
            ("add sp, #8", 0xb002, Other, 0),
            ("push {r4, r5, lr}", 0xb530, StoreMultiple, 3),
            ("pop {r4, r5}", 0xbc30, LoadMultiple, 2),
            ("pop {r4, r5, pc}", 0xbd30, Return, 3),
            ("stm r0!, {r1, r2, r3}", 0xc00e, StoreMultiple, 3),
            ("ldm r0!, {r1, r2}", 0xc806, LoadMultiple, 2),
            ("cbz r0, .", 0xb100, Branch, 0),
            ("cbnz r3, .", 0xbb03, Branch, 0),
            ("rev r0, r1", 0xba08, Other, 0),
            ("uxtb r0, r1", 0xb2c8, Other, 0),
            ("beq .", 0xd0fe, Branch, 0),
            ("b .", 0xe7fe, Branch, 0),
            ("bx lr", 0x4770, Branch, 0),
            ("blx r3", 0x4798, Branch, 0),
            ("mov pc, r0", 0x4687, Other, 0),
            ("it eq", 0xbf08, Other, 0),
            ("svc #0", 0xdf00, Other, 0),
            ("bkpt #0xab", 0xbeab, Other, 0),
        ]);
    }

    #[test]
    fn branches_and_accesses() {
        check(&[
            ("bl .", 0xf7ff_fffe, Call, 0),
            ("b.w .", 0xf7ff_bffe, Branch, 0),
            ("beq.w .", 0xf43f_affe, Branch, 0),
            ("mrs r0, primask", 0xf3ef_8010, System, 0),
            ("msr basepri, r0", 0xf380_8811, System, 0),
            ("dsb sy", 0xf3bf_8f4f, System, 0),
            ("nop.w", 0xf3af_8000, Other, 0),
            ("tbb [pc, r0]", 0xe8df_f000, TableBranch, 0),
            ("tbh [pc, r0, lsl #1]", 0xe8df_f010, TableBranch, 0),
            ("ldrd r0, r1, [r2, #8]", 0xe9d2_0102, LoadMultiple, 2),
            ("ldrd r0, r1, [r2], #-8", 0xe872_0102, LoadMultiple, 2),
            ("strd r0, r1, [r2, #8]!", 0xe9e2_0102, StoreMultiple, 2),
            ("ldm.w r0, {r1, r8, r9, r10}", 0xe890_0702, LoadMultiple, 4),
            ("pop.w {r4, r8, pc}", 0xe8bd_8110, Return, 3),
            ("push.w {r4, r8, lr}", 0xe92d_4110, StoreMultiple, 3),
            ("ldrex r0, [r1]", 0xe851_0f00, Load, 0),
            ("strex r0, r1, [r2]", 0xe842_1000, Store, 0),
            ("ldrexb r0, [r1]", 0xe8d1_0f4f, Load, 0),
            ("ldr.w r0, [r1, #100]", 0xf8d1_0064, Load, 0),
            ("ldrsb.w r0, [r1, #100]", 0xf991_0064, Load, 0),
            ("str.w r0, [r1, r2, lsl #2]", 0xf841_0022, Store, 0),
            ("strb r0, [r1], #1", 0xf801_0b01, Store, 0),
            ("ldr.w pc, [r0]", 0xf8d0_f000, Load, 0),
        ]);
    }

    #[test]
    fn arithmetic() {
        check(&[
            ("add.w r0, r1, r2, lsl #3", 0xeb01_00c2, Other, 0),
            ("ubfx r0, r1, #2, #3", 0xf3c1_0082, Other, 0),
            ("movw r0, #1234", 0xf240_40d2, Other, 0),
            ("usat r0, #8, r1", 0xf381_0008, Other, 0),
            ("sxtb16 r0, r1", 0xfa2f_f081, Other, 0),
            ("mul r0, r1, r2", 0xfb01_f002, Multiply, 0),
            ("mla r0, r1, r2, r3", 0xfb01_3002, MultiplyAccumulate, 0),
            ("mls r0, r1, r2, r3", 0xfb01_3012, MultiplyAccumulate, 0),
            ("smull r0, r1, r2, r3", 0xfb82_0103, MultiplyLong, 0),
            ("umull r0, r1, r2, r3", 0xfba2_0103, MultiplyLong, 0),
            ("smlal r0, r1, r2, r3", 0xfbc2_0103, MultiplyLongAccumulate, 0),
            ("umlal r0, r1, r2, r3", 0xfbe2_0103, MultiplyLongAccumulate, 0),
            ("smlald r0, r1, r2, r3", 0xfbc2_01c3, MultiplyLongAccumulate, 0),
            ("sdiv r0, r1, r2", 0xfb91_f0f2, Divide, 0),
            ("udiv r0, r1, r2", 0xfbb1_f0f2, Divide, 0),
            ("smlad r0, r1, r2, r3", 0xfb21_3002, Other, 0),
            ("smmulr r0, r1, r2", 0xfb51_f012, Other, 0),
            ("smlabb r0, r1, r2, r3", 0xfb11_3002, Other, 0),
        ]);
    }

    #[test]
    fn floating_point() {
        check(&[
            ("vldr s0, [r0, #4]", 0xed90_0a01, LoadMultiple, 1),
            ("vldr d0, [r0, #4]", 0xed90_0b01, LoadMultiple, 2),
            ("vldr.16 s0, [r0, #2]", 0xed90_0901, LoadMultiple, 1),
            ("vstr s0, [r0, #4]", 0xed80_0a01, StoreMultiple, 1),
            ("vstr d1, [r0, #-8]", 0xed00_1b02, StoreMultiple, 2),
            ("vldm r0!, {s0, s1, s2, s3}", 0xecb0_0a04, LoadMultiple, 4),
            ("vldm r0, {d0, d1, d2}", 0xec90_0b06, LoadMultiple, 6),
            ("vpush {d8, d9}", 0xed2d_8b04, StoreMultiple, 4),
            ("vpop {s16, s17, s18}", 0xecbd_8a03, LoadMultiple, 3),
            ("vmov r0, r1, d0", 0xec51_0b10, MovePair, 0),
            ("vmov s0, s1, r2, r3", 0xec43_2a10, MovePair, 0),
            ("vmov s0, r0", 0xee00_0a10, Float, 0),
            ("vmov r0, s0", 0xee10_0a10, Float, 0),
            ("vmrs apsr_nzcv, fpscr", 0xeef1_fa10, Float, 0),
            ("vadd.f32 s0, s1, s2", 0xee30_0a81, Float, 0),
            ("vadd.f16 s0, s1, s2", 0xee30_0981, Float, 0),
            ("vmul.f32 s0, s1, s2", 0xee20_0a81, Float, 0),
            ("vmla.f32 s0, s1, s2", 0xee00_0a81, FloatMultiplyAccumulate, 0),
            ("vfma.f32 s0, s1, s2", 0xeea0_0a81, FloatMultiplyAccumulate, 0),
            ("vfms.f32 s0, s1, s2", 0xeea0_0ac1, FloatMultiplyAccumulate, 0),
            ("vfnma.f32 s0, s1, s2", 0xee90_0ac1, FloatMultiplyAccumulate, 0),
            ("vdiv.f32 s0, s1, s2", 0xee80_0a81, FloatDivide, 0),
            ("vsqrt.f32 s0, s1", 0xeeb1_0ae0, FloatDivide, 0),
            ("vneg.f32 s0, s1", 0xeeb1_0a60, Float, 0),
            ("vcmp.f32 s0, s1", 0xeeb4_0a60, Float, 0),
            ("vcvt.s32.f32 s0, s1", 0xeebd_0ae0, Float, 0),
            ("vmov.f32 s0, #1.0", 0xeeb7_0a00, Float, 0),
            ("vrinta.f32 s0, s1", 0xfeb8_0a60, Float, 0),
            ("vmaxnm.f32 s0, s1, s2", 0xfe80_0a81, Float, 0),
            ("vseleq.f32 s0, s1, s2", 0xfe00_0a81, Float, 0),
        ]);
    }

    #[test]
    fn helium() {
        check(&[
            ("dls lr, r0", 0xf040_e001, Other, 0),
            ("wls lr, r0, .", 0xf040_c001, Other, 0),
            ("dlstp.32 lr, r0", 0xf020_e001, Other, 0),
            ("le lr, .", 0xf00f_c001, LoopEnd, 0),
            ("letp lr, .", 0xf01f_c001, LoopEnd, 0),
            ("le .", 0xf02f_c001, LoopEnd, 0),
            ("vctp.32 r0", 0xf020_e801, Other, 0),
            ("vldrb.u8 q0, [r0]", 0xed90_1e00, VectorLoad, 0),
            ("vldrw.u32 q0, [r0], #16", 0xecb0_1f04, VectorLoad, 0),
            ("vldrb.u8 q0, [r0, q1]", 0xfc90_0e02, VectorLoad, 0),
            ("vldrw.u32 q0, [q1, #4]", 0xfd92_1e01, VectorLoad, 0),
            ("vld40.8 {q0, q1, q2, q3}, [r0]", 0xfc90_1e01, VectorLoad, 0),
            ("vstrb.8 q0, [r0]", 0xed80_1e00, VectorStore, 0),
            ("vstrw.32 q0, [r0, q1, uxtw #2]", 0xec80_0f43, VectorStore, 0),
            ("vst20.8 {q0, q1}, [r0]", 0xfc80_1e00, VectorStore, 0),
            ("vmlav.s8 r0, q0, q1", 0xeef0_0f02, Vector, 0),
            ("vmlalva.s16 r0, r1, q0, q1", 0xee80_0e22, Vector, 0),
            ("vadd.i32 q0, q1, q2", 0xef22_0844, Vector, 0),
            ("vadd.i32 q0, q1, r0", 0xee23_0f40, Vector, 0),
            ("vmla.s32 q0, q1, r0", 0xee23_0e40, Vector, 0),
            ("vmul.i32 q0, q1, q2", 0xef22_0954, Vector, 0),
            ("vqrdmulh.s32 q0, q1, q2", 0xff22_0b44, Vector, 0),
            ("vqrdmulh.s32 q0, q1, r2", 0xfe23_0e62, Vector, 0),
            ("vrshl.s32 q0, r0", 0xee3b_1e60, Vector, 0),
            ("vmaxv.s8 r0, q1", 0xeee2_0f02, Vector, 0),
            ("vaddv.s32 r0, q1", 0xeef9_0f02, Vector, 0),
            ("vdup.32 q0, r0", 0xeea0_0b10, Vector, 0),
            ("vmov q0[2], q0[0], r0, r1", 0xec11_0f00, MovePair, 0),
            ("vmov r0, r1, q0[2], q0[0]", 0xec01_0f00, MovePair, 0),
            ("vmov.32 q0[1], r0", 0xee20_0b10, Float, 0),
            ("vmov q0, q1", 0xef22_0152, Vector, 0),
            ("vpst", 0xfe71_0f4d, Other, 0),
            ("vpt.s32 lt, q0, q1", 0xfe61_1f82, Vector, 0),
            ("vmovlb.s8 q0, q1", 0xeea8_0f42, Vector, 0),
            ("vcadd.i32 q0, q1, q2, #90", 0xfe22_0f04, Vector, 0),
            ("vcmla.f32 q0, q1, q2, #90", 0xfcb2_0844, Vector, 0),
            ("vcvt.f32.s32 q0, q1", 0xffbb_0642, Vector, 0),
            ("vmullb.s8 q0, q1, q2", 0xee03_0e04, Vector, 0),
            ("asrl r0, r1, #4", 0xea50_112f, Other, 0),
            ("clrm {r0, r1}", 0xe89f_0003, LoadMultiple, 2),
        ]);
    }
}
