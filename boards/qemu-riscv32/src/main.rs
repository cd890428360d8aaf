//! RV32IMC: QEMU's own board 'virt'.
#![no_std]
#![no_main]

#[riscv_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Ns16550 at 0x1000_0000, 1_000_000_000)
}
