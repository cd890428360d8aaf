"""Prints the parameters after three updates with each optimizer, for the test in `optimizer.rs`. Standard library only.

The loss is sum(c * p^2 / 2), so that the gradient is c * p; numbers are f64 where the runtime has f32.
"""

from math import sqrt

P, C, RATE = [1.0, -2.0, 0.5], [1.0, 0.5, 4.0], 0.1


def sgd(momentum, nesterov, decay):
    p, v = list(P), [0.0] * 3
    for _ in range(3):
        for i in range(3):
            g = C[i] * p[i] + decay * p[i]
            v[i] = momentum * v[i] + g
            p[i] -= RATE * (momentum * v[i] + g if nesterov else v[i])
    return p


def adam(decay, betas=(0.9, 0.999), epsilon=1e-7):
    p, m, s = list(P), [0.0] * 3, [0.0] * 3
    for step in (1, 2, 3):
        for i in range(3):
            g = C[i] * p[i]
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            s[i] = betas[1] * s[i] + (1 - betas[1]) * g * g
            unbiased = m[i] / (1 - betas[0] ** step), s[i] / (1 - betas[1] ** step)
            p[i] -= RATE * (unbiased[0] / (sqrt(unbiased[1]) + epsilon) + decay * p[i])
    return p


for name, values in [
    ("plain", sgd(0.0, False, 0.0)),
    ("momentum", sgd(0.9, False, 0.01)),
    ("nesterov", sgd(0.9, True, 0.0)),
    ("adam", adam(0.0)),
    ("adamw", adam(0.1)),
]:
    print(name, ", ".join(f"{v:.7f}" for v in values))
