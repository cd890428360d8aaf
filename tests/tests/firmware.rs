//! What a product's firmware contains: a release build for the Cortex-M4F with one model and without logs.

use dunlin_converter::device::{
    self, elf,
    emulator::{self, Options},
    firmware::{self, Firmware, Program},
};
use dunlin_tests::boards::{bake, runnable_board};
use dunlin_tests::convnet;
use dunlin_tests::sequences::{self, Sample};

/// Bytes of flash that running a small network may cost, the model not counted.
const MAX_CODE_BYTES: u64 = 27 * 1024;
/// Bytes of RAM that the runtime may keep beside the arena: variables, model and session.
const MAX_KEPT_BYTES: u64 = 512;
/// Bytes of stack that checking and running the small network may take, the firmware's own frames included.
const MAX_STACK_BYTES: u32 = 1888;

/// Parts of (mangled) symbol names that no firmware may have, and what they would mean.
const FORBIDDEN: &[(&str, &str)] = &[
    ("4core9panicking", "something can panic"),
    ("4core3fmt", "something formats text on the device"),
    ("4core6result13unwrap_failed", "something unwraps"),
    ("4core6option13unwrap_failed", "something unwraps"),
    ("__rust_alloc", "something allocates"),
    ("__rg_alloc", "something allocates"),
    ("5alloc", "something uses the crate alloc"),
];

struct Release {
    firmware: Firmware,
    emulation: emulator::Emulation,
    expected: Vec<u8>,
}

/// The firmware of the small network, and what it did; `None` where it cannot be emulated.
fn release() -> Option<Release> {
    let board = runnable_board("cortex-m4")?;
    let home = device::home().unwrap();
    let net = convnet::convnet().unwrap();
    let dir = tempfile::tempdir().unwrap();
    bake(dir.path(), net.bytes(), &net.operator_table().unwrap());
    let firmware = firmware::build(&home, &board, Program::Baked(dir.path()), false).unwrap();
    let inputs = convnet::inputs(5);
    let emulation = emulator::run(&home, &board, &firmware, &inputs, Options::default()).unwrap();
    Some(Release { firmware, emulation, expected: convnet::run(&net, &inputs).unwrap() })
}

/// Symbols that a firmware has and should not.
fn forbidden(firmware: &Firmware) -> Vec<String> {
    let names = elf::symbol_names(&firmware.path, &firmware.elf).unwrap();
    assert!(names.len() > 10, "the firmware was stripped: {names:?}");
    let mut found = Vec::new();
    for (part, meaning) in FORBIDDEN {
        found
            .extend(names.iter().filter(|name| name.contains(part)).map(|name| format!("{name}: {meaning}")));
    }
    found
}

/// Cores have kernels of their own: what cannot panic on one may on another.
#[test]
fn no_core_can_panic() {
    let (home, net) = (device::home().unwrap(), convnet::convnet().unwrap());
    for name in ["armv6m", "cortex-m3", "cortex-m55", "riscv32"] {
        let Some(board) = runnable_board(name) else { continue };
        let dir = tempfile::tempdir().unwrap();
        bake(dir.path(), net.bytes(), &net.operator_table().unwrap());
        let firmware = firmware::build(&home, &board, Program::Baked(dir.path()), false).unwrap();
        let found = forbidden(&firmware);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

/// Networks of sequences and of growing images: what their operators link cannot panic, and computes the host's bytes.
#[test]
fn operators_beside_those_of_the_small_network_cannot_panic() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let home = device::home().unwrap();
    for Sample { program, input } in [sequences::tokens().unwrap(), sequences::image().unwrap()] {
        let dir = tempfile::tempdir().unwrap();
        bake(dir.path(), program.bytes(), &program.operator_table().unwrap());
        let firmware = firmware::build(&home, &board, Program::Baked(dir.path()), false).unwrap();
        let found = forbidden(&firmware);
        assert!(found.is_empty(), "{}: {found:#?}", program.graph.name);
        let emulation = emulator::run(&home, &board, &firmware, &input.bytes(), Options::default()).unwrap();
        println!("{}: {:?}, {:?}", program.graph.name, firmware.sizes().unwrap(), emulation.counts);
        assert_eq!(emulation.output, program.run(&[input]).unwrap()[0].bytes(), "{}", program.graph.name);
    }
}

#[test]
fn a_release_firmware_is_small_and_cannot_panic() {
    let Some(Release { firmware, emulation, expected }) = release() else { return };
    assert_eq!(emulation.output, expected, "the board computes something else than the host");

    let sizes = firmware.sizes().unwrap();
    let (stack_bytes, run_stack_bytes) = (emulation.stack_bytes.unwrap(), emulation.run_stack_bytes.unwrap());
    println!(
        "{sizes:?}, stack: {stack_bytes} bytes, {run_stack_bytes} while running; {:?}",
        emulation.counts
    );
    let found = forbidden(&firmware);
    assert!(found.is_empty(), "{found:#?}");
    assert!(sizes.code_bytes() <= MAX_CODE_BYTES, "{} bytes of code", sizes.code_bytes());
    // Addresses are twice as long here as on the board.
    let kept_bytes =
        sizes.static_bytes() + (size_of::<dunlin::Model>() + size_of::<dunlin::Session>()) as u64;
    assert!(kept_bytes <= MAX_KEPT_BYTES, "{kept_bytes} bytes of variables, model and session");
    assert!(stack_bytes <= MAX_STACK_BYTES, "{stack_bytes} bytes of stack");
}
