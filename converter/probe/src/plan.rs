//! Which sectors are erased and which pages are written: from probe-rs's descriptions of the chips, without a probe.

use std::collections::BTreeSet;

use probe_rs::Target;
use probe_rs::config::Registry;
use probe_rs::flashing::{FlashAlgorithm, FlashLoader};
use serde::Serialize;

use crate::error::{Error, Result, causes};
use crate::image::Image;

/// What flashing a firmware does.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The chip.
    pub chip: String,
    /// Sectors to be erased.
    pub sectors: usize,
    /// Pages to be written.
    pub pages: usize,
    /// Bytes of the firmware in flash.
    pub bytes: usize,
}

/// The chip of this name.
pub fn target(chip: &str) -> Result<Target> {
    let target = Registry::from_builtin_families().get_target_by_name(chip);
    target.map_err(|_| Error::UnknownChip(chip.to_owned()))
}

/// All that is to be written to a chip, which has flash at these addresses.
pub fn loader(image: &Image, target: &Target) -> Result<FlashLoader> {
    let wrong = |reason: String| Error::WrongImage { chip: target.name.clone(), reason };
    let chip_is_arm = target.architecture() == probe_rs::Architecture::Arm;
    if image.is_arm()? != chip_is_arm {
        return Err(wrong("its core has another instruction set".to_owned()));
    }
    let mut loader = target.flash_loader();
    for part in image.segments(&target.name)? {
        loader.add_data(part.address, &part.bytes).map_err(|error| {
            wrong(format!("{} bytes at {:#010x}: {}", part.bytes.len(), part.address, causes(&error)))
        })?;
    }
    Ok(loader)
}

/// What writing an image to a chip does.
pub fn plan(image: &Image, chip: &str) -> Result<Plan> {
    let target = target(chip)?;
    let loader = loader(image, &target)?;
    let (mut sectors, mut pages, mut bytes) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (address, data) in loader.data() {
        let algorithm = algorithm(&target, address)?;
        let end = address + data.len() as u64;
        bytes += data.len();
        let mut at = address;
        while at < end {
            let none = || Error::NoAlgorithm { chip: target.name.clone(), address: at };
            let page = algorithm.page_info(at).ok_or_else(none)?;
            let sector = algorithm.sector_info(at).ok_or_else(none)?;
            pages.insert(page.base_address);
            sectors.insert(sector.base_address);
            // The next byte that may be in another page or sector.
            let page_end = page.base_address + u64::from(page.size);
            at = page_end.min(sector.base_address + sector.size);
        }
    }
    Ok(Plan { chip: target.name.clone(), sectors: sectors.len(), pages: pages.len(), bytes })
}

/// The way to write the flash at an address: the chip's default one if it has several.
fn algorithm(target: &Target, address: u64) -> Result<FlashAlgorithm> {
    let holds = |algorithm: &&probe_rs_target::RawFlashAlgorithm| {
        algorithm.flash_properties.address_range.contains(&address)
    };
    let of_address: Vec<_> = target.flash_algorithms.iter().filter(holds).collect();
    let raw = of_address.iter().find(|algorithm| algorithm.default).or(of_address.first());
    let none = || Error::NoAlgorithm { chip: target.name.clone(), address };
    FlashAlgorithm::assemble_from_raw_with_core(raw.ok_or_else(none)?, &target.default_core().name, target)
        .map_err(|_| none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM: u16 = 40;
    const RISCV: u16 = 243;

    /// An ELF file with one segment. Source: "Tool Interface Standard, Executable and Linking Format", version 1.2.
    fn image(machine: u16, address: u32, n_bytes: u32) -> Image {
        let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([2u16, machine].iter().flat_map(|half| half.to_le_bytes()));
        // Version, entry, program headers, sections, flags.
        bytes.extend([1u32, address, 52, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([52u16, 32, 1, 0, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
        // PT_LOAD: where in the file, addresses, lengths, flags, alignment.
        let segment = [1u32, 84, address, address, n_bytes, n_bytes, 5, 4];
        bytes.extend(segment.iter().flat_map(|word| word.to_le_bytes()));
        bytes.resize(84 + n_bytes as usize, 0xa5);
        Image { bytes }
    }

    #[test]
    fn sectors_and_pages_are_those_of_the_chip() {
        let plan_of = |address, n_bytes, chip| {
            let plan = plan(&image(ARM, address, n_bytes), chip).unwrap();
            (plan.chip, plan.sectors, plan.pages, plan.bytes)
        };
        assert_eq!(plan_of(0, 5000, "nRF52833_xxAA"), ("nRF52833_xxAA".into(), 2, 2, 5000));
        // Sectors of 16 KB at first, then one of 64 KB; pages of 1 KB.
        assert_eq!(plan_of(0x0800_0000, 70_000, "STM32F411RETx").1, 5);
        assert_eq!(plan_of(0x0800_0000, 70_000, "STM32F411RETx").2, 69);
    }

    #[test]
    fn what_is_not_for_the_chip_is_refused() {
        let error = |image: &Image, chip: &str| plan(image, chip).unwrap_err().to_string();
        let large = error(&image(ARM, 0, 600 << 10), "nRF52833_xxAA");
        assert!(
            large.contains("another chip than nRF52833_xxAA") && large.contains("614400 bytes"),
            "{large}"
        );
        let riscv = error(&image(RISCV, 0, 100), "nRF52833_xxAA");
        assert!(riscv.contains("another instruction set"), "{riscv}");
        let unknown = error(&image(ARM, 0, 100), "z80");
        assert!(unknown.contains("no chip \"z80\""), "{unknown}");
        let mut cut = image(ARM, 0, 100);
        cut.bytes.truncate(120);
        let cut = error(&cut, "nRF52833_xxAA");
        assert!(cut.contains("not an ELF file") && cut.contains("cut off"), "{cut}");
    }
}
