//! Writing FlatBuffers: a tree of tables, laid out from its root on.
//!
//! Every offset but that to the vtable leads forward, so a table is written with gaps that are filled in when its
//! children have their places. The layout is that of the FlatBuffers specification ("FlatBuffer Internals").

/// What a field of a table holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number of one byte.
    Byte(u8),
    /// A number of four bytes.
    Word(u32),
    /// A table, or the table of a union.
    Table(Table),
    /// A vector of tables.
    Tables(Vec<Table>),
    /// A vector of numbers: how many, and their bytes, which start at a multiple of `align`.
    Numbers {
        /// Number of elements.
        len: usize,
        /// A power of two, at least 4.
        align: usize,
        /// Little-endian.
        bytes: Vec<u8>,
    },
    /// A string.
    Text(String),
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Byte(flag.into())
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Value {
        Value::Byte(number)
    }
}

impl From<i8> for Value {
    fn from(number: i8) -> Value {
        Value::Byte(number as u8)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Word(number as u32)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Word(number)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Value {
        Value::Word(number.to_bits())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Value {
        Value::Table(table)
    }
}

impl From<Vec<Table>> for Value {
    fn from(tables: Vec<Table>) -> Value {
        Value::Tables(tables)
    }
}

impl From<&[i32]> for Value {
    fn from(numbers: &[i32]) -> Value {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        Value::Numbers { len: numbers.len(), align: 4, bytes }
    }
}

impl From<&[f32]> for Value {
    fn from(numbers: &[f32]) -> Value {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        Value::Numbers { len: numbers.len(), align: 4, bytes }
    }
}

impl From<&[i64]> for Value {
    fn from(numbers: &[i64]) -> Value {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        Value::Numbers { len: numbers.len(), align: 8, bytes }
    }
}

/// A table: fields by number, as the schema counts them.
#[derive(Clone, Debug, Default)]
pub struct Table {
    fields: Vec<(u16, Value)>,
}

impl Table {
    /// A table whose fields all have their defaults.
    pub fn new() -> Table {
        Table::default()
    }

    /// With a field.
    pub fn with(mut self, field: u16, value: impl Into<Value>) -> Table {
        self.fields.push((field, value.into()));
        self
    }
}

/// The file of `root`.
pub fn file(root: &Table, identifier: &[u8; 4]) -> Vec<u8> {
    let mut output = Output { bytes: vec![0; 4] };
    output.bytes.extend(identifier);
    let at = output.table(root);
    output.set_offset(0, at);
    output.bytes
}

struct Output {
    bytes: Vec<u8>,
}

impl Output {
    fn word(&mut self, number: u32) {
        self.bytes.extend(number.to_le_bytes());
    }

    /// Makes the place `ahead` bytes from here a multiple of `align`.
    fn pad(&mut self, align: usize, ahead: usize) {
        let end = (self.bytes.len() + ahead).next_multiple_of(align) - ahead;
        self.bytes.resize(end, 0);
    }

    /// Lets the offset at `at` lead to `to`.
    fn set_offset(&mut self, at: usize, to: usize) {
        self.bytes[at..at + 4].copy_from_slice(&((to - at) as u32).to_le_bytes());
    }

    /// Appends a table with all below it, and returns where it starts.
    fn table(&mut self, table: &Table) -> usize {
        // Fields of four bytes come first: then all are aligned.
        let is_byte = |value: &Value| matches!(value, Value::Byte(_));
        let mut fields: Vec<&(u16, Value)> = table.fields.iter().collect();
        fields.sort_by_key(|(_, value)| is_byte(value));
        let n_slots = fields.iter().map(|(field, _)| *field as usize + 1).max().unwrap_or(0);
        let vtable_bytes = 4 + 2 * n_slots;
        self.pad(4, vtable_bytes);
        let vtable = self.bytes.len();
        let start = vtable + vtable_bytes;
        self.bytes.resize(start, 0);
        self.word(vtable_bytes as u32);
        let mut children = Vec::new();
        for (field, value) in fields {
            let at = self.bytes.len();
            let slot = vtable + 4 + 2 * *field as usize;
            self.bytes[slot..slot + 2].copy_from_slice(&((at - start) as u16).to_le_bytes());
            match value {
                Value::Byte(byte) => self.bytes.push(*byte),
                Value::Word(word) => self.word(*word),
                _ => {
                    self.word(0);
                    children.push((at, value));
                }
            }
        }
        let table_bytes = self.bytes.len() - start;
        self.bytes[vtable..vtable + 2].copy_from_slice(&(vtable_bytes as u16).to_le_bytes());
        self.bytes[vtable + 2..vtable + 4].copy_from_slice(&(table_bytes as u16).to_le_bytes());
        for (at, value) in children {
            let to = self.child(value);
            self.set_offset(at, to);
        }
        start
    }

    /// Appends what an offset leads to, and returns where it starts.
    fn child(&mut self, value: &Value) -> usize {
        match value {
            Value::Table(table) => self.table(table),
            Value::Tables(tables) => {
                let start = self.vector(tables.len(), 4, &vec![0; 4 * tables.len()]);
                for (i, table) in tables.iter().enumerate() {
                    let to = self.table(table);
                    self.set_offset(start + 4 + 4 * i, to);
                }
                start
            }
            Value::Numbers { len, align, bytes } => self.vector(*len, *align, bytes),
            Value::Text(text) => {
                let start = self.vector(text.len(), 4, text.as_bytes());
                self.bytes.push(0);
                start
            }
            Value::Byte(_) | Value::Word(_) => self.bytes.len(), // lies in its table
        }
    }

    fn vector(&mut self, len: usize, align: usize, elements: &[u8]) -> usize {
        self.pad(align, 4);
        let start = self.bytes.len();
        self.word(len as u32);
        self.bytes.extend(elements);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::tflite::flatbuffer;

    #[test]
    fn the_reader_reads_what_was_written() {
        let child = |n: i32| Table::new().with(0, n);
        let blob = Value::Numbers { len: 3, align: 16, bytes: vec![7, 8, 9] };
        let root = Table::new()
            .with(0, 7i32)
            .with(1, true)
            .with(9, "dunlin")
            .with(3, &[1.5f32, -2.0][..])
            .with(4, vec![child(1), child(2)])
            .with(5, child(3))
            .with(6, &[-1i64][..])
            .with(7, blob);
        let bytes = file(&root, b"TEST");
        assert_eq!(&bytes[4..8], b"TEST");
        let read = flatbuffer::Table::root(&bytes).unwrap();
        assert_eq!((read.scalar(0, 0i32).unwrap(), read.flag(1).unwrap()), (7, true));
        assert_eq!(read.scalar(2, 5i32).unwrap(), 5, "an absent field has its default");
        assert_eq!(read.string(9).unwrap(), "dunlin");
        assert_eq!(read.scalars::<f32>(3).unwrap(), [1.5, -2.0]);
        let tables = read.tables(4).unwrap().iter();
        assert_eq!(tables.map(|t| t.unwrap().scalar(0, 0).unwrap()).collect::<Vec<i32>>(), [1, 2]);
        assert_eq!(read.table(5).unwrap().unwrap().scalar(0, 0i32).unwrap(), 3);
        assert_eq!(read.scalars::<i64>(6).unwrap(), [-1]);
        let blob = read.blob(7).unwrap();
        assert_eq!(blob, [7, 8, 9]);
        assert_eq!((blob.as_ptr() as usize - bytes.as_ptr() as usize) % 16, 0);
    }
}
