//! What a tensor is: element type and shape.

use core::ops::Range;

use crate::Error;

/// The most dimensions a tensor has. Adjacent dimensions of larger ones are merged by the converter.
pub const MAX_RANK: usize = 4;

/// Element type of a tensor; the number is the one in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum DType {
    /// IEEE 754 single precision.
    F32 = 0,
    /// 8-bit integer; as an activation `scale * (q - zero_point)`.
    I8 = 1,
    /// 16-bit integer, symmetric.
    I16 = 2,
    /// 32-bit integer: biases, accumulators, indices.
    I32 = 3,
}

impl DType {
    /// Every dtype, in the order of its number.
    pub const ALL: [DType; 4] = [DType::F32, DType::I8, DType::I16, DType::I32];

    /// The dtype with that number in the file.
    pub fn from_code(code: u8) -> Option<DType> {
        // The numbers are those of the enum: no table is needed.
        match code {
            0 => Some(DType::F32),
            1 => Some(DType::I8),
            2 => Some(DType::I16),
            3 => Some(DType::I32),
            _ => None,
        }
    }

    /// Bytes of one element; also its alignment.
    pub const fn bytes(self) -> usize {
        match self {
            DType::I8 => 1,
            DType::I16 => 2,
            DType::F32 | DType::I32 => 4,
        }
    }

    /// Short name as in reports: `f32`, `i8`, ...
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is the element of a tensor. Every bit pattern is a value of it.
pub trait Element: Copy + Default + PartialEq + core::fmt::Debug + sealed::Sealed + 'static {
    /// Its dtype.
    const DTYPE: DType;
}

macro_rules! element {
    ($($ty:ty => $dtype:ident),*) => {$(
        impl sealed::Sealed for $ty {}
        impl Element for $ty {
            const DTYPE: DType = DType::$dtype;
        }
    )*};
}
element!(f32 => F32, i8 => I8, i16 => I16, i32 => I32);

/// Up to [`MAX_RANK`] dimensions, outermost first; row-major without gaps. A scalar has rank 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Dimensions; 1 behind the rank.
    dims: [u32; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// A single number: rank 0.
    pub const SCALAR: Shape = Shape { dims: [1; MAX_RANK], rank: 0 };

    /// A shape of these dimensions, each at least 1 and their product below 2^31.
    ///
    /// # Errors
    /// [`Error::Shape`] otherwise, or if there are more than [`MAX_RANK`].
    pub fn new(dims: &[usize]) -> Result<Shape, Error> {
        let mut padded = [1; MAX_RANK];
        if dims.len() > MAX_RANK {
            return Err(Error::Shape);
        }
        for (slot, &dim) in padded.iter_mut().zip(dims) {
            *slot = u32::try_from(dim).map_err(|_| Error::Shape)?;
        }
        Shape::from_padded(padded, dims.len() as u8)
    }

    /// The shape of the first `rank` of `dims`, behind which stands 1; see [`Shape::new`].
    pub(crate) fn from_padded(dims: [u32; MAX_RANK], rank: u8) -> Result<Shape, Error> {
        let mut count: u32 = 1;
        for (i, dim) in dims.iter().enumerate() {
            if i >= rank as usize && *dim != 1 {
                return Err(Error::Malformed);
            }
            count = count.checked_mul(*dim).ok_or(Error::Shape)?;
        }
        let valid = rank as usize <= MAX_RANK && count != 0 && count < 1 << 31;
        if valid { Ok(Shape { dims, rank }) } else { Err(Error::Shape) }
    }

    /// The shape of a record that has been checked: 1 behind the rank, as [`Shape::from_padded`] takes it.
    pub(crate) fn of_checked(dims: [u32; MAX_RANK], rank: u8) -> Shape {
        Shape { dims, rank }
    }

    /// The dimensions, as many as the rank.
    pub fn dims(&self) -> &[u32] {
        self.dims.get(..self.rank as usize).unwrap_or(&self.dims)
    }

    /// Dimension `i` counted from the outermost; 1 behind the rank.
    pub fn dim(&self, i: usize) -> usize {
        self.dims.get(i).map_or(1, |&d| d as usize)
    }

    /// All [`MAX_RANK`] dimensions, right-aligned: missing outer ones are 1. This is how shapes broadcast.
    pub fn padded(&self) -> [usize; MAX_RANK] {
        let [a, b, c, d] = self.dims.map(|d| d as usize);
        match self.rank {
            0 => [1, 1, 1, 1],
            1 => [1, 1, 1, a],
            2 => [1, 1, a, b],
            3 => [1, a, b, c],
            _ => [a, b, c, d],
        }
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// Number of elements.
    #[cfg_attr(all(target_os = "none", not(dunlin_mve)), inline(never))]
    pub fn count(&self) -> usize {
        let &[a, b, c, d] = &self.dims; // a loop takes three times as long
        a.wrapping_mul(b).wrapping_mul(c).wrapping_mul(d) as usize
    }

    /// The innermost dimension (channels); 1 for a scalar.
    pub fn channels(&self) -> usize {
        self.dim(self.rank().wrapping_sub(1))
    }

    /// Elements of one row, the unit in which operators work: `w * c` of an `[n, h, w, c]` tensor, the
    /// innermost dimension of others.
    pub fn row_len(&self) -> usize {
        if self.rank() == 4 { self.dim(2).wrapping_mul(self.dim(3)) } else { self.channels() }
    }

    /// Number of rows: `n * h` of an `[n, h, w, c]` tensor.
    pub fn rows(&self) -> usize {
        match self.rank() {
            0 | 1 => 1,
            2 => self.dim(0),
            _ => self.dim(0).wrapping_mul(self.dim(1)),
        }
    }

    /// The same rows as an image `[n, h, w, c]`: `[a, b, 1, c]`, `[1, a, 1, c]` and `[1, 1, 1, c]` for lower
    /// ranks. Operators on any rank are written for this form.
    pub fn nhwc(&self) -> [usize; MAX_RANK] {
        let mut image = [1; MAX_RANK];
        for (i, &dim) in self.dims().iter().enumerate() {
            if let Some(slot) = image.get_mut(self.nhwc_axis(i)) {
                *slot = dim as usize;
            }
        }
        image
    }

    /// The axis at which [`Shape::nhwc`] has dimension `i`.
    pub fn nhwc_axis(&self, i: usize) -> usize {
        match self.rank() {
            MAX_RANK => i,
            rank if i.wrapping_add(1) == rank => MAX_RANK - 1,
            rank => i.wrapping_add(MAX_RANK - 1).wrapping_sub(rank),
        }
    }

    /// The rows in which elements `start..end` of the whole tensor lie.
    pub fn rows_of(&self, start: usize, end: usize) -> Range<usize> {
        let row_len = self.row_len().max(1);
        start / row_len..end.div_ceil(row_len)
    }

    /// The shape to which both broadcast as in NumPy: aligned at the innermost dimension, 1 stretches.
    ///
    /// # Errors
    /// [`Error::Shape`] where two dimensions differ and neither is 1.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape, Error> {
        let rank = self.rank().max(other.rank());
        let mut out = [1; MAX_RANK];
        for ((o, a), b) in out.iter_mut().zip(self.padded()).zip(other.padded()) {
            *o = match (a, b) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return Err(Error::Shape),
            };
        }
        Shape::new(out.get(MAX_RANK - rank..).unwrap_or(&out))
    }
}

impl core::fmt::Debug for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.dims()).finish()
    }
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, dim) in self.dims().iter().enumerate() {
            if i > 0 {
                f.write_str("×")?;
            }
            write!(f, "{dim}")?;
        }
        if self.rank == 0 { f.write_str("scalar") } else { Ok(()) }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Shape {
    fn format(&self, f: defmt::Formatter) {
        defmt::write!(f, "{=[?]}", self.dims())
    }
}

/// Dtype and shape of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Dimensions.
    pub shape: Shape,
}

impl TensorType {
    /// A tensor type.
    pub fn new(dtype: DType, shape: Shape) -> TensorType {
        TensorType { dtype, shape }
    }

    /// The same shape with another dtype.
    pub fn with_dtype(self, dtype: DType) -> TensorType {
        TensorType { dtype, ..self }
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.shape.count().wrapping_mul(self.dtype.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[usize]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn rows_are_image_lines_or_vectors() {
        assert_eq!((shape(&[2, 8, 6, 3]).rows(), shape(&[2, 8, 6, 3]).row_len()), (16, 18));
        assert_eq!((shape(&[5, 7, 3]).rows(), shape(&[5, 7, 3]).row_len()), (35, 3));
        assert_eq!((shape(&[4, 10]).rows(), shape(&[4, 10]).row_len()), (4, 10));
        assert_eq!((shape(&[9]).rows(), shape(&[9]).row_len()), (1, 9));
        assert_eq!((shape(&[]).rows(), shape(&[]).row_len()), (1, 1));
    }

    #[test]
    fn lower_ranks_are_images_with_the_same_rows() {
        for dims in [&[][..], &[9], &[4, 10], &[5, 7, 3], &[2, 8, 6, 3]] {
            let (shape, [n, h, w, c]) = (shape(dims), shape(dims).nhwc());
            assert_eq!((n * h, w * c), (shape.rows(), shape.row_len()), "{dims:?}");
            for (i, &dim) in dims.iter().enumerate() {
                assert_eq!(shape.nhwc()[shape.nhwc_axis(i)], dim, "{dims:?}");
            }
        }
        assert_eq!(shape(&[5, 7, 3]).rows_of(4, 9), 1..3);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for dims in [&[0][..], &[1, 2, 3, 4, 5], &[1 << 16, 1 << 15], &[usize::MAX]] {
            assert_eq!(Shape::new(dims), Err(Error::Shape), "{dims:?}");
        }
    }

    #[test]
    fn broadcasting_is_numpys() {
        let b = |a: &[usize], b: &[usize]| shape(a).broadcast(&shape(b));
        assert_eq!(b(&[2, 8, 8, 3], &[3]), Ok(shape(&[2, 8, 8, 3])));
        assert_eq!(b(&[5, 1], &[1, 4]), Ok(shape(&[5, 4])));
        assert_eq!(b(&[2, 3], &[4]), Err(Error::Shape));
        assert_eq!(b(&[], &[7]), Ok(shape(&[7])));
    }
}
