//! A sensor's numbers as the device computes features of them.

use dunlin::frontend::{Axis, FEATURE_SCALE, MotionFeature};

use super::{Examples, Standardization};
use crate::{Error, Result};

/// What the device does to the numbers of each axis of a sensor of which `units` make 1 in the data: they become numbers
/// with mean 0 and deviation 1, or, without a standardization, those of the data.
///
/// # Errors
/// If `units` is not positive, or an axis needs a factor or an offset that the device does not have.
pub fn axes(standardization: Option<&Standardization>, n_axes: usize, units: f32) -> Result<Vec<Axis>> {
    let axis = |i: usize| {
        let (mean, deviation) = standardization.map_or((0.0, 1.0), |s| (s.mean[i], s.deviation[i]));
        let offset = (f64::from(mean) * f64::from(units)).round();
        let factor = 65536.0 / (f64::from(FEATURE_SCALE) * f64::from(deviation) * f64::from(units));
        let fits = (1.0..=f64::from(u32::MAX)).contains(&factor.round()) && offset.abs() < 32768.0;
        if !(units > 0.0 && fits) {
            return Err(Error::Invalid(format!(
                "a sensor of 16 bits with {units} units for 1 does not tell numbers around {mean} that deviate by \
                 {deviation}: see `data.sensor_units`"
            )));
        }
        Ok(Axis { offset: offset as i16, factor_q16: factor.round() as u32 })
    };
    (0..n_axes).map(axis).collect()
}

/// Rounds the samples to what the sensor says, and makes of that what the device makes of it, in fixed point. The innermost
/// dimension is that of the axes.
pub fn apply(axes: &[Axis], units: f32, examples: &mut Examples<f32>) {
    for sample in examples.x.chunks_mut(axes.len()) {
        for (x, &axis) in sample.iter_mut().zip(axes) {
            // Saturates as the sensor does.
            let raw = (*x * units).round_ties_even() as i16;
            *x = f32::from(i16::of(axis, raw)) * FEATURE_SCALE;
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin::frontend::Windows;

    use super::*;

    #[test]
    fn training_sees_what_the_device_computes() {
        let raw: Vec<i16> = (0..60).map(|i| (i * 7919 % 20011 - 9000) as i16).collect();
        let x = raw.iter().map(|&raw| f32::from(raw) / 4096.0).collect();
        let mut examples = Examples::new(&[10, 3], x, vec![0, 1]).unwrap();
        let standardization = Standardization::fit(&examples).unwrap();
        let axes = axes(Some(&standardization), 3, 4096.0).unwrap();
        let exact = {
            let mut exact = examples.clone();
            standardization.apply(&mut exact);
            exact.x
        };
        apply(&axes, 4096.0, &mut examples);
        assert!(examples.x.iter().zip(&exact).all(|(x, exact)| (x - exact).abs() < FEATURE_SCALE));
        let mut memory = [0; 30];
        let mut windows = Windows::<i16, 3>::new(axes.try_into().unwrap(), 10, &mut memory).unwrap();
        let mut made = Vec::new();
        for sample in raw.as_chunks().0 {
            made.extend(windows.push(*sample).into_iter().flatten().map(|&x| f32::from(x) * FEATURE_SCALE));
        }
        assert_eq!(made, examples.x);
    }

    #[test]
    fn units_that_fit_no_sensor_are_refused() {
        for units in [0.0, -1.0, f32::NAN, 1e30] {
            let error = axes(None, 1, units).unwrap_err().to_string();
            assert!(error.contains("sensor_units"), "{error}");
        }
        assert_eq!(axes(None, 2, 16384.0).unwrap(), [Axis { offset: 0, factor_q16: 1024 }; 2]);
    }
}
