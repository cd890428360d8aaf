//! Cortex-M55 with Helium: Arm's MPS3 board with FPGA image AN547, emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Cmsdk at 0x5930_3000, 32_000_000)
}
