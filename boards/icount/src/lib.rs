//! QEMU plugin that counts executed instructions: in total, and in each region that the firmware marks.
//!
//! `-plugin libdunlin_icount.so,out=FILE` writes at exit the JSON object
//! `{"total": 812, "regions": [400, 12]}`, regions in the order in which they ended. The markers are those of
//! `boards/support/src/counter.rs`; they are not counted themselves. Regions do not nest.
//!
//! Source of the interface: QEMU's `include/qemu/qemu-plugin.h`, of which this declares what it uses.

mod ffi;

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fs,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Instructions executed so far.
static TOTAL: AtomicU64 = AtomicU64::new(0);
/// `TOTAL` where the current region began.
static REGION_START: AtomicU64 = AtomicU64::new(0);
/// The count of each region that ended.
static REGIONS: Mutex<Vec<u64>> = Mutex::new(Vec::new());
/// Where to write the counts.
static OUT_PATH: OnceLock<String> = OnceLock::new();

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
    // SAFETY: QEMU keeps the block and its instructions alive during this call, and indices are below the count.
    unsafe {
        for index in 0..ffi::qemu_plugin_tb_n_insns(block) {
            let instruction = ffi::qemu_plugin_tb_get_insn(block, index);
            let callback = match kind(&ffi::instruction_bytes(instruction)) {
                Kind::Begin => region_began,
                Kind::End => region_ended,
                Kind::Other => executed,
            };
            ffi::qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                callback,
                ffi::CALLBACK_READS_NO_REGISTERS,
                std::ptr::null_mut(),
            );
        }
    }
}

extern "C" fn executed(_cpu: c_uint, _: *mut c_void) {
    // The emulated boards have one core, so there is one writer: no need for a locked addition.
    TOTAL.store(TOTAL.load(Relaxed) + 1, Relaxed);
}

extern "C" fn region_began(_cpu: c_uint, _: *mut c_void) {
    REGION_START.store(TOTAL.load(Relaxed), Relaxed);
}

extern "C" fn region_ended(_cpu: c_uint, _: *mut c_void) {
    let count = TOTAL.load(Relaxed) - REGION_START.load(Relaxed);
    REGIONS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(count);
}

extern "C" fn emulator_exits(_plugin: ffi::PluginId, _: *mut c_void) {
    let Some(path) = OUT_PATH.get() else { return };
    let regions = REGIONS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let json = format!("{{\"total\": {}, \"regions\": {:?}}}\n", TOTAL.load(Relaxed), *regions);
    if let Err(error) = fs::write(path, json) {
        eprintln!("dunlin-icount: cannot write {path}: {error}");
    }
}

/// QEMU's entry point of a plugin.
///
/// # Safety
/// Only QEMU calls it, with `argc` valid strings in `argv`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    plugin: ffi::PluginId,
    _info: *const c_void,
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
    // SAFETY: the callbacks have the types that QEMU declares for them.
    unsafe {
        ffi::qemu_plugin_register_vcpu_tb_trans_cb(plugin, block_translated);
        ffi::qemu_plugin_register_atexit_cb(plugin, emulator_exits, std::ptr::null_mut());
    }
    0
}
