//! A line over the chip's own USB: a serial port (CDC-ACM) for the host. Without an executor: the device is served while
//! the line waits, which it does not while a network runs.

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

use dunlin_link::Wire;
use embassy_usb::class::cdc_acm::{CdcAcmClass, State};
use embassy_usb::driver::{Driver, EndpointError};
use embassy_usb::{Builder, Config, UsbDevice};

/// Of pid.codes, for tests: products have numbers of their own.
const VENDOR_ID: u16 = 0x1209;
const PRODUCT_ID: u16 = 0x0001;
/// The longest packet of full speed.
const PACKET_BYTES: usize = 64;

/// What a USB device needs as long as it lives.
pub struct Memory<'d> {
    config: [u8; 128],
    bos: [u8; 32],
    control: [u8; 64],
    state: State<'d>,
}

impl Default for Memory<'_> {
    fn default() -> Self {
        Memory { config: [0; 128], bos: [0; 32], control: [0; 64], state: State::new() }
    }
}

impl<'d> Memory<'d> {
    /// A device with one serial port, of which `product` is the name; see [`usb_line!`](crate::usb_line).
    pub fn start<D: Driver<'d>>(
        &'d mut self,
        driver: D,
        product: &'static str,
    ) -> (UsbDevice<'d, D>, CdcAcmClass<'d, D>) {
        let mut config = Config::new(VENDOR_ID, PRODUCT_ID);
        config.manufacturer = Some("Dunlin");
        config.product = Some(product);
        let Memory { config: config_descriptor, bos, control, state } = self;
        let mut builder = Builder::new(driver, config, config_descriptor, bos, &mut [], control);
        let class = CdcAcmClass::new(&mut builder, state, PACKET_BYTES as u16);
        (builder.build(), class)
    }
}

/// The serial port.
pub struct Line<'l, 'd, D: Driver<'d>> {
    device: Pin<&'l mut dyn Future<Output = ()>>,
    class: CdcAcmClass<'d, D>,
    packet: [u8; PACKET_BYTES],
    taken: usize,
    filled: usize,
}

impl<'l, 'd, D: Driver<'d>> Line<'l, 'd, D> {
    /// The port of a device that runs with `device`.
    pub fn new(device: Pin<&'l mut dyn Future<Output = ()>>, class: CdcAcmClass<'d, D>) -> Self {
        Line { device, class, packet: [0; PACKET_BYTES], taken: 0, filled: 0 }
    }
}

/// Polls both until `work` is done. The interrupts note what happened, whoever is woken.
fn done<F: Future>(device: &mut Pin<&mut dyn Future<Output = ()>>, work: F) -> F::Output {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // It never ends.
        let _ = device.as_mut().poll(&mut context);
        if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
            return output;
        }
    }
}

impl<'d, D: Driver<'d>> Wire for Line<'_, 'd, D> {
    fn read(&mut self) -> Option<u8> {
        loop {
            if let Some(&byte) = self.packet.get(self.taken..self.filled).and_then(<[u8]>::first) {
                self.taken += 1;
                return Some(byte);
            }
            let Line { device, class, packet, .. } = self;
            (self.taken, self.filled) = match done(device, class.read_packet(packet)) {
                Ok(n_bytes) => (0, n_bytes),
                Err(EndpointError::BufferOverflow) => (0, 0),
                Err(EndpointError::Disabled) => {
                    done(device, class.wait_connection());
                    (0, 0)
                }
            };
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let Line { device, class, .. } = self;
        let parts = bytes.chunks(PACKET_BYTES);
        // A full packet may be one of several: an empty one says that it was the last.
        let end: &[&[u8]] = if bytes.len().is_multiple_of(PACKET_BYTES) { &[&[]] } else { &[] };
        for part in parts.chain(end.iter().copied()) {
            if done(device, class.write_packet(part)).is_err() {
                // The cable is out.
                return;
            }
        }
    }
}

/// Makes `$line` a [`Wire`] over the USB of an embassy HAL's `$driver`, in the scope of `main`.
#[macro_export]
macro_rules! usb_line {
    ($line:ident = $driver:expr) => {
        let mut memory = $crate::usb::Memory::default();
        let (mut device, class) = memory.start($driver, env!("CARGO_PKG_NAME"));
        let run = core::pin::pin!(async move {
            device.run().await;
        });
        let mut $line = $crate::usb::Line::new(run, class);
    };
}
