//! Nucleo-F411RE: STM32F411RE, Cortex-M4F at 100 MHz, serial over the ST-Link's USB cable.
#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m as _; // its critical sections
use dunlin_board_support::{clock, flash, line::Line, serve};
use embassy_stm32::{flash::Flash, rcc, usart::Uart};

/// Where the flash is read.
const FLASH: usize = 0x0800_0000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut config = embassy_stm32::Config::default();
    // 100 MHz from the internal oscillator: 16 MHz / 8 * 100 / 2.
    config.rcc.pll_src = rcc::PllSource::HSI;
    config.rcc.pll = Some(rcc::Pll {
        prediv: rcc::PllPreDiv::DIV8,
        mul: rcc::PllMul::MUL100,
        divp: Some(rcc::PllPDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = rcc::Sysclk::PLL1_P;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV2;
    let p = embassy_stm32::init(config);
    // The pins of the ST-Link's serial port: PA3 and PA2, 115200 baud.
    let Ok(uart) = Uart::new_blocking(p.USART2, p.PA3, p.PA2, Default::default()) else {
        panic!("115200 baud cannot be had from these clocks")
    };
    let (mut tx, mut rx) = uart.split();
    let mut line = Line {
        read: |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
        write: |bytes: &[u8]| _ = tx.blocking_write(bytes),
    };
    let driver = RefCell::new(Flash::new_blocking(p.FLASH));
    serve!(line, clock::start(100_000_000), flash: flash::slots(&driver, FLASH, flash::nothing))
}
