//! BBC micro:bit v2: nRF52833, Cortex-M4F at 64 MHz, serial over its USB cable.
#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m as _; // its critical sections
use dunlin_board_support::{clock, flash, line::Line, serve};
use embassy_nrf::{bind_interrupts, nvmc::Nvmc, peripherals::UARTE0, uarte};

bind_interrupts!(struct Interrupts {
    UARTE0 => uarte::InterruptHandler<UARTE0>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_nrf::init(Default::default());
    // The pins of the interface chip's serial port: P1.08 from the host and P0.06 to it.
    let uart = uarte::Uarte::new(p.UARTE0, p.P1_08, p.P0_06, Interrupts, uarte::Config::default());
    let (mut tx, mut rx) = uart.split();
    let mut line = Line {
        read: |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
        write: |bytes: &[u8]| _ = tx.blocking_write(bytes),
    };
    let nvmc = RefCell::new(Nvmc::new(p.NVMC));
    serve!(line, clock::start(64_000_000), flash: flash::slots(&nvmc, 0, flash::nothing))
}
