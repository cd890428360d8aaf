//! The records of a `.dunlin` file, as `FORMAT.md` specifies them: reader and writer share these types.
//!
//! Records of fixed size use fixed-width integers, so that record `i` is found without decoding those
//! before it.

use postcard::fixint::le as fix;
use serde::{Deserialize, Serialize};

/// The first bytes of every `.dunlin` file.
pub const MAGIC: u32 = u32::from_le_bytes(*b"DNLN");
/// The version that this runtime reads and the converter writes.
pub const VERSION: u16 = 1;
/// The file, the constant section and the arena start at multiples of this.
pub const ALIGN: usize = 16;
/// Bytes of [`Header`] in the file.
pub const HEADER_BYTES: usize = 44;
/// Bytes of [`TensorRecord`] in the file.
pub const TENSOR_BYTES: usize = 28;
/// Bytes of [`PortRecord`] in the file.
pub const PORT_BYTES: usize = 6;
/// The checksum covers the bytes of the file from here on.
pub const CHECKED_FROM: usize = 12;

/// Requantization as TensorFlow Lite Micro does it: a doubling high multiplication rounded to nearest,
/// then a shift rounded to nearest with ties away from zero.
pub const ROUNDING_TFLM: u8 = 0;

/// The head of the file, at byte 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`MAGIC`].
    #[serde(with = "fix")]
    pub magic: u32,
    /// [`VERSION`].
    #[serde(with = "fix")]
    pub version: u16,
    /// Requantization profile: [`ROUNDING_TFLM`].
    pub rounding: u8,
    /// 0.
    pub reserved: u8,
    /// [`checksum`] of the bytes from [`CHECKED_FROM`] on.
    #[serde(with = "fix")]
    pub checksum: u32,
    /// Length of the file, a multiple of 4.
    #[serde(with = "fix")]
    pub file_bytes: u32,
    /// Working memory that the plan needs.
    #[serde(with = "fix")]
    pub arena_bytes: u32,
    /// Tensors; those in the arena come first.
    #[serde(with = "fix")]
    pub n_tensors: u16,
    /// Tensors in the arena.
    #[serde(with = "fix")]
    pub n_activations: u16,
    /// Steps, run in order.
    #[serde(with = "fix")]
    pub n_steps: u16,
    /// Model inputs.
    pub n_inputs: u8,
    /// Model outputs.
    pub n_outputs: u8,
    /// Where the [`PortRecord`]s start: inputs, then outputs. The [`TensorRecord`]s start at [`HEADER_BYTES`].
    #[serde(with = "fix")]
    pub ports_offset: u32,
    /// Where the [`StepRecord`]s start.
    #[serde(with = "fix")]
    pub steps_offset: u32,
    /// Where the names start.
    #[serde(with = "fix")]
    pub names_offset: u32,
    /// Where the constants start, a multiple of [`ALIGN`]; they end with the file.
    #[serde(with = "fix")]
    pub constants_offset: u32,
}

/// Where a tensor's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Place {
    /// In the arena, while it is alive.
    Arena,
    /// In the arena, kept from one run to the next (state, parameters in training).
    State,
    /// In the file's constant section.
    Constant,
}

/// One tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TensorRecord {
    /// Number of the [`DType`](crate::DType).
    pub dtype: u8,
    /// Number of dimensions.
    pub rank: u8,
    /// Section that `offset` counts in.
    pub place: Place,
    /// The stored number that stands for 0.0; 0 where it has no meaning.
    pub zero_point: i8,
    /// First byte in the section.
    #[serde(with = "fix")]
    pub offset: u32,
    /// Outermost dimension; dimensions behind the rank are 1.
    #[serde(with = "fix")]
    pub dim0: u32,
    /// Second dimension.
    #[serde(with = "fix")]
    pub dim1: u32,
    /// Third dimension.
    #[serde(with = "fix")]
    pub dim2: u32,
    /// Fourth dimension.
    #[serde(with = "fix")]
    pub dim3: u32,
    /// The step (counted from 1) that writes it; 0 for inputs, state and constants.
    #[serde(with = "fix")]
    pub first: u16,
    /// The last step that reads it; `n_steps + 1` for outputs and state.
    #[serde(with = "fix")]
    pub last: u16,
}

impl TensorRecord {
    /// The record in its bytes; `None` if the place is unknown.
    ///
    /// By hand, because a check reads every tensor at every step: a word a field, where a deserializer takes
    /// six instructions a byte.
    #[inline]
    pub fn read(bytes: &[u8; TENSOR_BYTES]) -> Option<TensorRecord> {
        let u16_at = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        let u32_at = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let place = match bytes[2] {
            0 => Place::Arena,
            1 => Place::State,
            2 => Place::Constant,
            _ => return None,
        };
        Some(TensorRecord {
            dtype: bytes[0],
            rank: bytes[1],
            place,
            zero_point: bytes[3] as i8,
            offset: u32_at(4),
            dim0: u32_at(8),
            dim1: u32_at(12),
            dim2: u32_at(16),
            dim3: u32_at(20),
            first: u16_at(24),
            last: u16_at(26),
        })
    }
}

/// A model input or output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortRecord {
    /// Index of the tensor.
    #[serde(with = "fix")]
    pub tensor: u16,
    /// Quantization: the real number is `scale * (q - zero_point)`; 0 for tensors that are not quantized.
    pub scale: f32,
}

/// One step of the program. Records follow each other; their length varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord<'a> {
    /// Number of the operator.
    pub op: u8,
    /// Number of the dtype that it computes in.
    pub dtype: u8,
    /// How many of `tensors` are inputs; the rest are outputs.
    pub n_inputs: u8,
    /// Indices of the tensors, two bytes each.
    #[serde(borrow)]
    pub tensors: &'a [u8],
    /// Where the operator's scratch memory starts in the arena.
    pub scratch_offset: u32,
    /// The operator's parameters, a postcard record that `ops` defines.
    #[serde(borrow)]
    pub params: &'a [u8],
}

/// Checksum of little-endian 32-bit words: three instructions a word on a Cortex-M4. Each step is a
/// bijection of the state, so that any change confined to one word is found for certain; others escape
/// with probability 2^-32. Trailing bytes that fill no word are not covered (files have none).
pub fn checksum(bytes: &[u8]) -> u32 {
    let mix =
        |hash: u32, word: [u8; 4]| (hash.rotate_left(5) ^ u32::from_le_bytes(word)).wrapping_mul(0x9E37_79B1);
    // Four words a round: a third of the time would go into the loop otherwise.
    let (blocks, rest) = bytes.as_chunks::<16>();
    let hash = blocks.iter().fold(0, |hash, block| {
        let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = block;
        mix(mix(mix(mix(hash, [a, b, c, d]), [e, f, g, h]), [i, j, k, l]), [m, n, o, p])
    });
    rest.as_chunks::<4>().0.iter().fold(hash, |hash, &word| mix(hash, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_their_fixed_size() {
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            rounding: ROUNDING_TFLM,
            reserved: 0,
            checksum: u32::MAX,
            file_bytes: u32::MAX,
            arena_bytes: 1,
            n_tensors: 2,
            n_activations: 3,
            n_steps: 4,
            n_inputs: 5,
            n_outputs: 6,
            ports_offset: 7,
            steps_offset: 8,
            names_offset: 9,
            constants_offset: 10,
        };
        let mut buf = [0; 64];
        assert_eq!(postcard::to_slice(&header, &mut buf).unwrap().len(), HEADER_BYTES);
        let tensor = TensorRecord {
            dtype: 1,
            rank: 4,
            place: Place::Constant,
            zero_point: -128,
            offset: u32::MAX,
            dim0: u32::MAX,
            dim1: 0,
            dim2: 1,
            dim3: 1,
            first: u16::MAX,
            last: 0,
        };
        let written = postcard::to_slice(&tensor, &mut buf).unwrap();
        assert_eq!(TensorRecord::read((&*written).try_into().unwrap()), Some(tensor));
        let port = PortRecord { tensor: u16::MAX, scale: 0.5 };
        assert_eq!(postcard::to_slice(&port, &mut buf).unwrap().len(), PORT_BYTES);
    }

    #[test]
    fn checksum_finds_every_single_bit() {
        let mut bytes = [0x5Au8; 64];
        let clean = checksum(&bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&bytes), clean, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
