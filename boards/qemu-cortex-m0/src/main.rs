//! Cortex-M0: the BBC micro:bit (nRF51822), emulated by QEMU.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    dunlin_board_support::serve!()
}
