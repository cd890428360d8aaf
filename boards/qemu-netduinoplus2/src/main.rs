//! Cortex-M4F with the memories of a real chip: Netduino Plus 2 (STM32F405), emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Stm32F4 at 0x4001_1000, 168_000_000)
}
