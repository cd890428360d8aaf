// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let row: Array<f64> = goldens.input("row");
    let f: Array<f32> = goldens.input("f");
    let wave: Array<f64> = goldens.input("wave");
    goldens.check(422, "np.fft.rfft(wave, axis=0)", rfft(&wave, 0)?);
    goldens.check(423, "np.fft.fft(wave, axis=0)", fft(&wave.map(|x| Complex::new(x, 0.0)), 0)?);
    goldens.check(
        424,
        "np.fft.irfft(np.fft.rfft(wave + 1, axis=0), 3, 0)",
        irfft(&rfft(&(&wave + 1.0), 0)?, 3, 0)?,
    );
    goldens.check(425, "np.fft.rfft(wave, axis=1)", rfft(&wave, 1)?);
    goldens.check(426, "np.fft.fft(wave, axis=1)", fft(&wave.map(|x| Complex::new(x, 0.0)), 1)?);
    goldens.check(
        427,
        "np.fft.irfft(np.fft.rfft(wave + 1, axis=1), 12, 1)",
        irfft(&rfft(&(&wave + 1.0), 1)?, 12, 1)?,
    );
    goldens.check(428, "np.fft.ifft(wave)", ifft(&wave.map(|x| Complex::new(x, 0.0)), 1)?);
    goldens.check(429, "np.abs(np.fft.rfft(row))", rfft(&row, 0)?.map(|x| x.norm()));
    goldens.check(430, "np.fft.fftfreq(8)", fft_frequencies(8));
    goldens.check(431, "np.fft.fftfreq(7)", fft_frequencies(7));
    goldens.check(432, "np.fft.rfft(f, axis=-1)", rfft(&f, -1)?);
    Ok(())
}
