//! From a sensor to a decision: what is between a board's buses and a session, over `embedded-hal` and `embedded-io`.
//!
//! [`gesture`] decides what an accelerometer's last samples show, [`keyword`] which word a microphone hears, [`digit`] which
//! digit an image from a line shows. All work with any model whose input has their shape, in f32 or int8, and are tested
//! on the host with mocked buses.
//!
//! ```
//! use dunlin::{Session, frontend::Windows};
//! use dunlin_apps::gesture::{Accelerometer, Error, Gesture};
//! use embedded_hal::i2c::I2c;
//!
//! /// Says when the board is turned: each window of samples is the model's input.
//! fn watch<I: I2c>(i2c: I, windows: Windows<i16, 3>, session: &mut Session) -> Result<(), Error<I::Error>> {
//!     let mut gestures = Gesture::new(Accelerometer::new(i2c)?, windows);
//!     let mut last = None;
//!     loop {
//!         if let Some(decision) = gestures.next(session)?
//!             && last.replace(decision.class) != Some(decision.class)
//!         {
//!             // a board's LED, a log, ...
//!         }
//!     }
//! }
//! ```
#![no_std]

pub mod digit;
pub mod gesture;
pub mod input;
pub mod keyword;

/// What a network decides: its largest output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Which output is the largest; of equal ones the first.
    pub class: usize,
    /// It, in real numbers.
    pub score: f32,
}
