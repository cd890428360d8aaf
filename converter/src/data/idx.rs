//! Files in the idx format of the MNIST data, plain or compressed with gzip.
//!
//! Source: the description of the format at the MNIST database (LeCun, Cortes, Burges): two zero bytes, the type of the
//! elements (0x08 for bytes), the number of dimensions, each dimension as a big-endian u32, and the elements.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::Examples;
use crate::{Error, Result};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const U8: u8 = 0x08;
/// More than any such data set has; a damaged file cannot ask for all memory.
const MAX_BYTES: u64 = 1 << 31;

/// Reads images `[n, h, w]` of bytes with their labels `[n]`: samples `[h, w, 1]` in [0, 1].
///
/// # Errors
/// If a file cannot be read, is damaged, or does not fit the other; names it.
pub fn read_idx(images: &Path, labels: &Path) -> Result<Examples<f32>> {
    let (dims, pixels) = read(images)?;
    let (label_dims, label_bytes) = read(labels)?;
    let damaged = |path: &Path, what: String| Error::File { path: path.to_owned(), what };
    let [n, h, w] = dims[..] else {
        return Err(damaged(images, format!("has shape {dims:?}; images have three dimensions, [n, h, w]")));
    };
    if label_dims != [n] {
        return Err(damaged(labels, format!("has shape {label_dims:?}; {n} images need [{n}]")));
    }
    let x = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let labels = label_bytes.iter().map(|&label| usize::from(label)).collect();
    Examples::new(&[h, w, 1], x, labels)
}

fn read(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let damaged = |what: String| Error::File { path: path.to_owned(), what };
    let bytes = if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        let decoded = GzDecoder::new(&bytes[..]).take(MAX_BYTES).read_to_end(&mut plain);
        decoded.map_err(|e| damaged(format!("is damaged ({e}): fetch it again")))?;
        plain
    } else {
        bytes
    };
    parse(&bytes).map_err(damaged)
}

fn parse(bytes: &[u8]) -> Result<(Vec<usize>, Vec<u8>), String> {
    let (&[zero, nought, ty, n_dims], rest) =
        bytes.split_first_chunk().ok_or("is too short for an idx file")?;
    if [zero, nought] != [0, 0] {
        return Err("is no idx file: it does not begin with two zero bytes".to_string());
    }
    if ty != U8 {
        return Err(format!("has elements of idx type {ty:#04x}; bytes ({U8:#04x}) are read"));
    }
    let short = || "ends within its header".to_string();
    let (header, elements) = rest.split_at_checked(4 * usize::from(n_dims)).ok_or_else(short)?;
    let dim = |bytes: &[u8]| bytes.iter().fold(0usize, |n, &byte| n << 8 | usize::from(byte));
    let dims: Vec<usize> = header.chunks_exact(4).map(dim).collect();
    let wanted = dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
    if wanted != Some(elements.len()) {
        return Err(format!("has {} elements, which do not make shape {dims:?}", elements.len()));
    }
    Ok((dims, elements.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 1, 0];
    const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 255, 0, 51, 204];

    fn error(images: &[u8], labels: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["images", "labels"].map(|name| folder.path().join(name));
        std::fs::write(&a, images).unwrap();
        std::fs::write(&b, labels).unwrap();
        read_idx(&a, &b).unwrap_err().to_string()
    }

    #[test]
    fn plain_and_compressed_files_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, gz, labels] = ["images", "images.gz", "labels"].map(|name| folder.path().join(name));
        std::fs::write(&plain, IMAGES).unwrap();
        std::fs::write(&labels, LABELS).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(IMAGES).unwrap();
        std::fs::write(&gz, encoder.finish().unwrap()).unwrap();
        let examples = read_idx(&plain, &labels).unwrap();
        assert_eq!((&examples.dims[..], &examples.labels[..]), (&[1, 2, 1][..], &[1, 0][..]));
        assert_eq!(examples.x, [1.0, 0.0, 0.2, 0.8]);
        assert_eq!(read_idx(&gz, &labels).unwrap(), examples);
    }

    #[test]
    fn damaged_files_are_named() {
        assert!(
            error(&IMAGES[..19], LABELS)
                .contains("images: has 3 elements, which do not make shape [2, 1, 2]")
        );
        assert!(error(IMAGES, &LABELS[..6]).contains("labels: ends within its header"));
        assert!(error(IMAGES, IMAGES).contains("labels: has shape [2, 1, 2]; 2 images need [2]"));
        assert!(error(LABELS, LABELS).contains("images: has shape [2]; images have three dimensions"));
        assert!(error(b"PNG and more", LABELS).contains("no idx file"));
        assert!(error(&[0x1f, 0x8b, 8, 0, 0], LABELS).contains("is damaged"));
        assert!(error(&[0, 0, 0x0d, 1, 0, 0, 0, 0], LABELS).contains("idx type 0x0d"));
    }
}
