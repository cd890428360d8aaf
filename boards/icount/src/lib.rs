//! QEMU plugin that counts executed instructions by their classes: in total, and in each region that the firmware marks.
//!
//! `-plugin libdunlin_icount.so,out=FILE` writes at exit the JSON object
//! `{"total": [812, 0, ...], "regions": [[400, ...], [12, ...]]}`, where each list holds the counts of the classes of
//! `boards/timing` in their order, and regions stand in the order in which they ended. The markers are those of
//! `boards/support/src/counter.rs`; they are not counted themselves. Regions do not nest.
//!
//! Source of the interface: QEMU's `include/qemu/qemu-plugin.h`, of which this declares what it uses.

mod ffi;

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fs,
    sync::{Mutex, OnceLock},
};

use dunlin_timing::{Counter, Instruction, Isa, Tally};

/// What was executed so far. The emulated boards have one core, so there is one writer, as it asks for.
static COUNTER: Counter = Counter::new();
/// What it held where the current region began, and the counts of each region that ended.
static REGIONS: Mutex<Regions> = Mutex::new(Regions { start: None, ended: Vec::new() });
/// What the emulated core understands.
static ISA: OnceLock<Isa> = OnceLock::new();
/// Where to write the counts.
static OUT_PATH: OnceLock<String> = OnceLock::new();

// QEMU hands an instruction's bits to its callback where a pointer would stand.
const _: () =
    assert!(size_of::<*mut c_void>() == size_of::<u64>(), "the plugin needs a host with 64-bit addresses");

struct Regions {
    start: Option<Tally>,
    ended: Vec<Tally>,
}

/// What an instruction is to the counter.
enum Kind {
    Begin,
    End,
    Other,
}

fn kind(instruction: &[u8]) -> Kind {
    match instruction {
        // Thumb hints 14 and 15; RISC-V `slti x0, x0, 14` and `15`.
        [0xe0, 0xbf] | [0x13, 0x20, 0xe0, 0x00] => Kind::Begin,
        [0xf0, 0xbf] | [0x13, 0x20, 0xf0, 0x00] => Kind::End,
        _ => Kind::Other,
    }
}

/// QEMU calls this when it has translated a block of instructions, before the block first runs.
extern "C" fn block_translated(_plugin: ffi::PluginId, block: *mut ffi::Block) {
    let Some(isa) = ISA.get() else { return };
    // SAFETY: QEMU keeps the block and its instructions alive during this call, and indices are below the count.
    unsafe {
        for index in 0..ffi::qemu_plugin_tb_n_insns(block) {
            let instruction = ffi::qemu_plugin_tb_get_insn(block, index);
            let mut bytes = ffi::instruction_bytes(instruction);
            // At the end of a page QEMU looks ahead, and counts the bytes that it saw to the instruction before them.
            bytes.truncate(isa.n_bytes(&bytes));
            let (callback, decoded): (extern "C" fn(c_uint, *mut c_void), _) = match kind(&bytes) {
                Kind::Begin => (region_begins, None),
                Kind::End => (region_ends, None),
                Kind::Other => (executes, Some(isa.decode(&bytes))),
            };
            let address = ffi::qemu_plugin_insn_vaddr(instruction) as u32;
            let executed = Instruction::new(address, bytes.len(), decoded);
            ffi::qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                callback,
                ffi::CALLBACK_READS_NO_REGISTERS,
                std::ptr::without_provenance_mut(executed.to_bits() as usize),
            );
        }
    }
}

extern "C" fn executes(_cpu: c_uint, bits: *mut c_void) {
    COUNTER.execute(Instruction::from_bits(bits.addr() as u64));
}

extern "C" fn region_begins(cpu: c_uint, bits: *mut c_void) {
    executes(cpu, bits);
    regions().start = Some(COUNTER.tally());
}

extern "C" fn region_ends(cpu: c_uint, bits: *mut c_void) {
    executes(cpu, bits);
    let mut regions = regions();
    if let Some(start) = regions.start.take() {
        regions.ended.push(COUNTER.tally() - start);
    }
}

fn regions() -> std::sync::MutexGuard<'static, Regions> {
    REGIONS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

extern "C" fn emulator_exits(_plugin: ffi::PluginId, _: *mut c_void) {
    let Some(path) = OUT_PATH.get() else { return };
    let ended: Vec<_> = regions().ended.iter().map(|tally| *tally.counts()).collect();
    let json = format!("{{\"total\": {:?}, \"regions\": {ended:?}}}\n", COUNTER.tally().counts());
    if let Err(error) = fs::write(path, json) {
        eprintln!("dunlin-icount: cannot write {path}: {error}");
    }
}

/// QEMU's entry point of a plugin.
///
/// # Safety
/// Only QEMU calls it, with `argc` valid strings in `argv` and a valid string in `info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    plugin: ffi::PluginId,
    info: *const ffi::Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    for index in 0..usize::try_from(argc).unwrap_or(0) {
        // SAFETY: `argv` holds `argc` strings (see above).
        let argument = unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy();
        if let Some(path) = argument.strip_prefix("out=") {
            OUT_PATH.get_or_init(|| path.to_owned());
        }
    }
    if OUT_PATH.get().is_none() {
        eprintln!("dunlin-icount: needs the argument out=FILE");
        return 1;
    }
    // SAFETY: `info` and the string in it are valid (see above).
    let target = unsafe { CStr::from_ptr((*info).target_name) }.to_string_lossy();
    let Some(isa) = Isa::of_target(&target) else {
        eprintln!("dunlin-icount: knows the instructions of arm and riscv32, not of {target}");
        return 1;
    };
    ISA.get_or_init(|| isa);
    // SAFETY: the callbacks have the types that QEMU declares for them.
    unsafe {
        ffi::qemu_plugin_register_vcpu_tb_trans_cb(plugin, block_translated);
        ffi::qemu_plugin_register_atexit_cb(plugin, emulator_exits, std::ptr::null_mut());
    }
    0
}
