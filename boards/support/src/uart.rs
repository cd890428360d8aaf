//! The UARTs of the emulated boards: polled, without settings of speed, which an emulator does not need.
//!
//! Registers: Arm, "Cortex-M System Design Kit TRM" (APB UART); Nordic, "nRF51 Series Reference Manual"; ST, RM0090
//! (USART); National Semiconductor, PC16550D.

use dunlin_link::Wire;

/// A register, or the bits of one.
type Word = *mut u32;

fn read(word: Word) -> u32 {
    // SAFETY: the callers' addresses are those of a UART's registers on the board that they name.
    unsafe { word.read_volatile() }
}

fn write(word: Word, value: u32) {
    // SAFETY: as `read`.
    unsafe { word.write_volatile(value) }
}

/// Arm's CMSDK UART, of the MPS2 and MPS3 boards.
pub struct Cmsdk {
    base: usize,
}

impl Cmsdk {
    const DATA: usize = 0x0;
    const STATE: usize = 0x4;
    const CONTROL: usize = 0x8;
    const DIVIDER: usize = 0x10;
    const TX_FULL: u32 = 1 << 0;
    const RX_FULL: u32 = 1 << 1;
    /// Both directions.
    const ENABLE: u32 = 0b11;
    /// The smallest that is allowed.
    const MIN_DIVIDER: u32 = 16;

    /// The UART at this address.
    pub fn at(base: usize) -> Cmsdk {
        let uart = Cmsdk { base };
        write(uart.word(Cmsdk::DIVIDER), Cmsdk::MIN_DIVIDER);
        write(uart.word(Cmsdk::CONTROL), Cmsdk::ENABLE);
        uart
    }

    fn word(&self, offset: usize) -> Word {
        (self.base + offset) as Word
    }
}

impl Wire for Cmsdk {
    fn read(&mut self) -> Option<u8> {
        while read(self.word(Cmsdk::STATE)) & Cmsdk::RX_FULL == 0 {}
        Some(read(self.word(Cmsdk::DATA)) as u8)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while read(self.word(Cmsdk::STATE)) & Cmsdk::TX_FULL != 0 {}
            write(self.word(Cmsdk::DATA), u32::from(byte));
        }
    }
}

/// The UART of Nordic's nRF51.
pub struct Nrf51 {
    base: usize,
}

impl Nrf51 {
    const START_RX: usize = 0x000;
    const START_TX: usize = 0x008;
    const RX_READY: usize = 0x108;
    const TX_READY: usize = 0x11c;
    const ENABLE: usize = 0x500;
    const RX_DATA: usize = 0x518;
    const TX_DATA: usize = 0x51c;

    /// The UART at this address.
    pub fn at(base: usize) -> Nrf51 {
        let uart = Nrf51 { base };
        write(uart.word(Nrf51::ENABLE), 4);
        write(uart.word(Nrf51::START_RX), 1);
        write(uart.word(Nrf51::START_TX), 1);
        uart
    }

    fn word(&self, offset: usize) -> Word {
        (self.base + offset) as Word
    }
}

impl Wire for Nrf51 {
    fn read(&mut self) -> Option<u8> {
        while read(self.word(Nrf51::RX_READY)) == 0 {}
        write(self.word(Nrf51::RX_READY), 0);
        Some(read(self.word(Nrf51::RX_DATA)) as u8)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            write(self.word(Nrf51::TX_READY), 0);
            write(self.word(Nrf51::TX_DATA), u32::from(byte));
            while read(self.word(Nrf51::TX_READY)) == 0 {}
        }
    }
}

/// The USART of ST's STM32F4.
pub struct Stm32F4 {
    base: usize,
}

impl Stm32F4 {
    const STATUS: usize = 0x00;
    const DATA: usize = 0x04;
    const CONTROL: usize = 0x0c;
    const RX_NOT_EMPTY: u32 = 1 << 5;
    const TX_EMPTY: u32 = 1 << 7;
    /// The USART and both directions.
    const ENABLE: u32 = 1 << 13 | 1 << 3 | 1 << 2;

    /// The USART at this address.
    pub fn at(base: usize) -> Stm32F4 {
        let uart = Stm32F4 { base };
        write(uart.word(Stm32F4::CONTROL), Stm32F4::ENABLE);
        uart
    }

    fn word(&self, offset: usize) -> Word {
        (self.base + offset) as Word
    }
}

impl Wire for Stm32F4 {
    fn read(&mut self) -> Option<u8> {
        while read(self.word(Stm32F4::STATUS)) & Stm32F4::RX_NOT_EMPTY == 0 {}
        Some(read(self.word(Stm32F4::DATA)) as u8)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while read(self.word(Stm32F4::STATUS)) & Stm32F4::TX_EMPTY == 0 {}
            write(self.word(Stm32F4::DATA), u32::from(byte));
        }
    }
}

/// The 16550, of QEMU's board `virt`: registers of one byte.
pub struct Ns16550 {
    base: usize,
}

impl Ns16550 {
    const DATA: usize = 0;
    const LINE_STATUS: usize = 5;
    const RX_READY: u8 = 1 << 0;
    const TX_EMPTY: u8 = 1 << 5;

    /// The UART at this address.
    pub fn at(base: usize) -> Ns16550 {
        Ns16550 { base }
    }

    fn read_byte(&self, offset: usize) -> u8 {
        // SAFETY: a register of the UART that the board has there.
        unsafe { ((self.base + offset) as *mut u8).read_volatile() }
    }
}

impl Wire for Ns16550 {
    fn read(&mut self) -> Option<u8> {
        while self.read_byte(Ns16550::LINE_STATUS) & Ns16550::RX_READY == 0 {}
        Some(self.read_byte(Ns16550::DATA))
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while self.read_byte(Ns16550::LINE_STATUS) & Ns16550::TX_EMPTY == 0 {}
            // SAFETY: as in `read_byte`.
            unsafe { ((self.base + Ns16550::DATA) as *mut u8).write_volatile(byte) };
        }
    }
}
