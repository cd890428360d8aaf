//! Reading FlatBuffers whose every byte is untrusted.
//!
//! Each access checks the offsets that it follows, so nothing has to be verified ahead and nothing can reach
//! outside the file. The layout is that of the FlatBuffers specification ("FlatBuffer Internals"): a table
//! starts with the distance back to its vtable; the vtable has two lengths (its own and the table's), then
//! one offset a field, 0 for a field that has its default.

use crate::{Error, Result};

/// A number as it is stored: little-endian.
pub trait Scalar: Copy {
    /// Bytes of it.
    const BYTES: usize;
    /// From its bytes; `None` if there are not as many.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! scalar {
    ($($ty:ty),*) => {$(
        impl Scalar for $ty {
            const BYTES: usize = size_of::<$ty>();
            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|bytes| <$ty>::from_le_bytes(*bytes))
            }
        }
    )*};
}
scalar!(u8, i8, u16, i16, i32, u32, i64, u64, f32);

/// A table: fields by number, as the schema counts them.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table of a file.
    ///
    /// # Errors
    /// If an offset leads outside the file; as everything here.
    pub fn root(bytes: &'a [u8]) -> Result<Table<'a>> {
        Table::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Table<'a>> {
        let back: i32 = scalar(bytes, at)?;
        let start = (at as i64).checked_sub(back as i64).and_then(|start| usize::try_from(start).ok());
        let start = start.ok_or_else(|| outside(at))?;
        let len: u16 = scalar(bytes, start)?;
        let vtable = bytes.get(start..start + len as usize).ok_or_else(|| outside(start))?;
        Ok(Table { bytes, at, vtable })
    }

    /// Where field `field` is, if it is there.
    fn position(&self, field: u16) -> Option<usize> {
        let entry = self.vtable.get(4 + 2 * field as usize..)?;
        let offset = u16::read(entry)?;
        (offset != 0).then_some(self.at + offset as usize)
    }

    /// A number, or `default` if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn scalar<T: Scalar>(&self, field: u16, default: T) -> Result<T> {
        self.position(field).map_or(Ok(default), |at| scalar(self.bytes, at))
    }

    /// A boolean, false if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn flag(&self, field: u16) -> Result<bool> {
        Ok(self.scalar(field, 0u8)? != 0)
    }

    /// A table (or the table of a union).
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn table(&self, field: u16) -> Result<Option<Table<'a>>> {
        let Some(at) = self.position(field) else { return Ok(None) };
        Table::at(self.bytes, follow(self.bytes, at)?).map(Some)
    }

    /// A vector of tables; empty if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn tables(&self, field: u16) -> Result<Tables<'a>> {
        let (start, offsets) = self.vector(field, size_of::<u32>())?;
        Ok(Tables { bytes: self.bytes, start, len: offsets.len() / size_of::<u32>() })
    }

    /// A vector of numbers; empty if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn scalars<T: Scalar>(&self, field: u16) -> Result<Vec<T>> {
        let (_, elements) = self.vector(field, T::BYTES)?;
        Ok(elements.chunks_exact(T::BYTES).filter_map(T::read).collect())
    }

    /// A vector of bytes; empty if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn blob(&self, field: u16) -> Result<&'a [u8]> {
        Ok(self.vector(field, 1)?.1)
    }

    /// A string, with what is no UTF-8 replaced; empty if the field is absent.
    ///
    /// # Errors
    /// See [`Table::root`].
    pub fn string(&self, field: u16) -> Result<String> {
        Ok(String::from_utf8_lossy(self.blob(field)?).into_owned())
    }

    /// Where the elements of a vector start, and their bytes.
    fn vector(&self, field: u16, element_bytes: usize) -> Result<(usize, &'a [u8])> {
        let Some(at) = self.position(field) else { return Ok((0, &[])) };
        let start = follow(self.bytes, at)?;
        let len: u32 = scalar(self.bytes, start)?;
        let first = start + size_of::<u32>();
        let end = (len as usize).checked_mul(element_bytes).and_then(|bytes| first.checked_add(bytes));
        let elements = end.and_then(|end| self.bytes.get(first..end)).ok_or_else(|| outside(start))?;
        Ok((first, elements))
    }
}

/// A vector of tables.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    bytes: &'a [u8],
    start: usize,
    len: usize,
}

impl<'a> Tables<'a> {
    /// Number of tables.
    pub fn count(&self) -> usize {
        self.len
    }

    /// Table `i`.
    ///
    /// # Errors
    /// If there are not as many, or as [`Table::root`].
    pub fn get(&self, i: usize) -> Result<Table<'a>> {
        if i >= self.len {
            return Err(Error::Invalid(format!("element {i} of a list of {} is asked for", self.len)));
        }
        Table::at(self.bytes, follow(self.bytes, self.start + size_of::<u32>() * i)?)
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Result<Table<'a>>> {
        (0..self.len).map(move |i| self.get(i))
    }
}

/// Where the offset at `at` leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize> {
    let offset: u32 = scalar(bytes, at)?;
    at.checked_add(offset as usize).ok_or_else(|| outside(at))
}

fn scalar<T: Scalar>(bytes: &[u8], at: usize) -> Result<T> {
    bytes.get(at..).and_then(T::read).ok_or_else(|| outside(at))
}

fn outside(at: usize) -> Error {
    Error::Invalid(format!("the offset at byte {at} leads outside the file: it is truncated or damaged"))
}

#[cfg(test)]
mod tests {
    use flatbuffers::FlatBufferBuilder;

    use super::*;

    /// A root table: 0 the number 7, 1 absent, 2 a string, 3 numbers, 4 two tables with a number each.
    fn sample() -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let children: Vec<_> = [1i32, 2]
            .map(|n| {
                let table = builder.start_table();
                builder.push_slot_always(4, n);
                builder.end_table(table)
            })
            .into();
        let children = builder.create_vector(&children);
        let numbers = builder.create_vector(&[1.5f32, -2.0]);
        let text = builder.create_string("dunlin");
        let table = builder.start_table();
        builder.push_slot_always(4, 7i32);
        builder.push_slot_always(8, text);
        builder.push_slot_always(10, numbers);
        builder.push_slot_always(12, children);
        let root = builder.end_table(table);
        builder.finish_minimal(root);
        builder.finished_data().to_vec()
    }

    type Fields = (i32, u8, String, Vec<f32>, Vec<i32>);

    /// Every field of `sample`.
    fn read(bytes: &[u8]) -> Result<Fields> {
        let root = Table::root(bytes)?;
        let children = root.tables(4)?.iter().map(|child| child?.scalar(0, 0));
        let children = children.collect::<Result<_>>()?;
        Ok((root.scalar(0, 0)?, root.scalar(1, 9)?, root.string(2)?, root.scalars(3)?, children))
    }

    #[test]
    fn reads_what_the_builder_wrote() {
        let expected = (7, 9, "dunlin".to_string(), vec![1.5, -2.0], vec![1, 2]);
        assert_eq!(read(&sample()).unwrap(), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_damage_is_an_error_or_other_numbers(at in 0usize..200, byte: u8, cut in 0usize..200) {
            let mut bytes = sample();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            bytes.truncate(cut);
            // Neither panics nor reads outside.
            let _ = read(&bytes);
        }
    }
}
