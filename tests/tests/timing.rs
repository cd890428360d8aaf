//! Counts by class and estimates of cycles, of programs that are assembled by hand: each instruction is known, and what
//! the core's manual says about it.

use std::time::Duration;

use dunlin_converter::device::{self, emulator};
use dunlin_tests::boards::runnable_board;
use dunlin_timing::{Class, Tally, table};

/// What is counted between the markers of this program, which starts the board.
fn region(board: &str, program: &[u8]) -> Option<Tally> {
    let board = runnable_board(board)?;
    let counts = emulator::count(&device::home().unwrap(), &board, program, Duration::from_secs(60)).unwrap();
    let [region] = counts.regions[..] else { panic!("{}: {:?}", board.name, counts.regions) };
    Some(region)
}

/// An image for a Cortex-M: the stack's end, the address of the code, the code, and an exit through semihosting.
fn cortex_m(code: &[u16], subroutine: &[u16]) -> Vec<u8> {
    let vectors = [0x2000_0800_u32, 0x0000_0009].into_iter().flat_map(u32::to_le_bytes);
    let exit = [
        0x2018, // movs r0, #0x18: exit
        0x2102, 0x0409, 0x3126, // r1 = 0x20026: without an error
        0xbeab, // bkpt #0xab
        0xe7fe, // b .
    ];
    vectors.chain([code, &exit, subroutine].concat().into_iter().flat_map(u16::to_le_bytes)).collect()
}

const BEGIN: u16 = 0xbfe0;
const END: u16 = 0xbff0;

#[test]
fn a_loop_and_a_call() {
    let program = cortex_m(
        &[
            BEGIN,  //
            0x2303, // movs r3, #3
            0x9800, // loop: ldr r0, [sp]
            0x9901, // ldr r1, [sp, #4]
            0x9002, // str r0, [sp, #8]
            0x4348, // muls r0, r1, r0
            0x3b01, // subs r3, #1
            0xd1f9, // bne loop
            0xb403, // push {r0, r1}
            0xbc03, // pop {r0, r1}
            0xf000, 0xf807, // bl subroutine
            END,
        ],
        &[
            0xb500, // push {lr}
            0xbd00, // pop {pc}
        ],
    );
    // Without, in this order: movs, three turns, two refills between them, push, pop, bl with its refill, push, pop with
    // its refill.
    for (board, cycles) in [
        ("cortex-m0", 1 + 3 * (2 + 2 + 2 + 1 + 1 + 1) + 2 * 2 + 3 + 3 + 4 + 2 + 5),
        ("cortex-m3", 1 + 3 * (2 + 1 + 1 + 1 + 1 + 1) + 2 * 2 + 3 + 3 + 3 + 2 + 4),
        ("cortex-m4", 1 + 3 * (2 + 1 + 1 + 1 + 1 + 1) + 2 * 2 + 3 + 3 + 3 + 2 + 4),
    ] {
        let Some(tally) = region(board, &program) else { continue };
        let mut expected = Tally::default();
        for (class, count) in [
            (Class::Other, 4),
            (Class::Load, 3),
            (Class::NextLoad, 3),
            (Class::Store, 3),
            (Class::Multiply, 3),
            (Class::Branch, 3),
            (Class::StoreMultiple, 2),
            (Class::LoadMultiple, 1),
            (Class::Call, 1),
            (Class::Return, 1),
            (Class::Word, 6),
            (Class::Refill, 4),
        ] {
            expected[class] = count;
        }
        assert_eq!(tally, expected, "{board}");
        assert_eq!(tally.instructions(), 24, "{board}");
        assert_eq!(tally.estimated_cycles(table(board).unwrap()), cycles, "{board}");
    }
}

#[test]
fn a_low_overhead_loop() {
    let program = cortex_m(
        &[
            BEGIN,  //
            0x2303, // movs r3, #3
            0xf043, 0xe001, // dls lr, r3
            0x9800, // loop: ldr r0, [sp]
            0x4348, // muls r0, r1, r0
            0xf00f, 0xc005, // le lr, loop
            END,
        ],
        &[],
    );
    let Some(tally) = region("cortex-m55", &program) else { return };
    assert_eq!((tally.instructions(), tally[Class::LoopEnd], tally[Class::Refill]), (11, 3, 0));
    assert_eq!(tally.estimated_cycles(table("cortex-m55").unwrap()), 2 + 3 * (2 + 1 + 1));
}

#[test]
fn a_loop_on_riscv() {
    let program: Vec<u8> = [
        0x00e0_2013, // the region begins
        0x0030_0693, // li a3, 3
        0x0000_0417, // auipc s0, 0
        0x0004_2503, // loop: lw a0, (s0)
        0x02a5_0533, // mul a0, a0, a0
        0xfff6_8693, // addi a3, a3, -1
        0xfe06_9ae3, // bnez a3, loop
        0x00f0_2013, // the region ends
        0x0180_0513, // li a0, 0x18: exit
        0x0002_05b7,
        0x0265_8593, // a1 = 0x20026: without an error
        0x01f0_1013,
        0x0010_0073,
        0x4070_5013,     // slli x0, x0, 31; ebreak; srai x0, x0, 7: semihosting
        0x0000_006f_u32, // j .
    ]
    .into_iter()
    .flat_map(u32::to_le_bytes)
    .collect();
    let Some(tally) = region("riscv32", &program) else { return };
    assert_eq!((tally.instructions(), tally[Class::Multiply], tally[Class::Refill]), (14, 3, 2));
    assert_eq!(tally.estimated_cycles(table("riscv32").unwrap()), 2 + 3 * (2 + 1 + 1 + 1) + 2);
}
