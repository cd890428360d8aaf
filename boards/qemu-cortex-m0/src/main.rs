//! Cortex-M0: the BBC micro:bit (nRF51822), emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::emulated!(Nrf51 at 0x4000_2000, 16_000_000)
}
