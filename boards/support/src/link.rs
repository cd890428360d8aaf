//! The two files through which the host sends work and gets results. Nothing can be done when one of them fails but to
//! end with failure.

use crate::{
    fault::fail,
    semihosting::{File, Mode},
};

pub struct Link {
    input: File,
    output: File,
}

impl Link {
    /// Opens the files `input` and `output` in the folder in which the host started the emulator.
    pub fn open() -> Link {
        match (File::open(c"input", Mode::Read), File::open(c"output", Mode::Write)) {
            (Some(input), Some(output)) => Link { input, output },
            _ => fail("the host does not open the files `input` and `output`"),
        }
    }

    /// Fills `bytes` from the input; false where the input has ended.
    pub fn read(&mut self, bytes: &mut [u8]) -> bool {
        let n_read = self.input.read(bytes);
        if n_read != 0 && n_read != bytes.len() {
            fail("the input ends too early");
        }
        n_read == bytes.len()
    }

    /// Fills `bytes` from the input, which must not have ended.
    pub fn read_all(&mut self, bytes: &mut [u8]) {
        if !self.read(bytes) {
            fail("the input ends too early");
        }
    }

    /// A little-endian number from the input, or `None` where the input has ended.
    pub fn read_u32(&mut self) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read(&mut bytes).then_some(u32::from_le_bytes(bytes))
    }

    /// Reads `n_bytes` of input for nothing.
    pub fn skip(&mut self, n_bytes: usize) {
        let mut chunk = [0; 64];
        let mut n_left = n_bytes;
        while n_left > 0 {
            let n_read = n_left.min(chunk.len());
            self.read_all(chunk.get_mut(..n_read).unwrap_or_default());
            n_left -= n_read;
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        if !self.output.write(bytes) {
            fail("the host does not take the output");
        }
    }

    pub fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }
}
