// The functions of the RP2040's boot ROM that a HAL calls to write the flash, as breakpoints that the emulator serves.
// Source: Raspberry Pi, "RP2040 Datasheet", section 2.8.3 (bootrom contents).

// The registers of the flash's cache (XIP_CTRL), which the emulator does not have: nothing is ever under way.
const XIP_CTRL = 0x14000000;
// The ROM's table of functions, and where it says that it and the function that looks into it are.
const FUNC_TABLE_POINTER = 0x14;
const LOOKUP_POINTER = 0x18;
const FUNC_TABLE = 0x80;
const FUNCTIONS = 0x100;

/** Writes the ROM; the function that serves a breakpoint, which says whether it was one of the ROM's. */
export function install(rp2040) {
  const registers = rp2040.core.registers;
  const nothing = () => {};
  const functions = {
    // Where function r1 is; r0 is the table. Bit 0 says Thumb.
    lookup: () => {
      const name = String.fromCharCode(registers[1] & 0xff, registers[1] >> 8);
      const i = names.indexOf(name);
      if (i < 0) throw new Error(`the firmware looks for the ROM's function ${name}, which rom.js does not have`);
      registers[0] = FUNCTIONS + 4 * i + 1;
    },
    IF: nothing, // connect_internal_flash
    EX: nothing, // flash_exit_xip
    FC: nothing, // flash_flush_cache
    CX: nothing, // flash_enter_cmd_xip
    // flash_range_erase(address, bytes, block size, block command)
    RE: () => rp2040.flash.fill(0xff, registers[0], registers[0] + registers[1]),
    // flash_range_program(address, data, bytes): writing clears bits.
    RP: () => {
      for (let i = 0; i < registers[2]; i++) {
        rp2040.flash[registers[0] + i] &= rp2040.readUint8(registers[1] + i);
      }
    },
    // memcpy44(to, from, bytes)
    C4: () => {
      for (let i = 0; i < registers[2]; i += 4) {
        rp2040.writeUint32(registers[0] + i, rp2040.readUint32(registers[1] + i));
      }
    },
  };
  const names = Object.keys(functions);
  // bkpt #i; bx lr
  names.forEach((_, i) => (rp2040.bootrom[FUNCTIONS / 4 + i] = (0x4770be00 | i) >>> 0));
  rp2040.bootrom[FUNC_TABLE_POINTER / 4] = FUNC_TABLE;
  rp2040.bootrom[LOOKUP_POINTER / 4] = FUNCTIONS + 1;
  rp2040.peripherals[(XIP_CTRL >>> 14) << 2] = { readUint32: () => 0, writeUint32Atomic: nothing };
  return (code) => {
    const isOurs = rp2040.core.PC < FUNCTIONS + 4 * names.length + 4;
    if (isOurs) functions[names[code]]();
    return isOurs;
  };
}
