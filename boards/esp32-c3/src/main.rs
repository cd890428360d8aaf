//! ESP32-C3-DevKitM-1: ESP32-C3, RV32IMC at 160 MHz, serial over its USB cable.
#![no_std]
#![no_main]

use dunlin_board_support::{line::Line, protocol::Clock, serve, stack};
use esp_hal::{
    clock::CpuClock,
    timer::systimer::{SystemTimer, Unit},
    uart::Uart,
};

esp_bootloader_esp_idf::esp_app_desc!();

unsafe extern "C" {
    /// The first byte behind the statics (from esp-hal's linker script): the stack grows down to it.
    static mut _stack_end: u8;
}

/// esp-hal watches for writes near the end of the stack, 4 KB above it: the models begin behind that.
const GUARD_BYTES: usize = 8192;

/// The chip's system timer; its core counts no standard cycles.
struct Timer;

impl Clock for Timer {
    fn ticks_per_second(&self) -> u32 {
        SystemTimer::ticks_per_second() as u32
    }

    fn ticks(&mut self) -> u64 {
        SystemTimer::unit_value(Unit::Unit0)
    }
}

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // The pins of the board's serial port: GPIO20 (from the host) and GPIO21, 115200 baud.
    let Ok(uart) = Uart::new(p.UART0, Default::default()) else {
        panic!("115200 baud cannot be had from these clocks")
    };
    let (mut rx, mut tx) = uart.with_rx(p.GPIO20).with_tx(p.GPIO21).split();
    let mut line = Line {
        read: |byte: &mut [u8; 1]| matches!(rx.read(byte), Ok(1)),
        write: |mut bytes: &[u8]| {
            while let Ok(n_bytes @ 1..) = tx.write(bytes) {
                bytes = bytes.get(n_bytes..).unwrap_or_default();
            }
        },
    };
    // SAFETY: the only call; nothing uses the RAM from there up to the stack.
    let ram = unsafe { stack::free_ram_from((&raw mut _stack_end).add(GUARD_BYTES)) };
    serve!(line, Timer, ram)
}
