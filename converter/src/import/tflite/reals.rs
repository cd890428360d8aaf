//! Constants that stand for real numbers: stored in int8, uint8 or half precision.

use super::file::{TensorRecord, from_u8};
use super::flatbuffer::Scalar;
use super::schema::element;
use crate::Quant;
use crate::import::half::from_half;

/// The real numbers of a constant that is stored in another way; `None` if it is no constant or stands for itself.
pub fn reals(tensor: &TensorRecord) -> Option<Vec<f32>> {
    let bytes = tensor.data?;
    match (tensor.element, &tensor.quant) {
        (element::F16, _) => Some(bytes.chunks_exact(2).filter_map(u16::read).map(from_half).collect()),
        (element::I8, Some(quant)) => Some(dequantized(bytes.iter().map(|&q| q as i8), &tensor.dims, quant)),
        (element::U8, Some(quant)) => {
            Some(dequantized(bytes.iter().copied().map(from_u8), &tensor.dims, quant))
        }
        _ => None,
    }
}

/// `scale * (q - zero_point)` of each element, with the scale of its channel.
fn dequantized(stored: impl Iterator<Item = i8>, dims: &[usize], quant: &Quant) -> Vec<f32> {
    // Elements that follow each other along the last axes share a channel.
    let run = quant.axis.map_or(usize::MAX, |axis| dims.iter().skip(axis + 1).product::<usize>().max(1));
    let scale = |i: usize| quant.scales[i / run % quant.scales.len()];
    stored.enumerate().map(|(i, q)| (i32::from(q) - quant.zero_point) as f32 * scale(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin::DType;

    #[test]
    fn every_channel_has_its_scale() {
        let quant =
            |axis| Quant { dtype: DType::I8, scales: vec![0.5, 2.0], zero_point: 0, axis: Some(axis) };
        let bytes = [1u8, 2, 3, 255];
        let mut tensor = TensorRecord {
            name: "weights".to_string(),
            dims: vec![2, 2],
            open: Vec::new(),
            element: element::I8,
            quant: Some(quant(0)),
            data: Some(&bytes),
        };
        assert_eq!(reals(&tensor).unwrap(), [0.5, 1.0, 6.0, -2.0]);
        tensor.quant = Some(quant(1));
        assert_eq!(reals(&tensor).unwrap(), [0.5, 4.0, 1.5, -2.0]);
    }

    #[test]
    fn bytes_of_uint8_lie_128_above() {
        let tensor = TensorRecord {
            name: "image".to_string(),
            dims: vec![3],
            open: Vec::new(),
            element: element::U8,
            quant: Some(Quant { dtype: DType::I8, scales: vec![0.25], zero_point: -128, axis: None }),
            data: Some(&[0, 128, 255]),
        };
        assert_eq!(reals(&tensor).unwrap(), [0.0, 32.0, 63.75]);
    }
}
