// The emulated RP2040's USB as a serial port of a host.

import { USBCDC } from 'rp2040js';

// In the USB's memory: the register that controls the buffer from the host of endpoint 0, then every 8 bytes that of the
// next; and the bit in it that is set from when the firmware waits until data are there. Source: "RP2040 Datasheet",
// section 4.1.2.5.
const OUT_CONTROL = 0x84;
const AVAILABLE = 1 << 10;

/** Calls `onBytes` with what the board says; the function that sends what of `toBoard` the board waits for. */
export function connect(rp2040, toBoard, onBytes) {
  const usb = rp2040.usbCtrl;
  const cdc = new USBCDC(usb);
  cdc.onSerialData = onBytes;
  const setAvailable = (endpoint, isSet) => {
    const [memory, at] = [rp2040.usbDPRAMView, OUT_CONTROL + 8 * endpoint];
    const others = memory.getUint32(at, true) & ~AVAILABLE;
    memory.setUint32(at, isSet ? others | AVAILABLE : others, true);
  };
  // The emulator clears the bit when the firmware begins to wait, and its host answers with an empty packet if it has
  // nothing; the chip's host answers later.
  const { onEndpointRead, finishRead } = usb;
  let nWanted = 0;
  usb.onEndpointRead = (endpoint, size) => {
    if (endpoint !== cdc.outEndpoint) return onEndpointRead(endpoint, size);
    setAvailable(endpoint, true);
    nWanted = size;
  };
  usb.finishRead = (endpoint, bytes) => {
    setAvailable(endpoint, false);
    finishRead.call(usb, endpoint, bytes);
  };
  return () => {
    if (nWanted > 0 && toBoard.length > 0) {
      const bytes = toBoard.splice(0, nWanted);
      nWanted = 0;
      usb.endpointReadDone(cdc.outEndpoint, Uint8Array.from(bytes));
    }
  };
}
