//! nRF52840-DK: nRF52840, Cortex-M4F at 64 MHz, serial over its USB cable.
#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m as _; // its critical sections
use dunlin_board_support::{clock, flash, serve};
use embassy_nrf::{bind_interrupts, nvmc::Nvmc, peripherals};

#[cfg(feature = "usb")]
bind_interrupts!(struct Interrupts {
    USBD => embassy_nrf::usb::InterruptHandler<peripherals::USBD>;
    CLOCK_POWER => embassy_nrf::usb::vbus_detect::InterruptHandler;
});

#[cfg(not(feature = "usb"))]
bind_interrupts!(struct Interrupts {
    UARTE0 => embassy_nrf::uarte::InterruptHandler<peripherals::UARTE0>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut config = embassy_nrf::config::Config::default();
    // USB needs the exact clock.
    config.hfclk_source = embassy_nrf::config::HfclkSource::ExternalXtal;
    let p = embassy_nrf::init(config);
    #[cfg(feature = "usb")]
    dunlin_board_support::usb_line!(
        line = embassy_nrf::usb::Driver::new(
            p.USBD,
            Interrupts,
            embassy_nrf::usb::vbus_detect::HardwareVbusDetect::new(Interrupts),
        )
    );
    // The pins of the interface chip's serial port: P0.08 from the host and P0.06 to it.
    #[cfg(not(feature = "usb"))]
    let mut line = {
        let uart = embassy_nrf::uarte::Uarte::new(p.UARTE0, p.P0_08, p.P0_06, Interrupts, Default::default());
        let (mut tx, mut rx) = uart.split();
        dunlin_board_support::line::Line {
            read: move |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
            write: move |bytes: &[u8]| _ = tx.blocking_write(bytes),
        }
    };
    let nvmc = RefCell::new(Nvmc::new(p.NVMC));
    serve!(line, clock::start(64_000_000), flash: flash::slots(&nvmc, 0, flash::nothing))
}
