//! Where the windows of a convolution read: an image, padded if need be, and the offsets of a window's taps in it.

use dunlin::ops::window::Window;

use super::tile::View;

/// The windows of an image `[h, w, c]`, one for each output position.
pub(super) struct Correlation {
    image: [usize; 3],
    padded: [usize; 2],
    /// Where the image's pixel (0, 0) lies among the padded ones, and the distance of its neighbours.
    origin: [usize; 2],
    spread: [usize; 2],
    bases: Vec<usize>,
    taps: Vec<usize>,
    run: usize,
}

impl Correlation {
    /// Windows of `kernel` taps that make an output `[oh, ow]` of an image.
    pub(super) fn forward(
        window: Window,
        kernel: [usize; 2],
        image: [usize; 3],
        out: [usize; 2],
    ) -> Correlation {
        let [top, left, ..] = window.pads.map(usize::from);
        let stride = window.stride.map(usize::from);
        Correlation::new(image, [top, left], [1, 1], window.dilation.map(usize::from), kernel, out, stride)
    }

    /// The windows that make the gradient of an image `[h, w]` of the output's gradient `dy`; taps are turned around.
    /// `None` if the padding is wider than the window.
    pub(super) fn transposed(
        window: Window,
        kernel: [usize; 2],
        dy: [usize; 3],
        image: [usize; 2],
    ) -> Option<Correlation> {
        let dilation = window.dilation.map(usize::from);
        let pads = [window.pads[0], window.pads[1]].map(usize::from);
        let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilation[axis]);
        let origin = [reach[0].checked_sub(pads[0])?, reach[1].checked_sub(pads[1])?];
        Some(Correlation::new(dy, origin, window.stride.map(usize::from), dilation, kernel, image, [1, 1]))
    }

    fn new(
        image: [usize; 3],
        origin: [usize; 2],
        spread: [usize; 2],
        dilation: [usize; 2],
        kernel: [usize; 2],
        out: [usize; 2],
        stride: [usize; 2],
    ) -> Correlation {
        let padded = [0, 1].map(|axis| {
            let read = (out[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
            read.max(origin[axis] + (image[axis] - 1) * spread[axis] + 1)
        });
        let c = image[2];
        let at = |y: usize, x: usize| (y * padded[1] + x) * c;
        let bases =
            (0..out[0] * out[1]).map(|i| at(i / out[1] * stride[0], i % out[1] * stride[1])).collect();
        let taps = (0..kernel[0] * kernel[1])
            .map(|t| at(t / kernel[1] * dilation[0], t % kernel[1] * dilation[1]))
            .collect();
        Correlation { image, padded, origin, spread, bases, taps, run: c }
    }

    /// With neighbouring taps of a row as one run, where they are neighbours in memory.
    pub(super) fn with_long_runs(mut self) -> Correlation {
        let mut taps: Vec<usize> = Vec::new();
        let neighbours = self.taps.windows(2).take_while(|pair| pair[1] == pair[0] + self.run).count() + 1;
        if self.taps.len().is_multiple_of(neighbours)
            && self
                .taps
                .chunks(neighbours)
                .all(|row| row.windows(2).all(|pair| pair[1] == pair[0] + self.run))
        {
            taps.extend(self.taps.iter().step_by(neighbours));
            (self.taps, self.run) = (taps, self.run * neighbours);
        }
        self
    }

    fn copies(&self) -> bool {
        self.padded != [self.image[0], self.image[1]]
    }

    /// Memory for a padded image, filled with what stands in the padding; empty if the image is read where it is.
    pub(super) fn scratch(&self, padding: f32) -> Vec<f32> {
        let len = if self.copies() { self.padded[0] * self.padded[1] * self.image[2] } else { 0 };
        vec![padding; len]
    }

    /// Whether the image is read where it is.
    pub(super) fn is_in_place(&self) -> bool {
        !self.copies()
    }

    /// Elements of an image.
    pub(super) fn image_len(&self) -> usize {
        self.image.iter().product()
    }

    /// Windows of an image.
    pub(super) fn n_windows(&self) -> usize {
        self.bases.len()
    }

    /// The windows on `image`, which is copied to `scratch` if need be.
    pub(super) fn view<'v>(&'v self, image: &'v [f32], scratch: &'v mut [f32]) -> View<'v> {
        let source = if self.copies() {
            self.pad(image, scratch);
            scratch
        } else {
            image
        };
        View { source, bases: &self.bases, taps: &self.taps, run: self.run }
    }

    /// Copies the pixels of `image`; what lies between and around them stays as [`Correlation::scratch`] made it.
    fn pad(&self, image: &[f32], scratch: &mut [f32]) {
        let [_, w, c] = self.image;
        for (y, row) in image.chunks_exact(w * c).enumerate() {
            let start = ((self.origin[0] + y * self.spread[0]) * self.padded[1] + self.origin[1]) * c;
            if self.spread[1] == 1 {
                scratch[start..start + w * c].copy_from_slice(row);
                continue;
            }
            for (x, pixel) in row.chunks_exact(c).enumerate() {
                let start = start + x * self.spread[1] * c;
                scratch[start..start + c].copy_from_slice(pixel);
            }
        }
    }
}
