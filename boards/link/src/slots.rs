//! Models that outlive a restart: two slots of flash, of which one is written while the other is in use.
//!
//! A slot begins with a record of [`RECORD_BYTES`]; the model's file follows. Its sectors are erased as the file
//! arrives, the record's first, and the record is written last, when the model has been checked where it lies. Power that
//! fails at any moment thus leaves the slot in use as it was and the other one without a record, or with a whole one:
//! the newest model whose record and check are good is used.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use dunlin::Aligned;

use crate::message::DATA_MAX_BYTES;

/// The record in front of a model, and what offsets and lengths of writes are multiples of: no flash that is known asks
/// for more.
pub const RECORD_BYTES: usize = 32;

const MAGIC: u32 = u32::from_le_bytes(*b"DNLS");
const ERASED: u8 = 0xff;
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The flash does not take what is written, or does not give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// Half of the flash for models.
pub trait Slot {
    /// All of it, where it is read: it begins at a multiple of 16.
    fn bytes(&self) -> &[u8];
    /// How much is erased at a time.
    fn sector_bytes(&self) -> usize;
    /// Erases the sector at `offset`, a multiple of its size: all bytes become 0xff.
    ///
    /// # Errors
    /// If the flash does not work.
    fn erase(&mut self, offset: usize) -> Result<(), Failed>;
    /// Writes to bytes that have been erased; offset and length are multiples of [`RECORD_BYTES`], and `bytes` lies at a
    /// multiple of 4.
    ///
    /// # Errors
    /// If the flash does not work.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Failed>;
}

/// Which model a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The newer of two slots has the larger one.
    pub generation: u32,
    /// The model's length.
    pub n_bytes: usize,
    /// The checksum of the firmware's own model, 0 if it has none: another firmware does not use what this one stored.
    pub base: u32,
}

impl Record {
    /// The record of a slot, if it has one.
    pub fn read(slot: &dyn Slot) -> Option<Record> {
        let (fields, crc) = slot.bytes().first_chunk::<20>()?.split_last_chunk::<4>()?;
        let word = |at: usize| Some(u32::from_le_bytes(*fields.get(at..)?.first_chunk()?));
        let record = Record { generation: word(4)?, n_bytes: word(8)? as usize, base: word(12)? };
        let is_whole = CRC.checksum(fields) == u32::from_le_bytes(*crc) && word(0)? == MAGIC;
        (is_whole && record.n_bytes <= capacity(slot)).then_some(record)
    }

    fn encode(self) -> Aligned<[u8; RECORD_BYTES]> {
        let mut bytes = [ERASED; RECORD_BYTES];
        let words = [MAGIC, self.generation, self.n_bytes as u32, self.base];
        let fields = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        if let Some((fields, rest)) = bytes.split_at_mut_checked(size_of_val(&words)) {
            let crc = CRC.checksum(fields).to_le_bytes();
            rest.iter_mut().zip(crc).for_each(|(to, from)| *to = from);
        }
        Aligned(bytes)
    }
}

/// The longest model that a slot takes.
pub(crate) fn capacity(slot: &dyn Slot) -> usize {
    slot.bytes().len().saturating_sub(RECORD_BYTES)
}

/// The first bytes of the file in a slot.
pub(crate) fn file(slot: &dyn Slot, n_bytes: usize) -> &[u8] {
    slot.bytes().get(RECORD_BYTES..).and_then(|file| file.get(..n_bytes)).unwrap_or_default()
}

/// Writes the next part of a file; each begins at a multiple of [`RECORD_BYTES`] where the one before it ended.
///
/// # Errors
/// If the part is too long, or the flash does not work.
pub(crate) fn write(slot: &mut dyn Slot, offset: usize, data: &[u8]) -> Result<(), Failed> {
    let mut part = Aligned([ERASED; DATA_MAX_BYTES]);
    let n_bytes = data.len().checked_next_multiple_of(RECORD_BYTES).ok_or(Failed)?;
    let part = part.0.get_mut(..n_bytes).ok_or(Failed)?;
    part.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
    let start = offset.checked_add(RECORD_BYTES).ok_or(Failed)?;
    let end = start.checked_add(n_bytes).filter(|end| *end <= slot.bytes().len()).ok_or(Failed)?;
    let sector_bytes = slot.sector_bytes().max(1);
    // The first part erases the record, too.
    let mut sector = if offset == 0 { 0 } else { start.next_multiple_of(sector_bytes) };
    while sector < end {
        slot.erase(sector)?;
        sector += sector_bytes;
    }
    write_and_compare(slot, start, part)
}

/// Makes the file in a slot the one in use from the next restart on.
///
/// # Errors
/// If the flash does not work.
pub(crate) fn commit(slot: &mut dyn Slot, record: Record) -> Result<(), Failed> {
    write_and_compare(slot, 0, &record.encode().0)
}

fn write_and_compare(slot: &mut dyn Slot, offset: usize, bytes: &[u8]) -> Result<(), Failed> {
    slot.write(offset, bytes)?;
    let written = slot.bytes().get(offset..).and_then(|rest| rest.get(..bytes.len()));
    if written == Some(bytes) { Ok(()) } else { Err(Failed) }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use super::*;

    /// A slot that notices what flash does not allow.
    struct Memory {
        bytes: Vec<u8>,
        erased: Vec<usize>,
    }

    impl Slot for Memory {
        fn bytes(&self) -> &[u8] {
            &self.bytes
        }

        fn sector_bytes(&self) -> usize {
            128
        }

        fn erase(&mut self, offset: usize) -> Result<(), Failed> {
            assert_eq!(offset % 128, 0);
            self.erased.push(offset);
            self.bytes[offset..offset + 128].fill(ERASED);
            Ok(())
        }

        fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Failed> {
            assert_eq!(
                (offset % RECORD_BYTES, bytes.len() % RECORD_BYTES, bytes.as_ptr() as usize % 4),
                (0, 0, 0)
            );
            assert!(self.bytes[offset..].iter().take(bytes.len()).all(|&byte| byte == ERASED), "{offset}");
            self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
    }

    fn memory() -> Memory {
        Memory { bytes: vec![0x55; 1024], erased: Vec::new() }
    }

    #[test]
    fn a_file_in_parts_is_read_where_it_was_written() {
        let mut slot = memory();
        assert_eq!(Record::read(&slot), None);
        let data: Vec<u8> = (0..700).map(|i| i as u8).collect();
        for (i, part) in data.chunks(DATA_MAX_BYTES).enumerate() {
            write(&mut slot, i * DATA_MAX_BYTES, part).unwrap();
        }
        // Each sector once, up to the end of the file.
        assert_eq!(slot.erased, [0, 128, 256, 384, 512, 640]);
        assert_eq!(Record::read(&slot), None, "there is no record before the commit");
        let record = Record { generation: 7, n_bytes: 700, base: 0xdead_beef };
        commit(&mut slot, record).unwrap();
        assert_eq!((Record::read(&slot), file(&slot, 700)), (Some(record), &data[..]));
    }

    #[test]
    fn a_damaged_record_is_none() {
        let mut slot = memory();
        write(&mut slot, 0, &[1; 40]).unwrap();
        commit(&mut slot, Record { generation: 1, n_bytes: 40, base: 0 }).unwrap();
        let whole = slot.bytes.clone();
        for i in 0..20 {
            for bit in 0..8 {
                slot.bytes[i] ^= 1 << bit;
                assert_eq!(Record::read(&slot), None, "{i}");
                slot.bytes.clone_from(&whole);
            }
        }
        // One that is whole, of a model longer than the slot.
        let record = Record { generation: 1, n_bytes: 1024 - RECORD_BYTES + 1, base: 0 };
        slot.bytes[..RECORD_BYTES].copy_from_slice(&record.encode().0);
        assert_eq!(Record::read(&slot), None);
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let mut slot = memory();
        assert_eq!(capacity(&slot), 1024 - RECORD_BYTES);
        assert_eq!(write(&mut slot, 1024 - 2 * RECORD_BYTES, &[0; 33]), Err(Failed));
        assert_eq!(write(&mut slot, 0, &[0; DATA_MAX_BYTES + 1]), Err(Failed));
        assert_eq!(write(&mut slot, usize::MAX, &[0]), Err(Failed));
        assert!(slot.erased.is_empty());
    }

    /// A flash that takes nothing.
    struct Worn([u8; 256]);

    impl Slot for Worn {
        fn bytes(&self) -> &[u8] {
            &self.0
        }

        fn sector_bytes(&self) -> usize {
            256
        }

        fn erase(&mut self, _: usize) -> Result<(), Failed> {
            Ok(())
        }

        fn write(&mut self, _: usize, _: &[u8]) -> Result<(), Failed> {
            Ok(())
        }
    }

    #[test]
    fn what_is_not_there_afterwards_is_noticed() {
        assert_eq!(write(&mut Worn([0; 256]), 0, &[1, 2, 3]), Err(Failed));
        let record = Record { generation: 1, n_bytes: 3, base: 0 };
        assert_eq!(commit(&mut Worn([0; 256]), record), Err(Failed));
    }
}
