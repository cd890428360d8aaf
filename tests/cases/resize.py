"""What the resizing operators share: sizes, and where pixels are sampled."""

import functools

import numpy as np

import golden
import oracle
from golden import Output

# Name, align_corners, half_pixel_centers, ONNX's name.
SAMPLINGS = (
    ("corner", False, False, "asymmetric"),
    ("aligned", True, False, "align_corners"),
    ("middle", False, True, "half_pixel"),
)
SIZES = (
    ("twice", (1, 3, 4, 3), (6, 8)),
    ("odd", (1, 3, 4, 3), (5, 7)),
    ("smaller", (1, 7, 6, 3), (3, 4)),
    ("wider_lower", (2, 5, 3, 2), (2, 8)),
    ("to_one", (1, 5, 4, 3), (1, 1)),
    ("from_one", (1, 1, 1, 5), (3, 4)),
    ("same", (1, 3, 4, 2), (3, 4)),
)


class Resize:
    """Makes the cases of operator `op`; `mode` and `nearest` are ONNX's attributes."""

    def __init__(self, op, tflite, options, mode, nearest):
        self.op = op
        self.tflite = tflite
        self.options = options
        self.mode = mode
        self.nearest = nearest

    def twin(self, sampling, attrs, x):
        """The f32 operator."""
        x = oracle.to_nchw(x)
        sizes = np.array([*x.shape[:2], *attrs["size"]], np.int64)
        attributes = {"mode": self.mode, "coordinate_transformation_mode": sampling}
        if self.mode == "nearest":
            attributes["nearest_mode"] = self.nearest[sampling]
        return oracle.to_nhwc(oracle.run_onnx("Resize", x, None, None, sizes, **attributes))

    def int8(self, name, data, size, sampling, tolerance):
        """An int8 case on `data`; `sampling` is one of SAMPLINGS."""
        _, align_corners, half_pixel_centers, onnx = sampling
        options = self.options(alignCorners=align_corners, halfPixelCenters=half_pixel_centers)
        x, output = golden.activation(data, 0.06, -7), Output(0.06, -7, tolerance=tolerance)
        twin = functools.partial(self.twin, onnx)
        model = self.tflite, options, size
        yield golden.int8_case(name, attributes(size, sampling), [x], twin, model, output)

    def cases(self, tolerance):
        """Every size by every sampling."""
        for size_name, shape, size in SIZES:
            for sampling in SAMPLINGS:
                name = f"{size_name}_{sampling[0]}"
                generator = golden.rng(self.op, name)
                yield from self.int8(name, golden.int8(generator, shape), size, sampling, tolerance)
                x = golden.activation(golden.real(generator, shape))
                twin = functools.partial(self.twin, sampling[-1])
                yield golden.f32_case(name, attributes(size, sampling), [x], twin)


def attributes(size, sampling):
    """The attributes of a case."""
    _, align_corners, half_pixel_centers, _ = sampling
    return {
        "size": list(size),
        "align_corners": align_corners,
        "half_pixel_centers": half_pixel_centers,
    }
