//! Logs: defmt frames on the host's console, or through the debug probe (RTT). Without the feature `defmt` they cost nothing and say nothing.

#[cfg(feature = "defmt")]
pub(crate) use defmt::{error, info};

/// Stands in for defmt's macros of the same use.
#[cfg(not(feature = "defmt"))]
macro_rules! silent {
    ($text:literal $(, $value:expr)*) => {{ $(let _ = &$value;)* }};
}
#[cfg(not(feature = "defmt"))]
pub(crate) use {silent as error, silent as info};

// A line over RTT has the log as one of its channels.
#[cfg(all(feature = "rtt", not(feature = "rtt-line")))]
use defmt_rtt as _;

#[cfg(all(feature = "defmt", feature = "emulated", not(feature = "rtt")))]
mod console {
    use core::cell::UnsafeCell;

    use crate::semihosting::{File, Mode};

    #[defmt::global_logger]
    struct Console;

    struct State {
        file: Option<File>,
        encoder: defmt::Encoder,
    }

    struct Exclusive(UnsafeCell<State>);

    // SAFETY: one core and no interrupt that logs. A fault may come in the middle of a frame, but never returns to it.
    unsafe impl Sync for Exclusive {}

    static STATE: Exclusive =
        Exclusive(UnsafeCell::new(State { file: None, encoder: defmt::Encoder::new() }));

    /// The state for one call of the logger.
    fn with_state(f: impl FnOnce(&mut defmt::Encoder, &mut dyn FnMut(&[u8]))) {
        // SAFETY: see `Exclusive`; the functions below do not call each other.
        let State { file, encoder } = unsafe { &mut *STATE.0.get() };
        f(encoder, &mut |bytes| {
            if let Some(file) = file {
                // A log that the host does not take is lost: there is nobody else to tell.
                file.write(bytes);
            }
        });
    }

    // SAFETY: frames are encoded by `defmt::Encoder`, one at a time (see `Exclusive`).
    unsafe impl defmt::Logger for Console {
        fn acquire() {
            // SAFETY: see `Exclusive`.
            let file = unsafe { &mut (*STATE.0.get()).file };
            if file.is_none() {
                *file = File::open(c":tt", Mode::Write);
            }
            with_state(|encoder, write| encoder.start_frame(write));
        }

        unsafe fn flush() {}

        unsafe fn release() {
            with_state(|encoder, write| encoder.end_frame(write));
        }

        unsafe fn write(bytes: &[u8]) {
            with_state(|encoder, write| encoder.write(bytes, write));
        }
    }
}
