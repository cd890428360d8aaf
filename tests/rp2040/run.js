// Runs a UF2 file on an emulated RP2040, with UART0, or its USB's serial port, on a TCP port of its own:
// `node run.js firmware.uf2 [usb]`. Prints the port's number, and runs until it is ended. SIGUSR2 restarts the board.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { LogLevel, ConsoleLogger, Simulator } from 'rp2040js';
import { install } from './rom.js';
import { connect } from './usb.js';

const FLASH = 0x10000000;
// Behind the second boot stage, which the boot ROM would run.
const VECTORS = 0x10000100;
const UF2_BLOCK_BYTES = 512;
const NS_PER_CYCLE = 1e9 / 125e6;
// Between two looks at the line.
const INSTRUCTIONS_PER_TURN = 50_000;

const { rp2040, clock } = new Simulator();
rp2040.logger = new ConsoleLogger(LogLevel.Error);
const callRom = install(rp2040);
rp2040.onBreak = (code) => {
  if (callRom(code)) return;
  console.error(`the firmware stopped at a breakpoint (${code})`);
  process.exit(1);
};

const file = readFileSync(process.argv[2]);
for (let block = 0; block < file.length; block += UF2_BLOCK_BYTES) {
  const [address, bytes] = [file.readUInt32LE(block + 12), file.readUInt32LE(block + 16)];
  rp2040.flash.set(file.subarray(block + 32, block + 32 + bytes), address - FLASH);
}
function start() {
  rp2040.core.VTOR = VECTORS;
  rp2040.core.SP = rp2040.readUint32(VECTORS);
  rp2040.core.PC = rp2040.readUint32(VECTORS + 4) & ~1;
}
start();

const toBoard = [];
let host = null;
let toHost = [];
let feed;
if (process.argv[3] === 'usb') {
  feed = connect(rp2040, toBoard, (bytes) => toHost.push(...bytes));
} else {
  const uart = rp2040.uart[0];
  uart.onByte = (byte) => toHost.push(byte);
  feed = () => {
    if (toBoard.length > 0 && !uart.rxFIFO.full) uart.feedByte(toBoard.shift());
  };
}

let restarts = false;
process.on('SIGUSR2', () => (restarts = true));

function turn() {
  if (restarts) {
    restarts = false;
    rp2040.core.reset();
    start();
  }
  for (let i = 0; i < INSTRUCTIONS_PER_TURN; i++) {
    feed();
    clock.tick(rp2040.core.executeInstruction() * NS_PER_CYCLE);
  }
  if (host && toHost.length > 0) host.write(Uint8Array.from(toHost));
  toHost = [];
  setImmediate(turn);
}

const server = createServer((socket) => {
  host = socket.setNoDelay();
  socket.on('data', (bytes) => toBoard.push(...bytes));
  // Another host may be there by then.
  const gone = () => (host = host === socket ? null : host);
  socket.on('close', gone);
  socket.on('error', gone);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
turn();
