//! Whatever goes wrong ends the firmware, after a log of what it was.

use core::panic::PanicInfo;

use crate::log;
#[cfg(feature = "emulated")]
use crate::semihosting::exit_failure as end;

/// A board stops; the host gets no answers any more, and the log tells why.
#[cfg(not(feature = "emulated"))]
fn end() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Ends the emulation with failure.
#[cfg(feature = "emulated")]
pub fn fail(reason: &'static str) -> ! {
    log::error!("{=str}", reason);
    end()
}

/// Ends the emulation with failure, for what the runtime refused.
#[cfg(feature = "emulated")]
pub fn fail_with(error: dunlin::Error) -> ! {
    log::error!("{}", error);
    end()
}

/// Executes an undefined instruction.
#[cfg(feature = "emulated")]
pub fn provoke() -> ! {
    // SAFETY: the fault's handler never returns.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!("udf #0", options(noreturn))
    };
    // SAFETY: the fault's handler never returns.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("unimp", options(noreturn))
    };
}

/// Why a panic happened needs `core::fmt`, which is larger than the firmware: where it happened must do.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    if let Some(place) = info.location() {
        log::error!("panic at {=str}:{=u32}", place.file(), place.line());
    }
    end()
}

/// All faults: cortex-m-rt leaves the finer ones disabled, so they escalate to this one.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    /// Configurable Fault Status Register; reads as zero on cores that have none.
    const CFSR: *const u32 = 0xe000_ed28 as *const u32;
    // SAFETY: an address in the system control space that every M-profile core may read.
    let cfsr = unsafe { CFSR.read_volatile() };
    log::error!(
        "fault at {=u32:#010x}, called from {=u32:#010x}, CFSR {=u32:#010x}",
        frame.pc(),
        frame.lr(),
        cfsr
    );
    end()
}

/// Any interrupt: the firmware enables none.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    log::error!("unexpected exception {=i16}", number);
    end()
}

/// All synchronous traps. (The HALs of real boards have handlers of their own.)
#[cfg(all(target_arch = "riscv32", feature = "emulated"))]
#[unsafe(export_name = "ExceptionHandler")]
fn exception(frame: &riscv_rt::TrapFrame) -> ! {
    let (cause, address, value): (usize, usize, usize);
    // SAFETY: reads three registers that machine mode may always read.
    unsafe {
        core::arch::asm!(
            "csrr {}, mcause",
            "csrr {}, mepc",
            "csrr {}, mtval",
            out(reg) cause,
            out(reg) address,
            out(reg) value,
            options(nomem, nostack),
        );
    }
    log::error!(
        "fault at {=usize:#010x}, called from {=usize:#010x}, cause {=usize}, value {=usize:#010x}",
        address,
        frame.ra,
        cause,
        value
    );
    end()
}
