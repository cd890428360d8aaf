//! Gestures from an accelerometer on an I2C bus.

use embedded_hal::i2c::I2c;

use dunlin::Session;
use dunlin::frontend::{FEATURE_SCALE, Windows};

use crate::{Decision, input};

/// Axes of a sample: x, y, z.
const N_AXES: usize = 3;

/// Why there is no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus does not work.
    Bus(E),
    /// What answers is no accelerometer of this kind; what it says it is.
    NotTheSensor(u8),
    /// The model's input is not a window of samples, or its dtype is another than f32 and int8.
    Model(dunlin::Error),
}

impl<E> From<dunlin::Error> for Error<E> {
    fn from(error: dunlin::Error) -> Error<E> {
        Error::Model(error)
    }
}

/// ST's LSM303AGR, as on the micro:bit v2, and its like (LIS2DH, LIS3DH at another address): 100 samples a second of
/// up to 2 g.
///
/// Source: ST, "LSM303AGR datasheet", registers of the accelerometer.
pub struct Accelerometer<I> {
    i2c: I,
}

impl<I: I2c> Accelerometer<I> {
    const ADDRESS: u8 = 0x19;
    const WHO_AM_I: u8 = 0x0f;
    const SELF: u8 = 0x33;
    /// 100 Hz, all three axes.
    const SET_RATE: [u8; 2] = [0x20, 0x57];
    /// High resolution; the two bytes of a number change together.
    const SET_RESOLUTION: [u8; 2] = [0x23, 0x88];
    const STATUS: u8 = 0x27;
    const ALL_AXES_NEW: u8 = 1 << 3;
    /// The first of six bytes, with the bit that asks for the ones after it.
    const SAMPLE: u8 = 0x28 | 0x80;
    /// What 1 g is, in numbers left-aligned in 16 bits: `data.sensor_units` of a recipe whose data are in g.
    pub const UNITS_PER_G: i16 = 16384;

    /// Starts the sensor on this bus.
    ///
    /// # Errors
    /// If it does not answer, or is another one.
    pub fn new(mut i2c: I) -> Result<Self, Error<I::Error>> {
        let mut who = [0];
        i2c.write_read(Self::ADDRESS, &[Self::WHO_AM_I], &mut who).map_err(Error::Bus)?;
        if who != [Self::SELF] {
            return Err(Error::NotTheSensor(who[0]));
        }
        for setting in [Self::SET_RATE, Self::SET_RESOLUTION] {
            i2c.write(Self::ADDRESS, &setting).map_err(Error::Bus)?;
        }
        Ok(Accelerometer { i2c })
    }

    /// The newest sample, x, y, z, in units of the sensor; `None` if it has been read already.
    ///
    /// # Errors
    /// If the bus does not work.
    pub fn sample(&mut self) -> Result<Option<[i16; N_AXES]>, Error<I::Error>> {
        let mut status = [0];
        self.i2c.write_read(Self::ADDRESS, &[Self::STATUS], &mut status).map_err(Error::Bus)?;
        if status[0] & Self::ALL_AXES_NEW == 0 {
            return Ok(None);
        }
        let mut bytes = [0; 2 * N_AXES];
        self.i2c.write_read(Self::ADDRESS, &[Self::SAMPLE], &mut bytes).map_err(Error::Bus)?;
        let [x0, x1, y0, y1, z0, z1] = bytes;
        Ok(Some([[x0, x1], [y0, y1], [z0, z1]].map(i16::from_le_bytes)))
    }

    /// The bus, for others.
    pub fn release(self) -> I {
        self.i2c
    }
}

/// Decides again and again what the last samples show: a window of features is the model's input (`[1, samples, 3]`, or any
/// shape with as many elements).
pub struct Gesture<'m, I> {
    sensor: Accelerometer<I>,
    windows: Windows<'m, i16, N_AXES>,
}

impl<'m, I: I2c> Gesture<'m, I> {
    /// Decides at every window.
    pub fn new(sensor: Accelerometer<I>, windows: Windows<'m, i16, N_AXES>) -> Self {
        Gesture { sensor, windows }
    }

    /// Takes a sample if there is one; the decision, if one is due. To be called more often than samples come.
    ///
    /// # Errors
    /// If the bus does not work or the model does not fit.
    pub fn next(&mut self, session: &mut Session) -> Result<Option<Decision>, Error<I::Error>> {
        let Some(sample) = self.sensor.sample()? else { return Ok(None) };
        let Some(window) = self.windows.push(sample) else { return Ok(None) };
        input::write(session, 0, window.iter().map(|&feature| f32::from(feature) * FEATURE_SCALE))?;
        session.run();
        Ok(Some(input::decide(session, 0)?))
    }

    /// The sensor, for others.
    pub fn release(self) -> Accelerometer<I> {
        self.sensor
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use dunlin::frontend::Axis;
    use dunlin::{Model, ops, ops::FullyConnected, ops::bounds::Bounds};
    use dunlin_converter::program::AlignedBytes;
    use dunlin_converter::{Data, Graph, Program};
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    const N_SAMPLES: usize = 4;
    const IN_G: [Axis; N_AXES] = [Axis { offset: 0, factor_q16: 1024 }; N_AXES];

    /// Two outputs: the sum of z, and of -z: lying face up, or face down.
    fn face() -> Program {
        let mut g = Graph::new("face");
        let x = g.input("x", &[1, N_SAMPLES * N_AXES]).unwrap();
        let row = |z: f32| (0..N_SAMPLES).flat_map(move |_| [0.0, 0.0, z]);
        let weights = row(1.0).chain(row(-1.0)).collect();
        let w = g.constant("w", &[2, N_SAMPLES * N_AXES], Data::F32(weights)).unwrap();
        let y = g.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
        g.mark_output(y);
        Program::compile(&g).unwrap()
    }

    fn start() -> Vec<Transaction> {
        vec![
            Transaction::write_read(0x19, vec![0x0f], vec![0x33]),
            Transaction::write(0x19, vec![0x20, 0x57]),
            Transaction::write(0x19, vec![0x23, 0x88]),
        ]
    }

    fn sample(z: i16) -> [Transaction; 2] {
        let [low, high] = z.to_le_bytes();
        [
            Transaction::write_read(0x19, vec![0x27], vec![0x0f]),
            Transaction::write_read(0x19, vec![0xa8], vec![9, 0, 0, 9, low, high]),
        ]
    }

    #[test]
    fn a_turned_board_is_seen() {
        let program = face();
        let model = program.model().unwrap();
        let mut arena = AlignedBytes::zeroed(model.arena_bytes());
        let mut session = Session::new(&model, &mut arena).unwrap();
        const G: i16 = Accelerometer::<Mock>::UNITS_PER_G;
        let mut bus = start();
        bus.extend([G; 4].into_iter().flat_map(sample));
        bus.push(Transaction::write_read(0x19, vec![0x27], vec![0]));
        bus.extend([-G; 4].into_iter().flat_map(sample));
        let mut memory = [0; N_SAMPLES * N_AXES];
        let windows = Windows::new(IN_G, 4, &mut memory).unwrap();
        let mut gestures = Gesture::new(Accelerometer::new(Mock::new(&bus)).unwrap(), windows);
        let decisions: Vec<_> = (0..9).map(|_| gestures.next(&mut session).unwrap()).collect();
        let due: Vec<_> =
            decisions.iter().enumerate().filter_map(|(i, d)| d.map(|d| (i, d.class, d.score))).collect();
        // No sample is new at the fifth call.
        assert_eq!(due, [(3, 0, 4.0), (8, 1, 4.0)]);
        gestures.release().release().done();
    }

    #[test]
    fn what_is_wrong_is_told() {
        let mut other = Mock::new(&[Transaction::write_read(0x19, vec![0x0f], vec![0x44])]);
        assert_eq!(Accelerometer::new(other.clone()).err(), Some(Error::NotTheSensor(0x44)));
        other.done();
        let broken = Transaction::write_read(0x19, vec![0x0f], vec![0]).with_error(ErrorKind::Bus);
        let mut broken = Mock::new(&[broken]);
        assert_eq!(Accelerometer::new(broken.clone()).err(), Some(Error::Bus(ErrorKind::Bus)));
        broken.done();

        let program = face();
        let model = Model::check(program.bytes(), ops::ALL).unwrap();
        let mut arena = AlignedBytes::zeroed(model.arena_bytes());
        let mut session = Session::new(&model, &mut arena).unwrap();
        let bus = [start(), sample(0).to_vec()].concat();
        let mut memory = [0; N_AXES];
        let windows = Windows::new(IN_G, 1, &mut memory).unwrap();
        let mut gestures = Gesture::new(Accelerometer::new(Mock::new(&bus)).unwrap(), windows);
        assert_eq!(gestures.next(&mut session), Err(Error::Model(dunlin::Error::WrongLength)));
        gestures.release().release().done();
    }
}
