"""Features of a sound by NumPy and SciPy in f64, from the definitions: what `tests/tests/frontend.rs` compares with.

    pip install numpy scipy && python tests/frontend/make.py

Nothing of Dunlin takes part. The sound is 0.6 s of 16,000 samples a second: silence, a tone that rises from 100 to 7,000
Hz with growing loudness, and noise over it at the end.
"""

from pathlib import Path

import numpy as np
import scipy.fft
import scipy.signal

FOLDER = Path(__file__).parent

# (name, rate, window, hop, fft, filters, low, high, floor bits, coefficients or None)
CONFIGS = [
    ("mfcc_8k", 8000, 320, 160, 512, 20, 20, 4000, 20, 10),
    ("mfcc_16k", 16000, 480, 320, 512, 40, 125, 7500, 24, 13),
    ("log_mel_16k", 16000, 1000, 250, 1024, 64, 20, 8000, 24, None),
    ("log_mel_short", 16000, 64, 64, 64, 8, 200, 8000, 0, None),
]


def sound():
    rate, n = 16000, 9600
    t = np.arange(n) / rate
    tone = scipy.signal.chirp(t, 100, t[-1], 7000, method="logarithmic")
    loudness = np.where(t < 0.1, 0, 10 ** (4.4 * (t - 0.1) / 0.5))
    noise = np.random.default_rng(1).normal(size=n) * np.where(t > 0.4, 3000, 0)
    return np.clip(np.round(tone * loudness + noise), -32768, 32767).astype(np.int16)


def mel(hz):
    return 2595 * np.log10(1 + hz / 700)


def hz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def features(pcm, rate, window, hop, fft, filters, low, high, floor_bits, coefficients):
    x = pcm / 32768
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[::hop]
    power = np.abs(np.fft.rfft(frames * scipy.signal.windows.hann(window, sym=False), fft)) ** 2
    edges = hz(np.linspace(mel(low), mel(high), filters + 2))
    bins = np.arange(fft // 2 + 1) * rate / fft
    rising = (bins - edges[:-2, None]) / (edges[1:-1, None] - edges[:-2, None])
    falling = (edges[2:, None] - bins) / (edges[2:, None] - edges[1:-1, None])
    weights = np.maximum(0, np.minimum(rising, falling))
    logs = np.log(power @ weights.T + 2.0**-floor_bits)
    if coefficients is None:
        return logs
    return scipy.fft.dct(logs, type=2, norm="ortho", axis=-1)[:, :coefficients]


def main():
    pcm = sound()
    np.save(FOLDER / "pcm.npy", pcm)
    for name, *config in CONFIGS:
        np.save(FOLDER / f"{name}.npy", features(pcm, *config).astype(np.float32))


main()
