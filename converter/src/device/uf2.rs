//! UF2 files, which a Raspberry Pi Pico takes as a USB drive, without a debug probe.
//!
//! Source: Microsoft, "USB Flashing Format (UF2)": blocks of 512 bytes, here with 256 bytes of the flash each.

use std::collections::BTreeMap;
use std::path::Path;

use object::{Endianness, elf, read::elf::FileHeader, read::elf::ProgramHeader};

use super::{Error, Result};

/// Bytes of the flash in a block; a block's address is a multiple of it.
const PAGE_BYTES: usize = 256;
const BLOCK_BYTES: usize = 512;
const MAGIC: [u32; 2] = [0x0a32_4655, 0x9e5d_5157];
const END_MAGIC: u32 = 0x0ab1_6f30;
/// The block names the kind of chip that it is for.
const HAS_FAMILY: u32 = 0x2000;
/// Erased flash.
const ERASED: u8 = 0xff;

/// The number of a kind of chip in UF2 files, for those that take them.
pub fn family(chip: &str) -> Option<u32> {
    match chip {
        "RP2040" => Some(0xe48b_ff56),
        "RP235x" => Some(0xe48b_ff59),
        _ => None,
    }
}

/// The UF2 file of a firmware; `path` is for errors.
///
/// # Errors
/// If the firmware is no ELF file, or has nothing for the flash.
pub fn of_elf(path: &Path, elf: &[u8], family: u32) -> Result<Vec<u8>> {
    let unreadable = |problem: String| Error::Content { path: path.to_owned(), problem };
    let broken = |error: object::Error| unreadable(format!("expected firmware in ELF format: {error}"));
    let header = elf::FileHeader32::<Endianness>::parse(elf).map_err(broken)?;
    let endian = Endianness::Little;
    let mut pages = BTreeMap::new();
    for part in header.program_headers(endian, elf).map_err(broken)? {
        let bytes = part.data(endian, elf).map_err(|()| unreadable("the firmware is cut off".to_owned()))?;
        if part.p_type(endian) == elf::PT_LOAD {
            put(&mut pages, part.p_paddr(endian), bytes);
        }
    }
    match pages.is_empty() {
        true => Err(unreadable("the firmware has nothing for the flash".to_owned())),
        false => Ok(blocks(&pages, family)),
    }
}

fn put(pages: &mut BTreeMap<u32, [u8; PAGE_BYTES]>, address: u32, bytes: &[u8]) {
    for (address, &byte) in (address..).zip(bytes) {
        let at = address % PAGE_BYTES as u32;
        pages.entry(address - at).or_insert([ERASED; PAGE_BYTES])[at as usize] = byte;
    }
}

fn blocks(pages: &BTreeMap<u32, [u8; PAGE_BYTES]>, family: u32) -> Vec<u8> {
    let n_blocks = pages.len() as u32;
    let mut file = Vec::with_capacity(pages.len() * BLOCK_BYTES);
    for (i, (&address, page)) in (0..).zip(pages) {
        let head = [MAGIC[0], MAGIC[1], HAS_FAMILY, address, PAGE_BYTES as u32, i, n_blocks, family];
        file.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(page);
        file.resize((i as usize + 1) * BLOCK_BYTES - size_of_val(&END_MAGIC), 0);
        file.extend(END_MAGIC.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_pages_at_their_addresses() {
        let mut pages = BTreeMap::new();
        put(&mut pages, 0x1000_00f8, &[1; 16]);
        put(&mut pages, 0x1000_0300, &[2]);
        let file = blocks(&pages, 7);
        assert_eq!(file.len(), 3 * BLOCK_BYTES);
        let word = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap());
        for (i, address) in [0x1000_0000, 0x1000_0100, 0x1000_0300].into_iter().enumerate() {
            let block = i * BLOCK_BYTES;
            let head = [0, 4, 8, 12, 16, 20, 24, 28].map(|at| word(block + at));
            assert_eq!(head, [0x0a32_4655, 0x9e5d_5157, 0x2000, address, 256, i as u32, 3, 7]);
            assert_eq!(word(block + 508), 0x0ab1_6f30);
        }
        assert_eq!((file[32 + 0xf7], file[32 + 0xf8], file[BLOCK_BYTES + 32 + 7]), (ERASED, 1, 1));
        assert_eq!(file[2 * BLOCK_BYTES + 32..][..2], [2, ERASED]);
    }

    #[test]
    fn what_is_no_firmware_is_named() {
        let error = of_elf(Path::new("x.bin"), b"not an ELF file", 7).unwrap_err().to_string();
        assert!(error.contains("x.bin") && error.contains("ELF"), "{error}");
    }
}
