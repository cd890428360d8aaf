// Runs a UF2 file on an emulated RP2040, with UART0 on a TCP port of its own: `node run.js firmware.uf2`.
// Prints the port's number, and runs until it is ended.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { LogLevel, ConsoleLogger, Simulator } from 'rp2040js';

const FLASH = 0x10000000;
// Behind the second boot stage, which the boot ROM would run.
const VECTORS = 0x10000100;
const UF2_BLOCK_BYTES = 512;
const NS_PER_CYCLE = 1e9 / 125e6;
// Between two looks at the line.
const INSTRUCTIONS_PER_TURN = 50_000;

const { rp2040, clock } = new Simulator();
rp2040.logger = new ConsoleLogger(LogLevel.Error);
rp2040.onBreak = (code) => {
  console.error(`the firmware stopped at a breakpoint (${code})`);
  process.exit(1);
};

const file = readFileSync(process.argv[2]);
for (let block = 0; block < file.length; block += UF2_BLOCK_BYTES) {
  const [address, bytes] = [file.readUInt32LE(block + 12), file.readUInt32LE(block + 16)];
  rp2040.flash.set(file.subarray(block + 32, block + 32 + bytes), address - FLASH);
}
rp2040.core.VTOR = VECTORS;
rp2040.core.SP = rp2040.readUint32(VECTORS);
rp2040.core.PC = rp2040.readUint32(VECTORS + 4) & ~1;

const uart = rp2040.uart[0];
const toBoard = [];
let host = null;
let toHost = [];
uart.onByte = (byte) => toHost.push(byte);

function turn() {
  for (let i = 0; i < INSTRUCTIONS_PER_TURN; i++) {
    if (toBoard.length > 0 && !uart.rxFIFO.full) uart.feedByte(toBoard.shift());
    clock.tick(rp2040.core.executeInstruction() * NS_PER_CYCLE);
  }
  if (host && toHost.length > 0) host.write(Uint8Array.from(toHost));
  toHost = [];
  setImmediate(turn);
}

const server = createServer((socket) => {
  host = socket.setNoDelay();
  socket.on('data', (bytes) => toBoard.push(...bytes));
  socket.on('close', () => (host = null));
  socket.on('error', () => (host = null));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
turn();
