//! Raspberry Pi Pico: RP2040, Cortex-M0+ at 125 MHz, serial on GP0 and GP1.
#![no_std]
#![no_main]

use dunlin_board_support::{clock, line::Line, serve};
use embassy_rp::{clocks::clk_sys_freq, uart};

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_rp::init(Default::default());
    // UART0 on GP0 (to the host) and GP1 (from it), 115200 baud.
    let uart = uart::Uart::new_blocking(p.UART0, p.PIN_0, p.PIN_1, uart::Config::default());
    let (mut tx, mut rx) = uart.split();
    let mut line = Line {
        read: |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
        write: |bytes: &[u8]| _ = tx.blocking_write(bytes),
    };
    serve!(line, clock::start(clk_sys_freq()))
}
