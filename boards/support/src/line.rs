//! The firmware that serves a host over a line; the protocol is `boards/link`'s.

use dunlin::Entry;
use dunlin_link::{Board, Clock, Device, Wire};

use crate::{log, stack};

/// Serves the host with all RAM that nothing else needs; see [`serve!`](crate::serve).
pub fn serve(
    board: Board,
    wire: &mut impl Wire,
    clock: &mut dyn Clock,
    model: Option<&[u8]>,
    ops: &[Entry],
    arena: &mut [u8],
) -> ! {
    // SAFETY: the only call.
    let ram = unsafe { stack::free_ram() };
    log::info!("{=str} serves a host; {=usize} bytes of RAM for models", board.name, ram.len());
    dunlin_link::serve(Device { board, clock, ops, model, arena, ram }, wire);
    // A board's line never ends; if it does, there is nothing left to do.
    loop {
        core::hint::spin_loop();
    }
}
