//! Packets on a line that loses, repeats and corrupts bytes.
//!
//! On the line: a zero byte, the packet and its CRC-32 (little-endian) encoded with COBS, a zero byte. COBS: S. Cheshire
//! and M. Baker, "Consistent Overhead Byte Stuffing", 1999; the CRC is that of ISO-HDLC (Ethernet, zip).

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

/// The longest packet, in bytes.
pub const PACKET_MAX_BYTES: usize = 288;
const CRC_BYTES: usize = 4;
/// The longest packet with its CRC.
pub const CHECKED_MAX_BYTES: usize = PACKET_MAX_BYTES + CRC_BYTES;
/// COBS adds a byte, and one for each 254.
const ENCODED_MAX_BYTES: usize = CHECKED_MAX_BYTES + 1 + CHECKED_MAX_BYTES / 254;
/// The longest frame: the encoded packet between two zeros.
pub const FRAME_MAX_BYTES: usize = ENCODED_MAX_BYTES + 2;

/// Bit by bit: a table would take 1 KB of flash, and the line is slower in any case.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Encodes the packet in the first `n_bytes` of `packet` into `frame`; the bytes for the line. The CRC is written behind
/// the packet. `None` if it is longer than [`PACKET_MAX_BYTES`].
pub fn encode<'f>(
    packet: &mut [u8; CHECKED_MAX_BYTES],
    n_bytes: usize,
    frame: &'f mut [u8; FRAME_MAX_BYTES],
) -> Option<&'f [u8]> {
    let (content, rest) = packet.split_at_mut_checked(n_bytes)?;
    *rest.first_chunk_mut()? = CRC.checksum(content).to_le_bytes();
    let [first, encoded @ ..] = frame;
    *first = 0;
    let n_encoded = cobs::try_encode(packet.get(..n_bytes + CRC_BYTES)?, encoded).ok()?;
    *encoded.get_mut(n_encoded)? = 0;
    frame.get(..n_encoded + 2)
}

/// Finds the packets in a stream of bytes.
pub struct Receiver {
    bytes: [u8; ENCODED_MAX_BYTES],
    n_bytes: usize,
    /// The frame was read: the next byte starts another.
    done: bool,
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver::new()
    }
}

impl Receiver {
    /// A receiver at the start of a stream.
    pub const fn new() -> Receiver {
        Receiver { bytes: [0; ENCODED_MAX_BYTES], n_bytes: 0, done: false }
    }

    /// Takes the next byte; the packet that it completes, if its CRC is right. Damaged frames, and whatever else is on
    /// the line, are passed over.
    pub fn push(&mut self, byte: u8) -> Option<&[u8]> {
        if core::mem::take(&mut self.done) {
            self.n_bytes = 0;
        }
        if byte != 0 {
            // Too long for a frame: counted, so that its end is not taken for one.
            if let Some(place) = self.bytes.get_mut(self.n_bytes) {
                *place = byte;
            }
            self.n_bytes = self.n_bytes.saturating_add(1);
            return None;
        }
        self.done = true;
        let encoded = self.bytes.get_mut(..self.n_bytes)?;
        let n_bytes = cobs::decode_in_place(encoded).ok()?;
        let (packet, crc) = encoded.get(..n_bytes)?.split_last_chunk::<CRC_BYTES>()?;
        (CRC.checksum(packet) == u32::from_le_bytes(*crc)).then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;

    fn frame_of(packet: &[u8]) -> Vec<u8> {
        let mut bytes = [0; CHECKED_MAX_BYTES];
        bytes[..packet.len()].copy_from_slice(packet);
        encode(&mut bytes, packet.len(), &mut [0; FRAME_MAX_BYTES]).unwrap().to_vec()
    }

    fn packets(receiver: &mut Receiver, stream: &[u8]) -> Vec<Vec<u8>> {
        stream.iter().filter_map(|&byte| receiver.push(byte).map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn the_crc_is_the_one_that_is_documented() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(CRC.checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_longest_packet_has_room() {
        for byte in [0, 1, 255] {
            let packet = [byte; PACKET_MAX_BYTES];
            assert_eq!(packets(&mut Receiver::new(), &frame_of(&packet)), [packet.to_vec()]);
        }
        let mut packet = [0; CHECKED_MAX_BYTES];
        assert_eq!(encode(&mut packet, PACKET_MAX_BYTES + 1, &mut [0; FRAME_MAX_BYTES]), None);
    }

    #[test]
    fn a_stream_without_zeros_is_survived() {
        let mut receiver = Receiver::new();
        assert_eq!(packets(&mut receiver, &[7; 10 * FRAME_MAX_BYTES]), Vec::<Vec<u8>>::new());
        assert_eq!(packets(&mut receiver, &frame_of(b"here")), [b"here"]);
    }

    proptest! {
        #[test]
        fn packets_arrive_as_they_were_sent(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=PACKET_MAX_BYTES), 0..8),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|packet| frame_of(packet)).collect();
            prop_assert_eq!(packets(&mut Receiver::new(), &stream), sent);
        }

        #[test]
        fn after_any_noise_the_next_frame_is_found(
            noise in prop::collection::vec(any::<u8>(), 0..700),
            packet in prop::collection::vec(any::<u8>(), 0..=PACKET_MAX_BYTES),
        ) {
            let mut receiver = Receiver::new();
            let of_noise = packets(&mut receiver, &noise);
            prop_assert!(of_noise.is_empty(), "noise has no CRC");
            prop_assert_eq!(packets(&mut receiver, &frame_of(&packet)), [packet]);
        }

        #[test]
        fn a_changed_byte_costs_one_packet(
            packet in prop::collection::vec(any::<u8>(), 1..=PACKET_MAX_BYTES),
            at in any::<prop::sample::Index>(),
            change in 1..=255u8,
        ) {
            let mut damaged = frame_of(&packet);
            let at = at.index(damaged.len());
            damaged[at] ^= change;
            let mut receiver = Receiver::new();
            let found = packets(&mut receiver, &damaged);
            // The zero in front may be damaged: it only ends what came before.
            prop_assert!(found.is_empty() || at == 0 || found == [packet], "{:?}", found);
            prop_assert_eq!(packets(&mut receiver, &frame_of(b"next")), [b"next"]);
        }
    }
}
