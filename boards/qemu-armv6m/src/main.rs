//! ARMv6-M code with room for any model: MPS2 board with FPGA image AN385, emulated by QEMU, whose Cortex-M3 runs it.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Cmsdk at 0x4000_4000, 25_000_000)
}
