//! Writing through a debug probe.

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use probe_rs::architecture::arm::ArmError;
use probe_rs::config::TargetSelector;
use probe_rs::flashing::{DownloadOptions, FlashLoader, FlashProgress, ProgressEvent, ProgressOperation};
use probe_rs::probe::{DebugProbeError, DebugProbeInfo, Probe, list::Lister};
use probe_rs::{Permissions, Session, Target};

use crate::error::{Error, Result, causes};

/// The chip must halt within this time.
const HALT: Duration = Duration::from_millis(500);

/// Letters by which names of chips agree if they are the same but for package and size: `nRF52840`, `STM32F411`.
const N_NAME_LETTERS: usize = 7;

/// Connects to the chip through the probe: the one that is named, or the only one.
pub fn attach(target: &Target, selector: Option<&str>) -> Result<Session> {
    let probe = choose(Lister::new().list_all(), selector)?;
    let name = probe.to_string();
    let open = || probe.open().map_err(|error| not_opened(&name, &error));
    // Not every chip tells what it is; those that do are not taken for another one.
    if let Ok(session) = open()?.attach(TargetSelector::Auto, Permissions::default()) {
        check_chip(&session.target().name, &target.name)?;
    }
    attach_to(open()?, &name, target)
}

fn attach_to(probe: Probe, name: &str, target: &Target) -> Result<Session> {
    let chip = target.name.clone();
    probe.attach(target.clone(), Permissions::default()).map_err(|error| match error {
        // What is not permitted is to erase it whole, which would unlock it.
        probe_rs::Error::MissingPermissions(reason)
        | probe_rs::Error::Arm(ArmError::MissingPermissions(reason)) => Error::Locked { chip, reason },
        error => Error::NoChip { probe: name.to_owned(), chip, reason: causes(&error) },
    })
}

/// Why a probe that is connected cannot be opened.
fn not_opened(name: &str, error: &DebugProbeError) -> Error {
    let (probe, reason) = (name.to_owned(), causes(error));
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::PermissionDenied) {
            return Error::Denied { probe, reason };
        }
        cause = error.source();
    }
    Error::Busy { probe, reason }
}

fn choose(probes: Vec<DebugProbeInfo>, selector: Option<&str>) -> Result<DebugProbeInfo> {
    let key = |probe: &DebugProbeInfo| {
        let id = format!("{:04x}:{:04x}", probe.vendor_id, probe.product_id);
        match &probe.serial_number {
            Some(serial) => format!("{id}:{serial}"),
            None => id,
        }
    };
    let keys = probes.iter().map(key).collect::<Vec<_>>().join(", ");
    let mut matching: Vec<_> = probes
        .into_iter()
        .filter(|probe| selector.is_none_or(|selector| key(probe).starts_with(&selector.to_lowercase())))
        .collect();
    match (matching.pop(), matching.is_empty(), selector) {
        (Some(probe), true, _) => Ok(probe),
        (Some(_), false, _) => Err(Error::SeveralProbes(keys)),
        (None, _, Some(wanted)) if !keys.is_empty() => {
            Err(Error::NoSuchProbe { wanted: wanted.to_owned(), found: keys })
        }
        (None, ..) => Err(Error::NoProbe),
    }
}

/// The chip that was found must be of the kind that the firmware is for.
fn check_chip(found: &str, wanted: &str) -> Result<()> {
    let letters = |name: &str| name.to_lowercase().chars().take(N_NAME_LETTERS).collect::<String>();
    if letters(found) == letters(wanted) {
        return Ok(());
    }
    Err(Error::WrongChip { found: found.to_owned(), wanted: wanted.to_owned() })
}

/// Erases, writes, verifies and starts the firmware.
pub fn program(session: &mut Session, loader: &FlashLoader) -> Result<()> {
    commit(session, loader, false)?;
    let failed = |error: probe_rs::Error| Error::Flash(causes(&error));
    let mut core = session.core(0).map_err(failed)?;
    core.reset_and_halt(HALT).map_err(failed)?;
    core.run().map_err(failed)
}

fn commit(session: &mut Session, loader: &FlashLoader, dry_run: bool) -> Result<()> {
    let bar = ProgressBar::hidden();
    let style = ProgressStyle::with_template("{msg:>10} [{bar:40}] {bytes} of {total_bytes}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut options = DownloadOptions::new();
    options.verify = true;
    options.dry_run = dry_run;
    options.progress = FlashProgress::new(|event| show(&bar, event));
    let result = loader.commit(session, options).map_err(|error| Error::Flash(causes(&error)));
    bar.finish_and_clear();
    result
}

fn show(bar: &ProgressBar, event: ProgressEvent) {
    match event {
        ProgressEvent::Started(operation) => {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.set_position(0);
            bar.set_message(match operation {
                ProgressOperation::Fill => "reading",
                ProgressOperation::Erase => "erasing",
                ProgressOperation::Program => "writing",
                ProgressOperation::Verify => "verifying",
            });
        }
        ProgressEvent::AddProgressBar { total: Some(total), .. } => {
            bar.set_length(bar.length().unwrap_or(0).max(total));
        }
        ProgressEvent::Progress { size, .. } => bar.inc(size),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use probe_rs::architecture::arm::FullyQualifiedApAddress;
    use probe_rs::integration::{FakeProbe, Operation};
    use probe_rs::probe::ProbeCreationError;

    use super::*;
    use crate::plan;

    /// As far as the fake probe goes: it attaches, and takes the plan; it has no flash to write.
    #[test]
    fn an_image_is_committed_to_a_fake_probe() {
        let target = plan::target("nRF51822_xxAC").unwrap();
        let mut loader = target.flash_loader();
        loader.add_data(0, &[0x55; 5000]).unwrap();
        let mut session = attach_to(FakeProbe::with_mocked_core().into_probe(), "fake", &target).unwrap();
        commit(&mut session, &loader, true).unwrap();
    }

    /// A nRF52833 says in a register of its access port for control whether it may be read: bit 0.
    fn nrf52833(unlocked: u32) -> Result<Session> {
        let probe = FakeProbe::with_mocked_core();
        for _ in 0..8 {
            probe.expect_operation(Operation::ReadRawApRegister {
                ap: FullyQualifiedApAddress::v1_with_default_dp(1),
                address: 0xc,
                result: unlocked,
            });
        }
        attach_to(probe.into_probe(), "fake", &plan::target("nRF52833_xxAA").unwrap())
    }

    #[test]
    fn a_locked_chip_is_told_from_an_open_one() {
        assert!(nrf52833(1).is_ok());
        let error = nrf52833(0).err().unwrap().to_string();
        assert!(error.contains("is locked") && error.contains("erase --chip nRF52833_xxAA"), "{error}");
    }

    #[test]
    fn without_a_probe_the_user_is_told_what_to_connect() {
        let error = choose(Vec::new(), None).err().unwrap().to_string();
        assert!(error.contains("no debug probe found") && error.contains("udev"), "{error}");
        assert!(matches!(choose(Vec::new(), Some("0d28:0204")), Err(Error::NoProbe)));
    }

    #[test]
    fn a_probe_that_is_busy_is_told_from_one_that_may_not_be_used() {
        let usb = |kind: io::ErrorKind| {
            let error = DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::Usb(kind.into()));
            not_opened("CMSIS-DAP", &error).to_string()
        };
        let busy = usb(io::ErrorKind::ResourceBusy);
        assert!(busy.contains("CMSIS-DAP cannot be opened") && busy.contains("another program"), "{busy}");
        let denied = usb(io::ErrorKind::PermissionDenied);
        assert!(
            denied.contains("may not use the debug probe CMSIS-DAP") && denied.contains("udev"),
            "{denied}"
        );
        let other = DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::CouldNotOpen);
        assert!(matches!(not_opened("x", &other), Error::Busy { .. }));
    }

    #[test]
    fn another_chip_than_the_boards_is_refused() {
        assert!(check_chip("nRF52833_xxAA", "nRF52833_xxAA").is_ok());
        assert!(check_chip("STM32F411CEUx", "STM32F411RETx").is_ok());
        let error = check_chip("nRF52833_xxAA", "nRF52840_xxAA").unwrap_err().to_string();
        assert!(error.contains("has a nRF52833_xxAA, not a nRF52840_xxAA"), "{error}");
    }
}
