//! The core's own clock, for boards whose HAL has none that counts cycles.

use dunlin_link::Clock;

/// The core's own counter: on Arm the SysTick timer, which counts cycles of the core and is on every Cortex-M; on
/// RISC-V `mcycle`.
pub struct CoreClock {
    ticks_per_second: u32,
}

/// Starts the core's clock, which ticks so often.
pub fn start(ticks_per_second: u32) -> CoreClock {
    counter::start();
    CoreClock { ticks_per_second }
}

impl Clock for CoreClock {
    fn ticks_per_second(&self) -> u32 {
        self.ticks_per_second
    }

    fn ticks(&mut self) -> u64 {
        counter::read()
    }
}

#[cfg(target_arch = "arm")]
mod counter {
    use core::sync::atomic::{AtomicU32, Ordering};

    /// SysTick's registers, the same on every M-profile core: control, reload value, current value.
    const CONTROL: *mut u32 = 0xe000_e010 as *mut u32;
    const RELOAD: *mut u32 = 0xe000_e014 as *mut u32;
    const VALUE: *mut u32 = 0xe000_e018 as *mut u32;
    /// Counting, with an exception at zero, at the core's clock.
    const ENABLE: u32 = 0b111;
    /// It counts down from here, 24 bits.
    const TOP: u32 = 0x00ff_ffff;

    /// How often it has reached zero.
    static N_ROUNDS: AtomicU32 = AtomicU32::new(0);

    #[cortex_m_rt::exception]
    fn SysTick() {
        // Nothing else writes it, and M0 has no atomic addition.
        N_ROUNDS.store(N_ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn start() {
        // SAFETY: registers that every M-profile core has, and that nothing else in the firmware uses.
        unsafe {
            RELOAD.write_volatile(TOP);
            VALUE.write_volatile(0);
            CONTROL.write_volatile(ENABLE);
        }
    }

    pub(super) fn read() -> u64 {
        loop {
            let n_rounds = N_ROUNDS.load(Ordering::Relaxed);
            // SAFETY: reading has no effect on the counter.
            let value = unsafe { VALUE.read_volatile() };
            if n_rounds == N_ROUNDS.load(Ordering::Relaxed) {
                return u64::from(n_rounds) * (u64::from(TOP) + 1) + u64::from(TOP - (value & TOP));
            }
        }
    }
}

#[cfg(target_arch = "riscv32")]
mod counter {
    pub(super) fn start() {}

    pub(super) fn read() -> u64 {
        loop {
            let (high, low, high_again): (u32, u32, u32);
            // SAFETY: reads registers that machine mode may always read.
            unsafe {
                core::arch::asm!(
                    "csrr {}, mcycleh",
                    "csrr {}, mcycle",
                    "csrr {}, mcycleh",
                    out(reg) high,
                    out(reg) low,
                    out(reg) high_again,
                    options(nomem, nostack),
                );
            }
            if high == high_again {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }
}
