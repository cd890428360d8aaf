//! What the kernels ask of a CPU.

/// The most lanes of a vector.
pub const MAX_LANES: usize = 16;

/// Taps of an int8 word: what a lane multiplies at a time.
pub const TAPS_I8: usize = 4;

/// Vectors of 32-bit lanes. A value of the type is a proof that the machine has the instructions.
///
/// A lane is an i32, an f32, or four bytes (a *word*), as the operation takes it; words begin with the lowest byte.
/// int8 activations are *staged*: their bits are flipped as `FLIP` says, which adds `OFFSET`, so that [`Cpu::dot`] can take
/// them.
///
/// # Safety
/// `LANES` is at most [`MAX_LANES`], and loads and stores touch `LANES` lanes or bytes as they say.
pub unsafe trait Cpu: Copy {
    /// 32-bit lanes of a vector.
    const LANES: usize;
    /// Flips an int8 to what [`Cpu::dot`] takes: 0x80 where it takes bytes without sign, else 0.
    const FLIP: u8;
    /// What flipping adds.
    const OFFSET: i32 = Self::FLIP as i32;
    /// The most positions of a tile with 1 and 2 vectors of channels, 4 or 8, and with 4 of them, 4 or 6; 0 if there are too
    /// few registers for so many.
    const TILES: [usize; 3];
    /// A vector.
    type V: Copy;
    /// What becomes of accumulators, made by [`Cpu::factors`].
    type Factors: Copy;

    /// The same word in all lanes.
    fn splat(self, word: i32) -> Self::V;
    /// # Safety
    /// `LANES` words can be read.
    unsafe fn load(self, from: *const i32) -> Self::V;
    /// The first `n_bytes`, fewer than a vector has, and zeros.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> Self::V;
    /// # Safety
    /// `LANES` words can be written.
    unsafe fn store(self, v: Self::V, to: *mut i32);
    /// `LANES` bytes as i32.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_i8(self, from: *const i8) -> Self::V;
    /// The same of four vectors, which may take fewer instructions than one by one.
    ///
    /// # Safety
    /// `4 * LANES` bytes can be read.
    #[inline(always)]
    unsafe fn load_4_i8(self, from: *const i8) -> [Self::V; 4] {
        let mut vectors = [self.splat(0); 4];
        for (i, v) in vectors.iter_mut().enumerate() {
            // SAFETY: as the caller says.
            *v = unsafe { self.load_i8(from.wrapping_add(i * Self::LANES)) };
        }
        vectors
    }
    /// Elements 0, 3, 6, ..., then 1, 4, 7, ..., then 2, 5, 8, ...
    ///
    /// # Safety
    /// 3 * `LANES` words can be read.
    unsafe fn load_triples(self, from: *const i32) -> [Self::V; 3];
    /// Lane `i`: the bytes at `i` behind each of `ROWS` pointers, three or four.
    ///
    /// # Safety
    /// `LANES` bytes behind each of them can be read.
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> Self::V;
    /// Lane `i` of vector `j` becomes lane `j` of vector `i`, for the first `LANES` vectors.
    fn transpose(self, rows: &mut [Self::V; MAX_LANES]);

    /// Wraps.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Wraps.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// Wraps.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bit by bit.
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    /// -1 in lanes that are 0, else the lane of `otherwise`.
    fn or_if_zero(self, v: Self::V, otherwise: Self::V) -> Self::V;
    /// Shifts left by `BITS` in every lane.
    fn shift_left<const BITS: u32>(self, v: Self::V) -> Self::V;
    /// Whether every lane is negative.
    fn all_negative(self, v: Self::V) -> bool;
    /// In each quarter of 16 bytes, lane `i` is the sum of that quarter of vector `i`; wraps.
    fn sums_of_quarters(self, v: [Self::V; 4]) -> Self::V;
    /// Sums of neighbouring quarters: those of `a`, then those of `b`; wraps. Never called where there is one quarter.
    fn add_quarters(self, a: Self::V, b: Self::V) -> Self::V;
    /// Each lane gains the products of its four staged activations with its four int8 weights; wraps.
    fn dot(self, acc: Self::V, x: Self::V, w: Self::V) -> Self::V;

    /// What [`Cpu::requantize`] needs for a multiplier of at least 0 and a shift right by 1 to 31 bits in each lane.
    fn factors(self, multipliers: Self::V, right_shifts: Self::V) -> Self::Factors;
    /// As [`Factor::apply`](crate::kernels::generic::requantize::Factor::apply), in each lane.
    fn requantize(self, acc: Self::V, factors: &Self::Factors) -> Self::V;
    /// The same where the result is positive; else anything that is not.
    fn requantize_positive(self, acc: Self::V, factors: &Self::Factors) -> Self::V;
    /// Writes `LANES` bytes: the lanes, less than 2^30 of either sign, plus the zero point, clamped.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_i8(self, v: Self::V, zero_point: i32, bounds: (i8, i8), to: *mut i8);
    /// The same of the first half of the lanes.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_half_i8(self, v: Self::V, zero_point: i32, bounds: (i8, i8), to: *mut i8);
    /// The same of four vectors, which takes fewer instructions than one by one: in `RUNS` of as many of them, 1, 2 or 4,
    /// with `step` bytes from run to run.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_4_i8<const RUNS: usize>(
        self,
        v: [Self::V; 4],
        zero_point: i32,
        bounds: (i8, i8),
        to: *mut i8,
        step: usize,
    );

    /// `v`, positive, with the sign of `of`.
    fn with_sign_of(self, v: Self::V, of: Self::V) -> Self::V;
    /// i32 less than 2^24 of either sign, divided by a positive number less than 2^16, towards 0; the quotient is at most
    /// 128 of either sign.
    fn divide(self, v: Self::V, by: Self::V) -> Self::V;
    /// f32.
    fn add_f32(self, a: Self::V, b: Self::V) -> Self::V;
    /// f32: `acc + a * b`.
    fn mul_add_f32(self, acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// f32, as [`clamp_f32`](crate::kernels::generic::arithmetic::clamp_f32).
    fn clamp_f32(self, v: Self::V, lo: Self::V, hi: Self::V) -> Self::V;
    /// f32; see [`Cpu::sums_of_quarters`].
    fn sums_of_quarters_f32(self, v: [Self::V; 4]) -> Self::V;
    /// f32; see [`Cpu::add_quarters`].
    fn add_quarters_f32(self, a: Self::V, b: Self::V) -> Self::V;
}

/// Something to do with a CPU's vectors. All that [`Work::run`] calls must be inlined into it: only there the compiler
/// knows that there are such instructions.
pub trait Work {
    fn run<C: Cpu>(self, cpu: C);
}

/// A vector, or its first bytes and zeros.
///
/// # Safety
/// `n_bytes`, of at most a vector, can be read.
#[inline(always)]
pub unsafe fn load<C: Cpu>(cpu: C, from: *const u8, n_bytes: usize) -> C::V {
    // SAFETY: as the caller says.
    unsafe { if n_bytes == 4 * C::LANES { cpu.load(from.cast()) } else { cpu.load_part(from, n_bytes) } }
}

/// Intrinsics that take no pointers.
macro_rules! there {
    ($intrinsics:expr) => {{
        // SAFETY: a `Cpu` exists only where the machine has the instructions.
        unsafe { $intrinsics }
    }};
}
pub(crate) use there;

/// Methods that are such intrinsics.
macro_rules! methods {
    ($($name:ident($($operand:ident: $type:ty),*) -> $result:ty = $intrinsics:expr;)*) => {
        $(
            #[inline(always)]
            fn $name(self, $($operand: $type),*) -> $result {
                there!($intrinsics)
            }
        )*
    };
}
pub(crate) use methods;

/// A function that does work with the vectors of a CPU: there the compiler may use its instructions.
macro_rules! entry {
    ($name:ident, $cpu:expr, $features:literal) => {
        /// # Safety
        /// The machine has the instructions.
        #[inline(never)]
        #[target_feature(enable = $features)]
        pub unsafe fn $name(work: impl Work) {
            work.run($cpu);
        }
    };
}
pub(crate) use entry;
