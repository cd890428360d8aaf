//! The part of QEMU's `qemu-plugin.h` that the plugin uses.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// `qemu_plugin_id_t`
pub type PluginId = u64;

/// `struct qemu_plugin_tb`: a block of translated instructions.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// `struct qemu_plugin_insn`: an instruction in it.
#[repr(C)]
pub struct Instruction {
    _opaque: [u8; 0],
}

/// The first member of `struct qemu_info_t`, the only one that is used: what the emulator emulates, such as `arm`.
#[repr(C)]
pub struct Info {
    pub target_name: *const c_char,
}

/// `QEMU_PLUGIN_CB_NO_REGS`
pub const CALLBACK_READS_NO_REGISTERS: c_int = 0;

/// The version of the interface that the plugin was built for; QEMU refuses to load one that it does not speak.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = if cfg!(feature = "api-v3") { 3 } else { 1 };

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(
        plugin: PluginId,
        callback: extern "C" fn(plugin: PluginId, block: *mut Block),
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(cpu: c_uint, user_data: *mut c_void),
        flags: c_int,
        user_data: *mut c_void,
    );
    pub fn qemu_plugin_register_atexit_cb(
        plugin: PluginId,
        callback: extern "C" fn(plugin: PluginId, user_data: *mut c_void),
        user_data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    #[cfg(not(feature = "api-v3"))]
    fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const c_void;
    #[cfg(feature = "api-v3")]
    fn qemu_plugin_insn_data(
        instruction: *const Instruction,
        destination: *mut c_void,
        n_bytes: usize,
    ) -> usize;
}

/// The bytes of an instruction, as they stand in memory.
///
/// # Safety
/// `instruction` must come from `qemu_plugin_tb_get_insn` in the same callback.
pub unsafe fn instruction_bytes(instruction: *const Instruction) -> Vec<u8> {
    // SAFETY: the caller's promise; QEMU gives as many bytes as it says.
    unsafe {
        let n_bytes = qemu_plugin_insn_size(instruction);
        #[cfg(not(feature = "api-v3"))]
        return std::slice::from_raw_parts(qemu_plugin_insn_data(instruction).cast::<u8>(), n_bytes).to_vec();
        #[cfg(feature = "api-v3")]
        {
            let mut bytes = vec![0; n_bytes];
            let n_copied = qemu_plugin_insn_data(instruction, bytes.as_mut_ptr().cast(), n_bytes);
            bytes.truncate(n_copied);
            bytes
        }
    }
}
