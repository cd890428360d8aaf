//! Raspberry Pi Pico 2: RP2350, Cortex-M33 at 150 MHz, serial on GP0 and GP1.
#![no_std]
#![no_main]

use core::cell::RefCell;

use dunlin_board_support::{clock, flash, serve};
use embassy_rp::{clocks::clk_sys_freq, flash::Flash};

/// Where the flash is read, and how much of it there is.
const FLASH: usize = 0x1000_0000;
const FLASH_BYTES: usize = 4 << 20;

#[cfg(feature = "usb")]
embassy_rp::bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => embassy_rp::usb::InterruptHandler<embassy_rp::peripherals::USB>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_rp::init(Default::default());
    #[cfg(feature = "usb")]
    dunlin_board_support::usb_line!(line = embassy_rp::usb::Driver::new(p.USB, Interrupts));
    // UART0 on GP0 (to the host) and GP1 (from it), 115200 baud.
    #[cfg(not(feature = "usb"))]
    let mut line = {
        let uart = embassy_rp::uart::Uart::new_blocking(p.UART0, p.PIN_0, p.PIN_1, Default::default());
        let (mut tx, mut rx) = uart.split();
        dunlin_board_support::line::Line {
            read: move |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
            write: move |bytes: &[u8]| _ = tx.blocking_write(bytes),
        }
    };
    let driver = RefCell::new(Flash::<_, _, FLASH_BYTES>::new_blocking(p.FLASH));
    serve!(line, clock::start(clk_sys_freq()), flash: flash::slots(&driver, FLASH, flash::nothing))
}
