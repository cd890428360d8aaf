//! Gestures of a hand that holds an accelerometer: made up, not recorded. They stand in for recordings of one's own, with
//! what makes those hard: hands that hold the board at other angles, take other times, start early or late, move more or
//! less, and a sensor that is noisy.

use std::f64::consts::{FRAC_PI_2, TAU};

use dunlin_converter::Result;
use dunlin_converter::data::Examples;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Names of the gestures.
pub const LABELS: [&str; 6] = ["rest", "walk", "shake", "circle", "chop", "tap"];
/// Samples of a window.
pub const STEPS: usize = 128;
/// Axes of a sample: x, y, z in g.
pub const AXES: usize = 3;
/// Samples a second.
pub const RATE_HZ: f64 = 100.0;
/// Deviation of the sensor's noise, in g.
const NOISE_G: f64 = 0.04;

/// A gesture, in the hand's own axes: right, forward, up.
struct Motion {
    gesture: usize,
    /// Seconds into the window at which it starts.
    start: f64,
    /// Greatest acceleration in g.
    size: f64,
    /// Turns (or steps) a second, or for what happens once, one over its length.
    pace: f64,
    phase: f64,
}

/// `n` windows `[128, 3]` of accelerations in g, each gesture as often; the same for a seed on every machine.
///
/// # Errors
/// If `n` is less than one window a gesture.
pub fn examples(n: usize, seed: u64) -> Result<Examples<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n / LABELS.len() * LABELS.len() {
        let gesture = i % LABELS.len();
        window(gesture, &mut rng, &mut x);
        labels.push(gesture);
    }
    let examples = Examples::new(&[STEPS, AXES], x, labels)?;
    Ok(Examples { classes: LABELS.map(String::from).to_vec(), ..examples })
}

fn window(gesture: usize, rng: &mut ChaCha8Rng, x: &mut Vec<f32>) {
    let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let (start, size, pace, phase) = match gesture {
        0 => (0.0, between(0.0, 0.15), between(0.3, 1.5), between(0.0, TAU)),
        1 => (0.0, between(0.2, 0.7), between(1.5, 2.3), between(0.0, TAU)),
        2 => (between(0.0, 0.4), between(0.5, 1.8), between(3.0, 6.0), between(0.0, TAU)),
        3 => (between(0.0, 0.3), between(0.3, 1.2), between(1.0, 2.5), between(0.0, TAU)),
        4 => (between(0.1, 0.7), between(0.8, 2.2), between(2.0, 4.0), 0.0),
        _ => (between(0.1, 0.5), between(0.6, 1.8), between(10.0, 20.0), between(0.2, 0.45)),
    };
    let motion = Motion { gesture, start, size, pace, phase };
    let angles = [(); 3].map(|()| between(-0.45, 0.45));
    for step in 0..STEPS {
        let [right, forward, up] = motion.at(step as f64 / RATE_HZ);
        let held = turned([right, forward, up + 1.0], angles);
        x.extend(held.map(|g| (g + NOISE_G * rng.sample::<f64, _>(StandardNormal)) as f32));
    }
}

impl Motion {
    /// Acceleration without gravity, `t` seconds into the window.
    fn at(&self, t: f64) -> [f64; AXES] {
        let since = t - self.start;
        if since < 0.0 {
            return [0.0; AXES];
        }
        let (sin, cos) = libm::sincos(TAU * self.pace * since + self.phase);
        match self.gesture {
            0 => [self.size * sin, self.size * cos * 0.5, 0.0],
            1 => [
                0.2 * self.size * libm::sin(0.5 * TAU * self.pace * since),
                0.3 * self.size * cos,
                self.size * sin,
            ],
            2 => [self.size * sin, 0.15 * self.size * cos, 0.0],
            3 => [self.size * sin, 0.0, self.size * cos],
            4 => [0.0, -0.4 * self.blow(since), -self.blow(since)],
            _ => [0.0, 0.0, -self.blow(since) - self.blow(since - self.phase)],
        }
    }

    /// A blow `since` seconds after its start: down, and twice as hard back.
    fn blow(&self, since: f64) -> f64 {
        let part = since * self.pace;
        match part {
            0.0..0.6 => 0.5 * self.size * libm::sin(part / 0.6 * 2.0 * FRAC_PI_2),
            0.6..1.0 => -self.size * libm::sin((part - 0.6) / 0.4 * 2.0 * FRAC_PI_2),
            _ => 0.0,
        }
    }
}

/// Turned about the three axes, one after the other.
fn turned(mut vector: [f64; AXES], angles: [f64; 3]) -> [f64; AXES] {
    for (axis, angle) in angles.into_iter().enumerate() {
        let (sin, cos) = libm::sincos(angle);
        let [a, b] = [(axis + 1) % AXES, (axis + 2) % AXES];
        [vector[a], vector[b]] = [cos * vector[a] - sin * vector[b], sin * vector[a] + cos * vector[b]];
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_the_same_for_a_seed_and_hold_gravity() {
        let windows = examples(60, 7).unwrap();
        assert_eq!((windows.len(), &windows.dims[..]), (60, &[STEPS, AXES][..]));
        assert_eq!(windows, examples(60, 7).unwrap());
        assert_ne!(windows, examples(60, 8).unwrap());
        for i in (0..60).step_by(LABELS.len()) {
            let rest = windows.sample(i);
            let sum = |axis: usize| rest.iter().skip(axis).step_by(AXES).map(|&g| f64::from(g)).sum::<f64>();
            let mean = [0, 1, 2].map(|axis| sum(axis) / STEPS as f64);
            let size = mean.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((size - 1.0).abs() < 0.1, "{size}");
        }
        assert!(examples(5, 1).is_err());
    }
}
