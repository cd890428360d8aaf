// Made by make.py: do not edit.

use super::super::*;

pub(super) fn part_0(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let col: Array<f64> = goldens.input("col");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    let j8: Array<i8> = goldens.input("j8");
    let j16: Array<i16> = goldens.input("j16");
    goldens.check(123, "a + b", &a + &b);
    goldens.check(124, "a - b", &a - &b);
    goldens.check(125, "a * b", &a * &b);
    goldens.check(126, "np.maximum(a, b)", a.maximum(&b)?);
    goldens.check(127, "np.minimum(a, b)", a.minimum(&b)?);
    goldens.check(128, "a + row", &a + &row);
    goldens.check(129, "a - row", &a - &row);
    goldens.check(130, "a * row", &a * &row);
    goldens.check(131, "np.maximum(a, row)", a.maximum(&row)?);
    goldens.check(132, "np.minimum(a, row)", a.minimum(&row)?);
    goldens.check(133, "col + row", &col + &row);
    goldens.check(134, "col - row", &col - &row);
    goldens.check(135, "col * row", &col * &row);
    goldens.check(136, "np.maximum(col, row)", col.maximum(&row)?);
    goldens.check(137, "np.minimum(col, row)", col.minimum(&row)?);
    goldens.check(138, "a + col", &a + &col);
    goldens.check(139, "a - col", &a - &col);
    goldens.check(140, "a * col", &a * &col);
    goldens.check(141, "np.maximum(a, col)", a.maximum(&col)?);
    goldens.check(142, "np.minimum(a, col)", a.minimum(&col)?);
    goldens.check(143, "f + g", &f + &g);
    goldens.check(144, "f - g", &f - &g);
    goldens.check(145, "f * g", &f * &g);
    goldens.check(146, "np.maximum(f, g)", f.maximum(&g)?);
    goldens.check(147, "np.minimum(f, g)", f.minimum(&g)?);
    goldens.check(148, "i + j", &i + &j);
    goldens.check(149, "i - j", &i - &j);
    goldens.check(150, "i * j", &i * &j);
    goldens.check(151, "np.maximum(i, j)", i.maximum(&j)?);
    goldens.check(152, "np.minimum(i, j)", i.minimum(&j)?);
    goldens.check(153, "i8 + j8", &i8 + &j8);
    goldens.check(154, "i8 - j8", &i8 - &j8);
    goldens.check(155, "i8 * j8", &i8 * &j8);
    goldens.check(156, "np.maximum(i8, j8)", i8.maximum(&j8)?);
    goldens.check(157, "np.minimum(i8, j8)", i8.minimum(&j8)?);
    goldens.check(158, "i16 + j16", &i16 + &j16);
    goldens.check(159, "i16 - j16", &i16 - &j16);
    goldens.check(160, "i16 * j16", &i16 * &j16);
    goldens.check(161, "np.maximum(i16, j16)", i16.maximum(&j16)?);
    goldens.check(162, "np.minimum(i16, j16)", i16.minimum(&j16)?);
    goldens.check(163, "a / b", &a / &b);
    goldens.check(164, "a % b", &a % &b);
    goldens.check(165, "col / row", &col / &row);
    goldens.check(166, "col % row", &col % &row);
    goldens.check(167, "f / g", &f / &g);
    Ok(())
}

pub(super) fn part_1(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let pos: Array<f64> = goldens.input("pos");
    let unit: Array<f64> = goldens.input("unit");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let odd: Array<f64> = goldens.input("odd");
    let odd2: Array<f64> = goldens.input("odd2");
    let i: Array<i32> = goldens.input("i");
    let k: Array<i32> = goldens.input("k");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    goldens.check(168, "f % g", &f % &g);
    goldens.check(169, "odd / odd2", &odd / &odd2);
    goldens.check(170, "odd % odd2", &odd % &odd2);
    goldens.check(171, "i // k", &i / &k);
    goldens.check(172, "i % k", &i % &k);
    goldens.check(173, "-i8", -&i8);
    goldens.check(174, "-odd", -&odd);
    goldens.check(175, "a * 2.5 - 1.0", &a * 2.5 - 1.0);
    goldens.check(176, "i + np.int32(7)", &i + 7);
    goldens.check(177, "np.maximum(odd, odd2)", odd.maximum(&odd2)?);
    goldens.check(178, "np.minimum(odd, odd2)", odd.minimum(&odd2)?);
    goldens.check(179, "pos ** unit", pos.pow(&unit)?);
    goldens.check(180, "np.hypot(pos, unit)", pos.hypot(&unit)?);
    goldens.check(181, "np.arctan2(a, row)", a.atan2(&row)?);
    goldens.check(182, "np.abs(a)", a.abs());
    goldens.check(183, "np.sign(a)", a.sign());
    goldens.check(184, "np.abs(f)", f.abs());
    goldens.check(185, "np.sign(f)", f.sign());
    goldens.check(186, "np.abs(i)", i.abs());
    goldens.check(187, "np.sign(i)", i.sign());
    goldens.check(188, "np.abs(i8)", i8.abs());
    goldens.check(189, "np.sign(i8)", i8.sign());
    goldens.check(190, "np.abs(odd)", odd.abs());
    goldens.check(191, "np.sign(odd)", odd.sign());
    goldens.check(192, "np.square(i16)", i16.square());
    goldens.check(193, "np.clip(a, -0.5, 0.7)", a.clip(-0.5, 0.7));
    goldens.check(194, "np.clip(i8, -20, 30)", i8.clip(-20, 30));
    goldens.check(195, "np.clip(odd, -1, 2)", odd.clip(-1.0, 2.0));
    Ok(())
}
