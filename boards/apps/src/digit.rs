//! Handwritten digits from images of 8 by 8 pixels over a line.

use dunlin::Session;
use embedded_io::{Read, ReadExactError, Write};

use crate::{Decision, input};

/// Pixels of an image, one byte each, from paper (0) to ink (`INK`).
pub const N_PIXELS: usize = 64;
/// The darkest pixel: the network's inputs are between 0 and 1.
pub const INK: u8 = 16;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The line does not work.
    Line(E),
    /// The line ended within an image.
    Ended,
    /// The model's input is no such image, or its dtype is another than f32 and int8.
    Model(dunlin::Error),
}

/// Reads an image, and answers with the digit that it shows and a line's end (`7\n`).
///
/// # Errors
/// If the line does not work or the model does not fit.
pub fn answer<L: Read + Write>(line: &mut L, session: &mut Session) -> Result<Decision, Error<L::Error>> {
    let mut pixels = [0; N_PIXELS];
    line.read_exact(&mut pixels).map_err(|error| match error {
        ReadExactError::UnexpectedEof => Error::Ended,
        ReadExactError::Other(error) => Error::Line(error),
    })?;
    input::write(session, 0, pixels.iter().map(|&pixel| f32::from(pixel) / f32::from(INK)))
        .map_err(Error::Model)?;
    let decision = input::decide(session.run(), 0).map_err(Error::Model)?;
    let digit = b'0'.wrapping_add(decision.class as u8);
    line.write_all(&[digit, b'\n']).map_err(Error::Line)?;
    line.flush().map_err(Error::Line)?;
    Ok(decision)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::convert::Infallible;
    use std::vec::Vec;

    use dunlin::{Model, ops};
    use dunlin_converter::program::AlignedBytes;
    use dunlin_models::digits::Digits;
    use embedded_io::ErrorType;

    use super::*;

    /// What arrives, and what was answered.
    struct Line<'a>(&'a [u8], Vec<u8>);

    impl ErrorType for Line<'_> {
        type Error = Infallible;
    }

    impl Read for Line<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
            self.0.read(bytes)
        }
    }

    impl Write for Line<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            self.1.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    #[test]
    fn digits_are_read_from_the_line() {
        let file = AlignedBytes::from(&include_bytes!("../../../models/digits/digits.dunlin")[..]);
        let model = Model::check(&file, ops::ALL).unwrap();
        let mut arena = AlignedBytes::zeroed(model.arena_bytes());
        let mut session = Session::new(&model, &mut arena).unwrap();
        let held_out = Digits::load().unwrap().held_out;
        let pixels = (0..held_out.len()).flat_map(|i| held_out.sample(i)).map(|&x| (x * 16.0) as u8);
        let images: Vec<u8> = pixels.chain([0; 10]).collect();
        let mut line = Line(&images, Vec::new());
        let mut n_right = 0;
        for i in 0..held_out.len() {
            let decision = answer(&mut line, &mut session).unwrap();
            n_right += usize::from(decision.class == held_out.label(i));
            assert_eq!(line.1[2 * i..], [b'0' + decision.class as u8, b'\n']);
        }
        // As many as the network reads with inputs quantized on the host.
        assert_eq!((n_right, held_out.len()), (441, 445));
        assert_eq!(answer(&mut line, &mut session), Err(Error::Ended));
    }
}
