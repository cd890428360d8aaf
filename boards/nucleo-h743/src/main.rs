//! Nucleo-H743ZI: STM32H743ZI, Cortex-M7 at 400 MHz, serial over the ST-Link's USB cable.
#![no_std]
#![no_main]

use core::cell::RefCell;

use dunlin_board_support::{clock, flash, line::Line, serve};
use embassy_stm32::{flash::Flash, rcc, usart::Uart};

/// Where the flash is read.
const FLASH: usize = 0x0800_0000;

/// The flash has changed: what the data cache holds of it is old.
fn forget_cached() {
    // SAFETY: one core without interrupts that use these registers; dirty lines of the RAM are written back.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    core.SCB.clean_invalidate_dcache(&mut core.CPUID);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut config = embassy_stm32::Config::default();
    // 400 MHz from the internal oscillator, 64 MHz / 4 * 50 / 2; half of it on the buses, a quarter for peripherals.
    config.rcc.pll1 = Some(rcc::Pll {
        source: rcc::PllSource::HSI,
        prediv: rcc::PllPreDiv::DIV4,
        mul: rcc::PllMul::MUL50,
        fracn: None,
        divp: Some(rcc::PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = rcc::Sysclk::PLL1_P;
    config.rcc.ahb_pre = rcc::AHBPrescaler::DIV2;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb3_pre = rcc::APBPrescaler::DIV2;
    config.rcc.apb4_pre = rcc::APBPrescaler::DIV2;
    config.rcc.voltage_scale = rcc::VoltageScale::Scale1;
    let p = embassy_stm32::init(config);
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID);
    }
    // The pins of the ST-Link's serial port: PD9 and PD8, 115200 baud.
    let Ok(uart) = Uart::new_blocking(p.USART3, p.PD9, p.PD8, Default::default()) else {
        panic!("115200 baud cannot be had from these clocks")
    };
    let (mut tx, mut rx) = uart.split();
    let mut line = Line {
        read: |byte: &mut [u8; 1]| rx.blocking_read(byte).is_ok(),
        write: |bytes: &[u8]| _ = tx.blocking_write(bytes),
    };
    let driver = RefCell::new(Flash::new_blocking(p.FLASH));
    serve!(line, clock::start(400_000_000), flash: flash::slots(&driver, FLASH, forget_cached))
}
