"""What the operators with a sliding window share: the padding rules of TensorFlow."""


def pair(value):
    """`[y, x]` of a number or a pair."""
    return list(value) if isinstance(value, tuple) else [value, value]


def explicit_pads(padding, image, kernel, stride, dilation=(1, 1)):
    """`[top, left, bottom, right]` of "same" or "valid"; the odd row or column is at the end."""
    if padding == "valid":
        return [0, 0, 0, 0]
    before, after = [], []
    for size, taps, step, spread in zip(image, kernel, stride, dilation):
        n_out = -(-size // step)
        total = max((n_out - 1) * step + (taps - 1) * spread + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after
