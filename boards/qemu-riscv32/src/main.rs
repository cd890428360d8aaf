//! RV32IMC: QEMU's own board 'virt'.
#![no_std]
#![no_main]

#[riscv_rt::entry]
fn main() -> ! {
    dunlin_board_support::serve!()
}
