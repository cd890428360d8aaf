//! ESP32-C3-DevKitM-1: ESP32-C3, RV32IMC at 160 MHz, serial over its USB cable.
#![no_std]
#![no_main]

use core::cell::RefCell;

use dunlin_board_support::{flash, line::Line, protocol::Clock, serve, stack};
use esp_hal::{
    clock::CpuClock,
    timer::systimer::{SystemTimer, Unit},
    uart::Uart,
};
use esp_storage::FlashStorage;

esp_bootloader_esp_idf::esp_app_desc!();

unsafe extern "C" {
    /// The first byte behind the statics (from esp-hal's linker script): the stack grows down to it.
    static mut _stack_end: u8;
}

/// esp-hal watches for writes near the end of the stack, 4 KB above it: the models begin behind that.
const GUARD_BYTES: usize = 8192;

/// Flash for models from the host: the last pages of 4 MB.
const MODELS_OFFSET: u32 = 0x3e_0000;
const N_MODEL_PAGES: usize = 2;
const PAGE_BYTES: usize = 0x1_0000;

/// Where they are read: at entries of the MMU that the application's 4 MB at most leave free.
const FIRST_ENTRY: usize = 120;
const MODELS: *const u8 = (0x3c00_0000 + FIRST_ENTRY * PAGE_BYTES) as *const u8;
/// The MMU's table, a word for each page: Espressif, "ESP32-C3 Technical Reference Manual" (external memory).
const MMU_TABLE: *mut u32 = 0x600c_5000 as *mut u32;

unsafe extern "C" {
    /// In the chip's ROM.
    fn Cache_Invalidate_Addr(address: u32, n_bytes: u32) -> i32;
}

/// The flash has changed: what the cache holds of it is old.
fn forget_cached() {
    // SAFETY: the pages that `map_models` has mapped; nothing is written to them but through the flash's controller.
    unsafe { Cache_Invalidate_Addr(MODELS as u32, (N_MODEL_PAGES * PAGE_BYTES) as u32) };
}

/// Makes the flash for models readable at `MODELS`.
fn map_models() {
    for page in 0..N_MODEL_PAGES {
        // SAFETY: an entry within the table, of a page that nothing uses.
        unsafe {
            MMU_TABLE.add(FIRST_ENTRY + page).write_volatile(MODELS_OFFSET / PAGE_BYTES as u32 + page as u32)
        };
    }
    forget_cached();
}

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
    map_models();
    let driver = RefCell::new(FlashStorage::new(p.FLASH));
    let mut slots =
        flash::slots_at(&driver, MODELS, MODELS_OFFSET, N_MODEL_PAGES * PAGE_BYTES, forget_cached);
    serve!(line, Timer, ram: ram, flash: slots)
}
