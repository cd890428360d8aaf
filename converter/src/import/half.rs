//! Numbers of half precision, as both formats store weights.

/// A number of IEEE 754's half precision.
pub(super) fn from_half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, (bits & 1023) as f32);
    let magnitude = match exponent {
        0 => fraction / (1 << 24) as f32,
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent as i32 - 25),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        let halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000, 0x3555].map(from_half);
        let expected = [1.0, -2.0, 65504.0, 5.9604645e-8, 6.103_515_6e-5, -0.0, 0.33325195];
        assert_eq!(halves, expected);
        assert_eq!(from_half(0xfc00), f32::NEG_INFINITY);
    }
}
