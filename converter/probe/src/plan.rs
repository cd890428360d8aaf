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
