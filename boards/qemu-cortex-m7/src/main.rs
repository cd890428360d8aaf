//! Cortex-M7F: Arm's MPS2 board with FPGA image AN500, emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Cmsdk at 0x4000_4000, 25_000_000)
}
