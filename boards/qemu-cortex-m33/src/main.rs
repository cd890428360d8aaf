//! Cortex-M33F: Arm's MPS2 board with FPGA image AN505, emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Cmsdk at 0x5020_0000, 20_000_000)
}
