//! The loop of a board that serves a host: which model is in use, and where it lies.

use dunlin::{Entry, Model, Session, format};

use crate::message::{Refusal, Reply};
use crate::server::{Board, Clock, Event, Server, answer};

/// The line to the host.
pub trait Wire {
    /// The next byte, waiting for it as long as it takes; `None` if there will never be one.
    fn read(&mut self) -> Option<u8>;
    /// Writes all bytes. What cannot be written is lost: the host will ask again.
    fn write(&mut self, bytes: &[u8]);
}

/// A board, its memory, and the model that it starts with.
pub struct Device<'d> {
    /// Who it is.
    pub board: Board,
    /// Times runs.
    pub clock: &'d mut dyn Clock,
    /// The operators that it has.
    pub ops: &'d [Entry],
    /// The model in flash, if there is one.
    pub model: Option<&'d [u8]>,
    /// An arena of that model's size.
    pub arena: &'d mut [u8],
    /// RAM for nothing else: models that the host transfers, and arenas larger than `arena`.
    pub ram: &'d mut [u8],
}

/// What is in use next.
#[derive(Clone, Copy)]
enum Choice {
    /// The model in flash, or none.
    Flash,
    /// The model of this length at the start of the RAM, for which request `seq` is answered.
    Ram { seq: u32, n_bytes: usize },
    /// The model in flash, after that in RAM was refused.
    Refused { seq: u32, refusal: Refusal },
}

/// Serves the host until the line ends, which it does not on a board.
pub fn serve(mut device: Device, wire: &mut impl Wire) {
    let n_unaligned = device.ram.as_ptr().align_offset(format::ALIGN).min(device.ram.len());
    let ram = core::mem::take(&mut device.ram);
    device.ram = ram.split_at_mut(n_unaligned).1;
    let mut choice = Some(Choice::Flash);
    while let Some(next) = choice {
        choice = match next {
            Choice::Ram { seq, n_bytes } => serve_ram(&mut device, wire, seq, n_bytes),
            Choice::Flash => serve_flash(&mut device, wire),
            Choice::Refused { seq, refusal } => {
                answer(seq, &Reply::Refused(refusal), &mut |bytes| wire.write(bytes));
                serve_flash(&mut device, wire)
            }
        };
    }
}

// Of this and the next only one is on the stack at a time: inlined, both would be.
#[inline(never)]
fn serve_flash(device: &mut Device, wire: &mut impl Wire) -> Option<Choice> {
    let Device { board, clock, ops, model, arena, ram } = device;
    let model = model.ok_or(Refusal::NoModel).and_then(|bytes| Model::check(bytes, ops).map_err(refused));
    let mut session = match &model {
        Ok(model) => Session::new(model, arena).map_err(refused),
        Err(refusal) => Err(*refusal),
    };
    let session = session.as_mut().map_err(|refusal| *refusal);
    listen(&mut Server::new(*board, *clock, session, ram, false), wire)
}

#[inline(never)]
fn serve_ram(device: &mut Device, wire: &mut impl Wire, seq: u32, n_bytes: usize) -> Option<Choice> {
    let Device { board, clock, ops, arena, ram, .. } = device;
    let free_bytes = ram.len() as u32;
    let no_room = Some(Choice::Refused { seq, refusal: Refusal::NoRoom { free_bytes } });
    let Some((model, rest)) =
        n_bytes.checked_next_multiple_of(format::ALIGN).and_then(|n| ram.split_at_mut_checked(n))
    else {
        return no_room;
    };
    let model = match Model::check(model.get(..n_bytes).unwrap_or_default(), ops) {
        Ok(model) => model,
        Err(error) => return Some(Choice::Refused { seq, refusal: refused(error) }),
    };
    let arena = if model.arena_bytes() <= arena.len() { &mut **arena } else { rest };
    let Ok(mut session) = Session::new(&model, arena) else { return no_room };
    answer(seq, &Reply::Switched, &mut |bytes| wire.write(bytes));
    listen(&mut Server::new(*board, *clock, Ok(&mut session), &mut [], true), wire)
}

/// Serves until another model is to be used, or the line ends.
fn listen(server: &mut Server, wire: &mut impl Wire) -> Option<Choice> {
    loop {
        let byte = wire.read()?;
        match server.push(byte, &mut |bytes| wire.write(bytes)) {
            Some(Event::Switch { seq, n_bytes }) => return Some(Choice::Ram { seq, n_bytes }),
            Some(Event::Unload) => return Some(Choice::Flash),
            None => {}
        }
    }
}

fn refused(error: dunlin::Error) -> Refusal {
    Refusal::Model(error as u8)
}
