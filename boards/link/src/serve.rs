//! The loop of a board that serves a host: which model is in use, and where it lies.

use dunlin::{Entry, Model, Session, format};

use crate::message::{Origin, Refusal, Reply};
use crate::server::{Board, Clock, Event, Memory, Server, answer};
use crate::slots::{self, Record, Slot};

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
    /// The firmware's own model, if there is one.
    pub model: Option<&'d [u8]>,
    /// An arena of that model's size.
    pub arena: &'d mut [u8],
    /// RAM for nothing else: models that the host transfers, and arenas larger than `arena`.
    pub ram: &'d mut [u8],
    /// Flash for models that are to stay, in two halves of equal length.
    pub slots: Option<[&'d mut dyn Slot; 2]>,
}

/// What is in use next.
#[derive(Clone, Copy)]
enum Choice {
    /// What is in use after a restart; before that, an answer to a request.
    Home(Option<(u32, Reply<'static>)>),
    /// The model of this length at the start of the RAM, for which request `seq` is answered.
    Ram { seq: u32, n_bytes: usize },
    /// The model of this length in the spare slot, for which request `seq` is answered.
    Stored { seq: u32, n_bytes: usize },
}

/// Serves the host until the line ends, which it does not on a board.
pub fn serve(mut device: Device, wire: &mut impl Wire) {
    let n_unaligned = device.ram.as_ptr().align_offset(format::ALIGN).min(device.ram.len());
    let ram = core::mem::take(&mut device.ram);
    device.ram = ram.split_at_mut(n_unaligned).1;
    let mut home = newest(&device);
    let mut choice = Some(Choice::Home(None));
    while let Some(next) = choice {
        choice = match next {
            Choice::Home(said) => {
                if let Some((seq, reply)) = said {
                    answer(seq, &reply, &mut |bytes| wire.write(bytes));
                }
                serve_home(&mut device, wire, home)
            }
            Choice::Ram { seq, n_bytes } => serve_ram(&mut device, wire, home, seq, n_bytes),
            Choice::Stored { seq, n_bytes } => {
                let reply = match store(&mut device, home, n_bytes) {
                    Ok(slot) => {
                        home = Some(slot);
                        Reply::Switched
                    }
                    Err(refusal) => Reply::Refused(refusal),
                };
                Some(Choice::Home(Some((seq, reply))))
            }
        };
    }
}

impl Device<'_> {
    /// What the records of this firmware name: those of another one do not count.
    fn base(&self) -> u32 {
        self.model.and_then(checksum_of).unwrap_or(0)
    }

    /// The record of a slot, if it is this firmware's.
    fn record(&self, slot: usize) -> Option<Record> {
        let record = Record::read(&**self.slots.as_ref()?.get(slot)?)?;
        (record.base == self.base()).then_some(record)
    }

    /// Whether the model of this length in a slot can be run.
    fn check(&self, slot: usize, n_bytes: usize) -> Result<(), Refusal> {
        let no_flash = Refusal::NoRoomInFlash { flash_bytes: 0 };
        let slot = self.slots.as_ref().and_then(|slots| slots.get(slot)).ok_or(no_flash)?;
        let model = Model::check(slots::file(&**slot, n_bytes), self.ops).map_err(refused)?;
        match model.arena_bytes() <= self.arena.len().max(self.ram.len()) {
            true => Ok(()),
            false => Err(Refusal::NoRoom { free_bytes: self.ram.len() as u32 }),
        }
    }
}

/// The slot with the newest model that can be run.
fn newest(device: &Device) -> Option<usize> {
    let usable =
        |slot: &usize| device.record(*slot).is_some_and(|record| device.check(*slot, record.n_bytes).is_ok());
    (0..2).filter(usable).max_by_key(|slot| device.record(*slot).map_or(0, |record| record.generation))
}

/// Checks the model in the spare slot, and makes it the one in use, now and after restarts.
#[inline(never)]
fn store(device: &mut Device, home: Option<usize>, n_bytes: usize) -> Result<usize, Refusal> {
    let spare = if home == Some(0) { 1 } else { 0 };
    device.check(spare, n_bytes)?;
    let newest = home.and_then(|slot| device.record(slot)).map_or(0, |record| record.generation);
    let record = Record { generation: newest.wrapping_add(1), n_bytes, base: device.base() };
    let slot = device.slots.as_mut().and_then(|slots| slots.get_mut(spare)).ok_or(Refusal::FlashFailed)?;
    slots::commit(&mut **slot, record).map_err(|slots::Failed| Refusal::FlashFailed)?;
    Ok(spare)
}

/// The slot in use, if it is one, and the one that may be written.
fn split<'s>(
    slots: &'s mut Option<[&mut dyn Slot; 2]>,
    home: Option<usize>,
) -> (Option<&'s dyn Slot>, Option<&'s mut dyn Slot>) {
    match (slots, home) {
        (None, _) => (None, None),
        (Some([first, _]), None) => (None, Some(&mut **first)),
        (Some([first, second]), Some(0)) => (Some(&**first), Some(&mut **second)),
        (Some([first, second]), Some(_)) => (Some(&**second), Some(&mut **first)),
    }
}

// Of this and the next only one is on the stack at a time: inlined, both would be.
#[inline(never)]
fn serve_home(device: &mut Device, wire: &mut impl Wire, home: Option<usize>) -> Option<Choice> {
    let record = home.and_then(|slot| device.record(slot));
    let Device { board, clock, ops, model, arena, ram, slots } = device;
    let (used, spare) = split(slots, home);
    let stored = used.zip(record).map(|(slot, record)| slots::file(slot, record.n_bytes));
    let origin = if stored.is_some() { Origin::Stored } else { Origin::Firmware };
    let bytes = stored.or(*model).ok_or(Refusal::NoModel);
    let model = bytes.and_then(|bytes| Model::check(bytes, ops).map_err(refused));
    let (mut arena, mut store) = (&mut **arena, &mut **ram);
    if let Ok(model) = &model
        && model.arena_bytes() > arena.len()
    {
        // From the end: what is transferred goes to the start.
        let start = store.len().saturating_sub(model.arena_bytes()) / format::ALIGN * format::ALIGN;
        (store, arena) = store.split_at_mut(start);
    }
    let mut session = match &model {
        Ok(model) => Session::new(model, arena).map_err(refused),
        Err(refusal) => Err(*refusal),
    };
    let session = session.as_mut().map_err(|refusal| *refusal);
    listen(&mut Server::new(*board, *clock, session, Memory { store, spare }, origin), wire)
}

#[inline(never)]
fn serve_ram(
    device: &mut Device,
    wire: &mut impl Wire,
    home: Option<usize>,
    seq: u32,
    n_bytes: usize,
) -> Option<Choice> {
    let Device { board, clock, ops, arena, ram, slots, .. } = device;
    let refuse = |refusal| Some(Choice::Home(Some((seq, Reply::Refused(refusal)))));
    let no_room = Refusal::NoRoom { free_bytes: ram.len() as u32 };
    let Some((model, rest)) =
        n_bytes.checked_next_multiple_of(format::ALIGN).and_then(|n| ram.split_at_mut_checked(n))
    else {
        return refuse(no_room);
    };
    let model = match Model::check(model.get(..n_bytes).unwrap_or_default(), ops) {
        Ok(model) => model,
        Err(error) => return refuse(refused(error)),
    };
    let arena = if model.arena_bytes() <= arena.len() { &mut **arena } else { rest };
    let Ok(mut session) = Session::new(&model, arena) else { return refuse(no_room) };
    answer(seq, &Reply::Switched, &mut |bytes| wire.write(bytes));
    let memory = Memory { store: &mut [], spare: split(slots, home).1 };
    listen(&mut Server::new(*board, *clock, Ok(&mut session), memory, Origin::Ram), wire)
}

/// Serves until another model is to be used, or the line ends.
fn listen(server: &mut Server, wire: &mut impl Wire) -> Option<Choice> {
    loop {
        let byte = wire.read()?;
        match server.push(byte, &mut |bytes| wire.write(bytes)) {
            Some(Event::Switch { seq, n_bytes, stored: false }) => return Some(Choice::Ram { seq, n_bytes }),
            Some(Event::Switch { seq, n_bytes, stored: true }) => {
                return Some(Choice::Stored { seq, n_bytes });
            }
            Some(Event::Unload) => return Some(Choice::Home(None)),
            None => {}
        }
    }
}

/// The checksum in a file: behind magic, version, rounding and fed; see runtime/FORMAT.md.
fn checksum_of(file: &[u8]) -> Option<u32> {
    file.get(8..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn refused(error: dunlin::Error) -> Refusal {
    Refusal::Model(error as u8)
}
