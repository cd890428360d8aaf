//! What of a firmware goes into the flash.

use std::path::Path;

use espflash::flasher::{FlashData, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::error::{Error, Result};

/// A firmware, and where it was read.
pub struct Image {
    pub bytes: Vec<u8>,
}

/// Bytes at an address of the flash.
pub struct Segment {
    pub address: u64,
    pub bytes: Vec<u8>,
}

/// The flash of the smallest of the chip's usual modules.
const ESP_FLASH: FlashSize = FlashSize::_4Mb;

pub fn read(path: &Path) -> Result<Image> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok(Image { bytes })
}

impl Image {
    /// Whether it is for an Arm core, not for RISC-V.
    pub fn is_arm(&self) -> Result<bool> {
        let header = self.header()?;
        Ok(header.e_machine(Endianness::Little) == elf::EM_ARM)
    }

    /// What goes into the flash of this chip. For Espressif's chips these are bootloader, partition table and the
    /// application in their own format; for all others the ELF file's segments.
    pub fn segments(&self, chip: &str) -> Result<Vec<Segment>> {
        match chip.parse::<Chip>() {
            Ok(chip) => self.espressif(chip),
            Err(_) => self.loaded(),
        }
    }

    fn loaded(&self) -> Result<Vec<Segment>> {
        let endian = Endianness::Little;
        let headers = self.header()?.program_headers(endian, &*self.bytes).map_err(unreadable)?;
        let mut segments = Vec::new();
        for header in headers {
            let bytes =
                header.data(endian, &*self.bytes).map_err(|()| Error::Elf("it is cut off".to_owned()))?;
            if header.p_type(endian) == elf::PT_LOAD && !bytes.is_empty() {
                segments.push(Segment { address: header.p_paddr(endian).into(), bytes: bytes.to_vec() });
            }
        }
        Ok(segments)
    }

    fn espressif(&self, chip: Chip) -> Result<Vec<Segment>> {
        let mut settings = FlashSettings::default();
        settings.size = Some(ESP_FLASH);
        let data = FlashData::new(settings, 0, None, chip, chip.default_xtal_frequency());
        let format = IdfBootloaderFormat::new(&self.bytes, &data, None, None, None, None)
            .map_err(|error| Error::WrongImage { chip: chip.to_string(), reason: error.to_string() })?;
        let segments = format.flash_segments();
        Ok(segments.map(|part| Segment { address: part.addr.into(), bytes: part.data.to_vec() }).collect())
    }

    fn header(&self) -> Result<&elf::FileHeader32<Endianness>> {
        elf::FileHeader32::parse(&*self.bytes).map_err(unreadable)
    }
}

fn unreadable(error: object::Error) -> Error {
    Error::Elf(error.to_string())
}
