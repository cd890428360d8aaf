//! Images from folders of PNG files.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::Examples;
use super::files::{classes, labelled_files};
use crate::{Error, Result};

/// What a folder of images must have, and what is taken of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// How a file's path below the folder is read: `{label}/{file}.png`, one folder a class, or `{label}_{n}.png`. The
    /// field `label` is the class.
    pub name: String,
    /// 1 for brightness, 3 for red, green and blue; each file may have the other.
    pub channels: usize,
}

/// An image's pixels.
struct Picture {
    dims: [usize; 3],
    pixels: Vec<f32>,
}

/// Reads all PNG files of a folder and those within it, in the order of their paths: samples of `[h, w, channels]` in
/// [0, 1], at 8 bits. Transparency is left out. The classes are the labels, in the order of numbers or of the alphabet.
///
/// # Errors
/// If the folder or a file cannot be read, a file's name does not match, or one is of another size than the first; names
/// it.
pub fn read_png(folder: &Path, images: &Images) -> Result<Examples<f32>> {
    if ![1, 3].contains(&images.channels) {
        return Err(Error::Invalid(format!("images have 1 channel or 3, not {}", images.channels)));
    }
    let files = labelled_files(folder, "png", &images.name)?;
    let (mut x, mut dims) = (Vec::new(), None);
    for file in &files {
        let wrong = |what: String| Error::File { path: file.path.clone(), what };
        let picture = read(&file.path, images.channels)?;
        let [h, w, _] = picture.dims;
        let [first_h, first_w, _] = *dims.get_or_insert(picture.dims);
        if [h, w] != [first_h, first_w] {
            let first = files[0].path.display();
            return Err(wrong(format!(
                "has {w}×{h} pixels, {first} has {first_w}×{first_h}: scale it, e.g. magick IN.png -resize \
                 {first_w}x{first_h}! OUT.png"
            )));
        }
        x.extend(picture.pixels);
    }
    let (classes, labels) = classes(files.iter().map(|file| file.fields["label"].as_str()));
    let fields = files.into_iter().map(|file| file.fields).collect();
    Ok(Examples { dims: dims.map_or(Vec::new(), Vec::from), x, labels, classes, fields, targets: Vec::new() })
}

fn read(path: &Path, channels: usize) -> Result<Picture> {
    let wrong = |what: String| Error::File { path: path.to_owned(), what };
    let damaged = |e: png::DecodingError| wrong(format!("is no PNG file that can be read ({e})"));
    let file = File::open(path).map_err(Error::io(path))?;
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or_else(|| wrong("is too large".to_string()))?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(damaged)?;
    let n_samples = match (frame.color_type, frame.bit_depth) {
        (ColorType::Grayscale, BitDepth::Eight) => 1,
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => 2,
        (ColorType::Rgb, BitDepth::Eight) => 3,
        (ColorType::Rgba, BitDepth::Eight) => 4,
        (color, depth) => {
            return Err(wrong(format!("has pixels of {color:?} in {depth:?}, which are not read")));
        }
    };
    let mut pixels = Vec::new();
    for pixel in bytes[..frame.buffer_size()].chunks_exact(n_samples) {
        match (pixel, channels) {
            (&[r, g, b, ..], 1) => {
                // Luma of ITU-R BT.601.
                let luma = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
                pixels.push(luma as f32 / 255_000.0);
            }
            (&[r, g, b, ..], _) => pixels.extend([r, g, b].map(|byte| f32::from(byte) / 255.0)),
            _ => pixels.extend(std::iter::repeat_n(f32::from(pixel[0]) / 255.0, channels)),
        }
    }
    Ok(Picture { dims: [frame.height as usize, frame.width as usize, channels], pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, color: ColorType, [w, h]: [u32; 2], bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut encoder = png::Encoder::new(File::create(path).unwrap(), w, h);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    }

    #[test]
    fn a_folder_a_class() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("dog/1.png"), ColorType::Grayscale, [2, 1], &[0, 255]);
        write(&at("cat/2.png"), ColorType::Rgb, [2, 1], &[255, 255, 255, 255, 0, 0]);
        write(&at("cat/3.png"), ColorType::GrayscaleAlpha, [2, 1], &[51, 0, 102, 255]);
        let images = Images { name: "{label}/{n}.png".into(), channels: 1 };
        let examples = read_png(folder.path(), &images).unwrap();
        assert_eq!((&examples.dims[..], examples.classes.join(" ")), (&[1, 2, 1][..], "cat dog".to_string()));
        assert_eq!((&examples.labels[..], examples.fields[2]["n"].as_str()), (&[0, 0, 1][..], "1"));
        assert_eq!(examples.x, [1.0, 0.299, 0.2, 0.4, 0.0, 1.0]);
        let colours = read_png(folder.path(), &Images { channels: 3, ..images.clone() }).unwrap();
        assert_eq!((&colours.dims[..], &colours.sample(0)[3..]), (&[1, 2, 3][..], &[1.0, 0.0, 0.0][..]));
        assert_eq!(colours.sample(2), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);

        let error = || read_png(folder.path(), &images).unwrap_err().to_string();
        write(&at("dog/4.png"), ColorType::Grayscale, [1, 2], &[0, 255]);
        assert!(
            error().contains("4.png: has 1×2 pixels, ") && error().contains("-resize 2x1!"),
            "{}",
            error()
        );
        let whole = std::fs::read(at("dog/1.png")).unwrap();
        std::fs::write(at("dog/4.png"), &whole[..whole.len() - 20]).unwrap();
        assert!(error().contains("4.png: is no PNG file that can be read"), "{}", error());
        std::fs::write(at("dog/4.png"), b"GIF89a").unwrap();
        assert!(error().contains("4.png: is no PNG file that can be read"), "{}", error());
        let four =
            read_png(folder.path(), &Images { channels: 4, ..images.clone() }).unwrap_err().to_string();
        assert_eq!(four, "images have 1 channel or 3, not 4");
    }
}
