//! What all board crates share: the line to the host, faults, logs, clocks, the counting of instructions, and the
//! firmware's loops, between which [`serve!`] and [`emulated!`] choose.
//!
//! A board crate adds what differs: the memory map, the startup code, its UART, and the data in its `Cargo.toml`.
#![no_std]

#[cfg(target_arch = "arm")]
mod bytes;
mod fault;
mod log;
pub mod stack;

#[cfg(feature = "link")]
pub mod clock;
#[cfg(feature = "link")]
pub mod flash;
#[cfg(feature = "link")]
pub mod line;
#[cfg(feature = "rtt-line")]
pub mod rtt;
#[cfg(feature = "usb")]
pub mod usb;

#[cfg(feature = "emulated")]
pub mod baked;
#[cfg(feature = "emulated")]
mod counter;
#[cfg(feature = "emulated")]
mod link;
#[cfg(feature = "emulated")]
mod semihosting;
#[cfg(feature = "emulated")]
mod sound;
#[cfg(feature = "emulated")]
pub mod suite;
#[cfg(all(feature = "emulated", feature = "link"))]
pub mod uart;

pub use dunlin;
#[cfg(feature = "link")]
pub use dunlin_link as protocol;

#[cfg(all(feature = "emulated", target_arch = "arm"))]
mod interrupts {
    unsafe extern "C" {
        fn DefaultHandler();
    }

    /// The vector table behind the exceptions: 240 entries fewer than cortex-m-rt would put there. It wants one.
    #[unsafe(no_mangle)]
    #[unsafe(link_section = ".vector_table.interrupts")]
    static __INTERRUPTS: [unsafe extern "C" fn(); 1] = [DefaultHandler];
}

/// What the firmware of an emulated board does, for ever. With the board's feature `link` it is what a
/// real board's does, over a [`uart`], with a clock of `$ticks_per_second`: see [`serve!`]. Without it, it talks to the
/// host through files: it runs the model in the folder that `DUNLIN_FIRMWARE_DIR` named on each sample from the
/// host, or without that variable whatever models the host sends.
///
/// A board's `main` calls this once.
#[macro_export]
macro_rules! emulated {
    ($uart:ident at $address:literal, $ticks_per_second:literal) => {{
        #[cfg(all(feature = "link", dunlin_models))]
        {
            let flash = core::cell::RefCell::new($crate::flash::emulated::Memory);
            $crate::serve!(
                $crate::uart::$uart::at($address),
                $crate::clock::start($ticks_per_second),
                flash: $crate::flash::emulated::slots(&flash)
            )
        }

        #[cfg(all(feature = "link", not(dunlin_models)))]
        $crate::serve!($crate::uart::$uart::at($address), $crate::clock::start($ticks_per_second));

        #[cfg(all(not(feature = "link"), not(dunlin_baked)))]
        $crate::suite::serve();

        #[cfg(all(not(feature = "link"), dunlin_baked))]
        {
            $crate::baked_model!();
            /// Whether rows arrive: known to the compiler, so that firmware has the code for it only then.
            const FED: bool =
                FILE.len() > $crate::dunlin::format::FED_AT && FILE[$crate::dunlin::format::FED_AT] != 0;
            // SAFETY: `main` runs once, and nothing else names the arena.
            let arena = unsafe { &mut *(&raw mut DUNLIN_ARENA) };
            $crate::baked::serve::<FED, { cfg!(dunlin_count_steps) }>(&DUNLIN_MODEL.0, net::OPS, arena)
        }
    }};
}

/// What the firmware of a board does, for ever: it serves the host over `$wire` ([`protocol::Wire`]), and times runs
/// with `$clock` ([`protocol::Clock`]). It runs the model in the folder that the environment variable
/// `DUNLIN_FIRMWARE_DIR` named at build time (`net.dunlin` and `net.rs`, as the converter writes them); without that
/// variable it has all operators, and runs models that the host transfers into RAM. That RAM is `$ram`, or without it all
/// that nothing else needs. Models that are to stay go to the slots `$flash` ([`flash::slots`]), if there are any.
///
/// A board's `main` calls this once.
#[macro_export]
macro_rules! serve {
    ($wire:expr, $clock:expr $(, ram: $ram:expr)? $(, flash: $flash:expr)?) => {{
        #[cfg(dunlin_baked)]
        let (model, ops, arena) = {
            $crate::baked_model!();
            // SAFETY: `main` runs once, and nothing else names the arena.
            let arena: &'static mut [u8] = unsafe { &mut *(&raw mut DUNLIN_ARENA) };
            (Some(&DUNLIN_MODEL.0[..]), net::OPS, arena)
        };
        #[cfg(not(dunlin_baked))]
        let (model, ops, arena) = {
            let arena: &'static mut [u8] = &mut [];
            (None, $crate::dunlin::ops::ALL, arena)
        };
        let board = $crate::protocol::Board { name: env!("CARGO_PKG_NAME"), core: env!("DUNLIN_CORE") };
        let ram = $crate::serve!(@ram $($ram)?);
        $crate::serve!(@with slots $($flash)?, {
            let device = $crate::protocol::Device { board, clock: &mut $clock, ops, model, arena, ram, slots };
            $crate::line::serve(device, &mut $wire)
        })
    }};
    // SAFETY: the only call.
    (@ram) => { unsafe { $crate::stack::free_ram() } };
    (@ram $ram:expr) => { $ram };
    (@with $slots:ident, $serve:expr) => {{
        let $slots = None;
        $serve
    }};
    (@with $slots:ident $flash:expr, $serve:expr) => {{
        let [first, second] = &mut $flash;
        let $slots: Option<[&mut dyn $crate::protocol::Slot; 2]> = Some([first, second]);
        $serve
    }};
}

/// The model that the firmware is built with, and its arena. The symbols `DUNLIN_MODEL` and `DUNLIN_ARENA` are for
/// tools that measure the ELF file; both are multiples of 16 bytes long.
#[doc(hidden)]
#[macro_export]
macro_rules! baked_model {
    () => {
        mod net {
            use $crate::dunlin;
            include!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.rs"));
        }
        const FILE: &[u8] = include_bytes!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.dunlin"));

        #[unsafe(no_mangle)]
        static DUNLIN_MODEL: $crate::dunlin::Aligned<[u8; FILE.len()]> =
            $crate::dunlin::Aligned(*include_bytes!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.dunlin")));
        #[unsafe(no_mangle)]
        static mut DUNLIN_ARENA: $crate::dunlin::Arena<{ net::ARENA_BYTES }> = $crate::dunlin::Arena::new();
    };
}
