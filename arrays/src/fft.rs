//! Fourier transforms along an axis.

use ndarray::{ArrayD, Axis};
use num_complex::Complex;
use rustfft::FftPlanner;

use crate::{Array, Element, Error, Float, Result, s};

/// A transform of every lane along `axis`, not scaled.
fn transform<T: Float>(a: &Array<Complex<T>>, axis: isize, forward: bool) -> Result<Array<Complex<T>>>
where
    Complex<T>: Element,
{
    let place = Axis(a.axis(axis)?);
    let len = a.dims()[place.0];
    if len == 0 {
        return Error::invalid(format!("axis {axis} of {:?} has nothing to transform", a.dims()));
    }
    let mut planner = FftPlanner::new();
    let plan = if forward { planner.plan_fft_forward(len) } else { planner.plan_fft_inverse(len) };
    let mut result: ArrayD<Complex<T>> = a.0.to_owned();
    for mut lane in result.lanes_mut(place) {
        let mut buffer = lane.to_vec();
        plan.process(&mut buffer);
        lane.iter_mut().zip(buffer).for_each(|(to, from)| *to = from);
    }
    Ok(Array::from_nd(result))
}

/// The discrete Fourier transform along `axis`, not scaled.
///
/// # Errors
/// If there is no such axis or nothing along it.
pub fn fft<T: Float>(a: &Array<Complex<T>>, axis: isize) -> Result<Array<Complex<T>>>
where
    Complex<T>: Element,
{
    transform(a, axis, true)
}

/// The inverse of [`fft`]: scaled by 1 / n.
///
/// # Errors
/// As [`fft`].
pub fn ifft<T: Float>(a: &Array<Complex<T>>, axis: isize) -> Result<Array<Complex<T>>>
where
    Complex<T>: Element,
{
    let scale = T::nearest(1.0 / a.dims()[a.axis(axis)?] as f64);
    Ok(transform(a, axis, false)?.map(|x| x * scale))
}

/// The first n / 2 + 1 frequencies of real numbers; the others are their conjugates.
///
/// # Errors
/// As [`fft`].
pub fn rfft<T: Float>(a: &Array<T>, axis: isize) -> Result<Array<Complex<T>>>
where
    Complex<T>: Element,
{
    let place = a.axis(axis)?;
    let all = fft(&a.map(|x| Complex::new(x, T::ZERO)), axis)?;
    let mut slices = vec![s(..); place];
    slices.push(s(..(a.dims()[place] / 2 + 1) as isize));
    all.slice(&slices)
}

/// The `n` real numbers of which these are the frequencies that [`rfft`] gives.
///
/// # Errors
/// As [`fft`], and if there are not n / 2 + 1 frequencies.
pub fn irfft<T: Float>(a: &Array<Complex<T>>, n: usize, axis: isize) -> Result<Array<T>>
where
    Complex<T>: Element,
{
    let place = a.axis(axis)?;
    let len = a.dims()[place];
    if n == 0 || len != n / 2 + 1 {
        return Error::invalid(format!("{n} numbers have {} frequencies, given {len}", n / 2 + 1));
    }
    // The sum of a frequency and its conjugate is real: the imaginary parts of 0 and of the middle do not count.
    let mirrored: Vec<isize> = (0..n).map(|i| i.min(n - i) as isize).collect();
    let mut all = a.take(&mirrored, axis)?.0;
    for (i, mut part) in all.axis_iter_mut(Axis(place)).enumerate() {
        part.map_inplace(|x| match i {
            0 => x.im = T::ZERO,
            _ if 2 * i == n => x.im = T::ZERO,
            _ if 2 * i > n => *x = x.conj(),
            _ => {}
        });
    }
    Ok(ifft(&Array(all), axis)?.map(|x| x.re))
}

/// The frequencies of [`fft`]'s results, in periods a sample, of `n` samples.
pub fn fft_frequencies(n: usize) -> Array<f64> {
    let half = n.div_ceil(2);
    let periods = |i: usize| if i < half { i as f64 } else { i as f64 - n as f64 };
    Array::from((0..n).map(|i| periods(i) / n as f64).collect::<Vec<_>>())
}
