//! What all board crates share: the link to the host, faults, logs, the counting of instructions, and the firmware's
//! loop in its two uses ([`baked`] and [`suite`]), between which [`serve!`] chooses.
//!
//! A board crate adds what differs: the memory map, the startup code, and the data in its `Cargo.toml`.
#![no_std]

pub mod baked;
mod counter;
mod fault;
mod link;
mod log;
mod semihosting;
mod stack;
pub mod suite;

pub use dunlin;

/// What the firmware does, for ever: it runs the model in the folder that the environment variable
/// `DUNLIN_FIRMWARE_DIR` named at build time (`net.dunlin` and `net.rs`, as the converter writes them) on each sample
/// from the host, or without that variable whatever models the host sends.
///
/// A board's `main` calls this once. The symbols `DUNLIN_MODEL` and `DUNLIN_ARENA` are for tools that measure the ELF
/// file; both are multiples of 16 bytes long.
#[macro_export]
macro_rules! serve {
    () => {{
        #[cfg(not(dunlin_baked))]
        $crate::suite::serve();

        #[cfg(dunlin_baked)]
        {
            mod net {
                use $crate::dunlin;
                include!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.rs"));
            }
            /// Whether rows arrive: known to the compiler, so that firmware has the code for it only then.
            const FED: bool =
                FILE.len() > $crate::dunlin::format::FED_AT && FILE[$crate::dunlin::format::FED_AT] != 0;
            const FILE: &[u8] = include_bytes!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.dunlin"));

            #[unsafe(no_mangle)]
            static DUNLIN_MODEL: $crate::dunlin::Aligned<[u8; FILE.len()]> =
                $crate::dunlin::Aligned(*include_bytes!(concat!(env!("DUNLIN_FIRMWARE_DIR"), "/net.dunlin")));
            #[unsafe(no_mangle)]
            static mut DUNLIN_ARENA: $crate::dunlin::Arena<{ net::ARENA_BYTES }> =
                $crate::dunlin::Arena::new();

            // SAFETY: `main` runs once, and nothing else names the arena.
            let arena = unsafe { &mut *(&raw mut DUNLIN_ARENA) };
            $crate::baked::serve::<FED, { cfg!(dunlin_count_steps) }>(&DUNLIN_MODEL.0, net::OPS, arena)
        }
    }};
}
