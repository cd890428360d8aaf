//! The records of a `.dunlin` file, as `FORMAT.md` specifies them: reader and writer share these types.
//!
//! Records of fixed size use fixed-width integers, so that record `i` is found without decoding those
//! before it.

use postcard::fixint::le as fix;
use serde::Serialize;

/// The first bytes of every `.dunlin` file.
pub const MAGIC: u32 = u32::from_le_bytes(*b"DNLN");
/// The version that this runtime reads and the converter writes.
pub const VERSION: u16 = 8;
/// Bytes of the constant section behind the last constant: kernels read whole words.
pub const READ_AHEAD_BYTES: usize = 3;
/// The file, the constant section and the arena start at multiples of this.
pub const ALIGN: usize = 16;
/// Bytes of [`Header`] in the file.
pub const HEADER_BYTES: usize = 64;
/// Where [`Header::fed`] is in the file.
pub const FED_AT: usize = 7;
/// Bytes of [`TensorRecord`] in the file.
pub const TENSOR_BYTES: usize = 32;
/// Bytes of [`PortRecord`] in the file.
pub const PORT_BYTES: usize = 6;
/// Bytes of [`CallRecord`] in the file.
pub const CALL_BYTES: usize = 6;
/// Bytes of a [`StepRecord`] in the file, without its lists.
pub const STEP_BYTES: usize = 20;
/// The most memories that a plan may use.
pub const MAX_MEMORIES: usize = 4;
/// No step writes the tensor.
pub const NO_STEP: u16 = u16::MAX;
/// Row tables count in units of so many bytes.
pub const ROW_UNIT_BYTES: usize = 4;
/// The checksum covers the bytes of the file from here on.
pub const CHECKED_FROM: usize = 12;

/// Requantization as TensorFlow Lite Micro does it: a doubling high multiplication rounded to nearest,
/// then a shift rounded to nearest with ties away from zero.
pub const ROUNDING_TFLM: u8 = 0;

/// The head of the file, at byte 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// [`MAGIC`].
    #[serde(with = "fix")]
    pub magic: u32,
    /// [`VERSION`].
    #[serde(with = "fix")]
    pub version: u16,
    /// Requantization profile: [`ROUNDING_TFLM`].
    pub rounding: u8,
    /// 0, or 1 and the index of the input that arrives by rows.
    pub fed: u8,
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
    /// Steps.
    #[serde(with = "fix")]
    pub n_steps: u16,
    /// Model inputs.
    pub n_inputs: u8,
    /// Model outputs.
    pub n_outputs: u8,
    /// Calls, run in order; 0 if every step is called once, as a whole, in the order of the steps.
    #[serde(with = "fix")]
    pub n_calls: u32,
    /// Where the [`PortRecord`]s start: inputs, then outputs. The [`TensorRecord`]s start at [`HEADER_BYTES`].
    #[serde(with = "fix")]
    pub ports_offset: u32,
    /// Where the [`CallRecord`]s start.
    #[serde(with = "fix")]
    pub calls_offset: u32,
    /// Where the [`StepRecord`]s start; behind them stand their lists.
    #[serde(with = "fix")]
    pub steps_offset: u32,
    /// Where the names start.
    #[serde(with = "fix")]
    pub names_offset: u32,
    /// Where the constants start, a multiple of [`ALIGN`]; they end [`READ_AHEAD_BYTES`] before the file does.
    #[serde(with = "fix")]
    pub constants_offset: u32,
    /// Where in the arena the second memory begins, a multiple of [`ALIGN`]; 0 if the plan is for one memory.
    #[serde(with = "fix")]
    pub memory1_offset: u32,
    /// Where the third begins, or 0.
    #[serde(with = "fix")]
    pub memory2_offset: u32,
    /// Where the fourth begins, or 0.
    #[serde(with = "fix")]
    pub memory3_offset: u32,
}

impl Header {
    /// Where the memories behind the first begin in the arena; 0 for those that the plan does not use.
    pub fn memory_offsets(&self) -> [u32; MAX_MEMORIES - 1] {
        [self.memory1_offset, self.memory2_offset, self.memory3_offset]
    }

    /// The end of the memory in which a byte of the arena is.
    pub(crate) fn memory_end(&self, offset: u32) -> usize {
        let mut end = self.arena_bytes;
        // In one piece the arena has no borders; and most plans are for one memory.
        if cfg!(feature = "memories") && self.memory1_offset > 0 {
            end = self.memory_offsets().into_iter().filter(|&start| start > offset).fold(end, u32::min);
        }
        end as usize
    }

    /// The record in its bytes. By hand, as all records that a device reads: a deserializer takes several times the
    /// code.
    #[inline]
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Header {
        // Without an index that could be out of range, whether or not the compiler sees all calls.
        let u16_at = |i: usize| u16::from_le_bytes(bytes_at(bytes, i));
        let u32_at = |i: usize| u32::from_le_bytes(bytes_at(bytes, i));
        Header {
            magic: u32_at(0),
            version: u16_at(4),
            rounding: bytes[6],
            fed: bytes[FED_AT],
            checksum: u32_at(8),
            file_bytes: u32_at(12),
            arena_bytes: u32_at(16),
            n_tensors: u16_at(20),
            n_activations: u16_at(22),
            n_steps: u16_at(24),
            n_inputs: bytes[26],
            n_outputs: bytes[27],
            n_calls: u32_at(28),
            ports_offset: u32_at(32),
            calls_offset: u32_at(36),
            steps_offset: u32_at(40),
            names_offset: u32_at(44),
            constants_offset: u32_at(48),
            memory1_offset: u32_at(52),
            memory2_offset: u32_at(56),
            memory3_offset: u32_at(60),
        }
    }
}

/// `N` bytes from byte `i` on; zeros if there are not as many.
fn bytes_at<const N: usize>(bytes: &[u8], i: usize) -> [u8; N] {
    bytes.get(i..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

/// Where a tensor's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    /// Where its row table starts in the constant section, if it has one: `period` numbers of 16 bits.
    #[serde(with = "fix")]
    pub table: u32,
    /// 0 if the rows follow each other. Else row `y` starts [`ROW_UNIT_BYTES`] times number `y % period` of the
    /// table behind `offset`.
    #[serde(with = "fix")]
    pub period: u16,
    /// The step that writes it; the number of steps for the input that arrives by rows; [`NO_STEP`] for what is
    /// there from the start: state, other inputs, constants.
    #[serde(with = "fix")]
    pub writer: u16,
}

impl TensorRecord {
    /// The record in its bytes. A place that is none is read as the last one: see [`TensorRecord::place_exists`].
    ///
    /// A check reads every tensor at every step, and a run all that it computes with: a word a field, where a deserializer
    /// takes six instructions a byte.
    #[inline(always)]
    pub fn read(bytes: &[u8; TENSOR_BYTES]) -> TensorRecord {
        let u16_at = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        let u32_at = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let place = match bytes[2] {
            0 => Place::Arena,
            1 => Place::State,
            _ => Place::Constant,
        };
        TensorRecord {
            dtype: bytes[0],
            rank: bytes[1],
            place,
            zero_point: bytes[3] as i8,
            offset: u32_at(4),
            dim0: u32_at(8),
            dim1: u32_at(12),
            dim2: u32_at(16),
            dim3: u32_at(20),
            table: u32_at(24),
            period: u16_at(28),
            writer: u16_at(30),
        }
    }

    /// Whether the place in the bytes of a record is one.
    pub fn place_exists(bytes: &[u8; TENSOR_BYTES]) -> bool {
        bytes[2] <= Place::Constant as u8
    }
}

/// A model input or output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PortRecord {
    /// Index of the tensor.
    #[serde(with = "fix")]
    pub tensor: u16,
    /// Quantization: the real number is `scale * (q - zero_point)`; 0 for tensors that are not quantized.
    pub scale: f32,
}

impl PortRecord {
    /// The record in its bytes.
    #[inline]
    pub fn read(bytes: &[u8; PORT_BYTES]) -> PortRecord {
        let &[a, b, c, d, e, f] = bytes;
        PortRecord { tensor: u16::from_le_bytes([a, b]), scale: f32::from_le_bytes([c, d, e, f]) }
    }
}

/// A part of the program that runs at once: rows of a step, or a row that the caller hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// The step; the number of steps stands for a row of the input that arrives by rows.
    #[serde(with = "fix")]
    pub step: u16,
    /// First row: of the step's first output, or of its first input if it is a reduction.
    #[serde(with = "fix")]
    pub first: u16,
    /// Number of rows.
    #[serde(with = "fix")]
    pub count: u16,
}

impl CallRecord {
    /// The record in its bytes.
    #[inline]
    pub fn read(bytes: &[u8; CALL_BYTES]) -> CallRecord {
        let &[a, b, c, d, e, f] = bytes;
        CallRecord {
            step: u16::from_le_bytes([a, b]),
            first: u16::from_le_bytes([c, d]),
            count: u16::from_le_bytes([e, f]),
        }
    }
}

/// One step of the program: an operator with its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRecord<'a> {
    /// Number of the operator.
    pub op: u8,
    /// Number of the dtype that it computes in.
    pub dtype: u8,
    /// How many of `tensors` are inputs; the rest are outputs.
    pub n_inputs: u8,
    /// 0 if the rows of the first output are counted, 1 if those of the first input are (a reduction).
    pub order: u8,
    /// Where the operator's scratch memory starts in the arena.
    pub scratch_offset: u32,
    /// Bytes of it.
    pub scratch_bytes: u32,
    /// Indices of the tensors, two bytes each.
    pub tensors: &'a [u8],
    /// The operator's parameters, a postcard record that `ops` defines.
    pub params: &'a [u8],
}

impl<'a> StepRecord<'a> {
    /// The record of the step whose fixed part is `bytes`, with lists in `section`, which starts with the steps.
    /// `None` if a list is not inside.
    #[inline]
    pub fn read(bytes: &[u8; STEP_BYTES], section: &'a [u8]) -> Option<StepRecord<'a>> {
        let (words, _) = bytes.as_chunks::<4>();
        let &[[op, dtype, n_inputs, n_outputs], scratch_offset, scratch_bytes, lists, [p0, p1, order, _]] =
            words
        else {
            return None;
        };
        let lists = section.get(u32::from_le_bytes(lists) as usize..)?;
        let (tensors, rest) = lists.split_at_checked(2 * (n_inputs as usize + n_outputs as usize))?;
        let params = rest.get(..u16::from_le_bytes([p0, p1]) as usize)?;
        let [scratch_offset, scratch_bytes] = [scratch_offset, scratch_bytes].map(u32::from_le_bytes);
        Some(StepRecord { op, dtype, n_inputs, order, scratch_offset, scratch_bytes, tensors, params })
    }

    /// The fixed part in the file, for lists that start at byte `lists_offset` of the steps' section: first the
    /// tensors, then the parameters.
    pub fn fixed_part(&self, lists_offset: u32) -> [u8; STEP_BYTES] {
        let n_outputs = (self.tensors.len() / 2) as u8 - self.n_inputs;
        let [p0, p1] = (self.params.len() as u16).to_le_bytes();
        let words = [
            [self.op, self.dtype, self.n_inputs, n_outputs],
            self.scratch_offset.to_le_bytes(),
            self.scratch_bytes.to_le_bytes(),
            lists_offset.to_le_bytes(),
            [p0, p1, self.order, 0],
        ];
        let mut bytes = [0; STEP_BYTES];
        for (to, from) in bytes.iter_mut().zip(words.as_flattened()) {
            *to = *from;
        }
        bytes
    }
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
            fed: 13,
            checksum: u32::MAX,
            file_bytes: u32::MAX,
            arena_bytes: 1,
            n_tensors: 2,
            n_activations: 3,
            n_steps: 4,
            n_inputs: 5,
            n_outputs: 6,
            n_calls: 11,
            ports_offset: 7,
            calls_offset: 12,
            steps_offset: 8,
            names_offset: 9,
            constants_offset: 10,
            memory1_offset: 16,
            memory2_offset: 32,
            memory3_offset: 48,
        };
        let mut buf = [0; 64];
        let written = postcard::to_slice(&header, &mut buf).unwrap();
        assert_eq!(Header::read((&*written).try_into().unwrap()), header);
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
            table: 5,
            period: u16::MAX,
            writer: NO_STEP,
        };
        let written = postcard::to_slice(&tensor, &mut buf).unwrap();
        assert_eq!(TensorRecord::read((&*written).try_into().unwrap()), tensor);
        let call = CallRecord { step: 1, first: 0x203, count: u16::MAX };
        let written = postcard::to_slice(&call, &mut buf).unwrap();
        assert_eq!(CallRecord::read((&*written).try_into().unwrap()), call);
        let step = StepRecord {
            op: 1,
            dtype: 2,
            n_inputs: 1,
            order: 1,
            scratch_offset: 3 << 20,
            scratch_bytes: 77,
            tensors: &[4, 0, 5, 1],
            params: &[6, 7, 8],
        };
        let mut section = [0; 32];
        section[..STEP_BYTES].copy_from_slice(&step.fixed_part(22));
        section[22..26].copy_from_slice(step.tensors);
        section[26..29].copy_from_slice(step.params);
        assert_eq!(StepRecord::read(section.first_chunk().unwrap(), &section), Some(step));
        assert_eq!(StepRecord::read(section.first_chunk().unwrap(), &section[..28]), None);
        let port = PortRecord { tensor: u16::MAX, scale: 0.5 };
        let written = postcard::to_slice(&port, &mut buf).unwrap();
        assert_eq!(PortRecord::read((&*written).try_into().unwrap()), port);
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
