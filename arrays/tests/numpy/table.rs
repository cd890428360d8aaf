// Made by make.py: do not edit.

use super::*;

pub(super) const PARTS: [fn(&mut Goldens) -> Result<()>; 15] = [
    part_0, part_1, part_2, part_3, part_4, part_5, part_6, part_7, part_8, part_9, part_10, part_11,
    part_12, part_13, part_14,
];

fn part_0(goldens: &mut Goldens) -> Result<()> {
    let i: Array<i32> = goldens.input("i");
    let i8: Array<i8> = goldens.input("i8");
    goldens.check(0, "np.zeros((2, 3))", Array::<f64>::zeros(&[2, 3]));
    goldens.check(1, "np.ones((2, 3), np.int32)", Array::<i32>::ones(&[2, 3]));
    goldens.check(2, "np.full((2, 2), 7, np.int16)", Array::full(&[2, 2], 7i16));
    goldens.check(3, "np.zeros((0, 3))", Array::<f64>::zeros(&[0, 3]));
    goldens.check(4, "np.arange(0.0, 5.0, 1.0)", Array::<f64>::arange(0.0, 5.0, 1.0)?);
    goldens.check(5, "np.arange(1.0, 2.0, 0.3)", Array::<f64>::arange(1.0, 2.0, 0.3)?);
    goldens.check(6, "np.arange(5.0, -5.0, -2.5)", Array::<f64>::arange(5.0, -5.0, -2.5)?);
    goldens.check(7, "np.arange(3.0, 1.0, 1.0)", Array::<f64>::arange(3.0, 1.0, 1.0)?);
    goldens.check(8, "np.arange(10, -10, -3, dtype=np.int32)", Array::<i32>::arange(10, -10, -3)?);
    goldens.check(9, "np.linspace(0.0, 1.0, 11)", Array::<f64>::linspace(0.0, 1.0, 11));
    goldens.check(10, "np.linspace(-3.0, 3.0, 4)", Array::<f64>::linspace(-3.0, 3.0, 4));
    goldens.check(11, "np.linspace(2.0, 5.0, 1)", Array::<f64>::linspace(2.0, 5.0, 1));
    goldens.check(12, "np.linspace(0.0, 1.0, 0)", Array::<f64>::linspace(0.0, 1.0, 0));
    goldens.check(13, "np.eye(3, 3, 0)", Array::<f64>::eye(3, 3, 0));
    goldens.check(14, "np.eye(2, 4, 1)", Array::<f64>::eye(2, 4, 1));
    goldens.check(15, "np.eye(4, 2, -1)", Array::<f64>::eye(4, 2, -1));
    goldens.check(16, "np.array([[1, 2], [3, 4]], np.int32)", Array::from([[1i32, 2], [3, 4]]));
    goldens.check(17, "np.array([[[1.5], [2.0]]])", Array::from([[[1.5f64], [2.0]]]));
    goldens.check(18, "i.astype(np.float32)", i.cast::<f32>());
    goldens.check(19, "i.astype(np.float64)", i.cast::<f64>());
    goldens.check(20, "i.astype(np.int8)", i.cast::<i8>());
    goldens.check(21, "i.astype(np.int16)", i.cast::<i16>());
    goldens.check(22, "i.astype(np.int32)", i.cast::<i32>());
    goldens.check(23, "i.astype(np.int64)", i.cast::<i64>());
    goldens.check(24, "i.astype(np.bool)", i.cast::<bool>());
    goldens.check(25, "i8.astype(np.float32)", i8.cast::<f32>());
    goldens.check(26, "i8.astype(np.float64)", i8.cast::<f64>());
    goldens.check(27, "i8.astype(np.int8)", i8.cast::<i8>());
    goldens.check(28, "i8.astype(np.int16)", i8.cast::<i16>());
    goldens.check(29, "i8.astype(np.int32)", i8.cast::<i32>());
    Ok(())
}

fn part_1(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    let few: Array<i32> = goldens.input("few");
    let p: Array<bool> = goldens.input("p");
    goldens.check(30, "i8.astype(np.int64)", i8.cast::<i64>());
    goldens.check(31, "i8.astype(np.bool)", i8.cast::<bool>());
    goldens.check(32, "i16.astype(np.float32)", i16.cast::<f32>());
    goldens.check(33, "i16.astype(np.float64)", i16.cast::<f64>());
    goldens.check(34, "i16.astype(np.int8)", i16.cast::<i8>());
    goldens.check(35, "i16.astype(np.int16)", i16.cast::<i16>());
    goldens.check(36, "i16.astype(np.int32)", i16.cast::<i32>());
    goldens.check(37, "i16.astype(np.int64)", i16.cast::<i64>());
    goldens.check(38, "i16.astype(np.bool)", i16.cast::<bool>());
    goldens.check(39, "p.astype(np.float32)", p.cast::<f32>());
    goldens.check(40, "p.astype(np.float64)", p.cast::<f64>());
    goldens.check(41, "p.astype(np.int8)", p.cast::<i8>());
    goldens.check(42, "p.astype(np.int16)", p.cast::<i16>());
    goldens.check(43, "p.astype(np.int32)", p.cast::<i32>());
    goldens.check(44, "p.astype(np.int64)", p.cast::<i64>());
    goldens.check(45, "p.astype(np.bool)", p.cast::<bool>());
    goldens.check(46, "few.astype(np.float32)", few.cast::<f32>());
    goldens.check(47, "few.astype(np.float64)", few.cast::<f64>());
    goldens.check(48, "few.astype(np.int8)", few.cast::<i8>());
    goldens.check(49, "few.astype(np.int16)", few.cast::<i16>());
    goldens.check(50, "few.astype(np.int32)", few.cast::<i32>());
    goldens.check(51, "few.astype(np.int64)", few.cast::<i64>());
    goldens.check(52, "few.astype(np.bool)", few.cast::<bool>());
    goldens.check(53, "(a * 20).astype(np.float32)", (&a * 20.0).cast::<f32>());
    goldens.check(54, "(a * 20).astype(np.int16)", (&a * 20.0).cast::<i16>());
    goldens.check(55, "(a * 20).astype(np.int32)", (&a * 20.0).cast::<i32>());
    goldens.check(56, "(a * 20).astype(np.int64)", (&a * 20.0).cast::<i64>());
    goldens.check(57, "(a * 20).astype(np.bool)", (&a * 20.0).cast::<bool>());
    goldens.check(58, "row[::1]", row.slice(&[s(..).by(1)])?);
    goldens.check(59, "row[:1:2]", row.slice(&[s(..1).by(2)])?);
    Ok(())
}

fn part_2(goldens: &mut Goldens) -> Result<()> {
    let row: Array<f64> = goldens.input("row");
    goldens.check(60, "row[:-1:-1]", row.slice(&[s(..-1).by(-1)])?);
    goldens.check(61, "row[:9:-2]", row.slice(&[s(..9).by(-2)])?);
    goldens.check(62, "row[:-9:1]", row.slice(&[s(..-9).by(1)])?);
    goldens.check(63, "row[:3:2]", row.slice(&[s(..3).by(2)])?);
    goldens.check(64, "row[1::-1]", row.slice(&[s(1..).by(-1)])?);
    goldens.check(65, "row[1:1:-2]", row.slice(&[s(1..).to(1).by(-2)])?);
    goldens.check(66, "row[1:-1:1]", row.slice(&[s(1..).to(-1).by(1)])?);
    goldens.check(67, "row[1:9:2]", row.slice(&[s(1..).to(9).by(2)])?);
    goldens.check(68, "row[1:-9:-1]", row.slice(&[s(1..).to(-9).by(-1)])?);
    goldens.check(69, "row[1:3:-2]", row.slice(&[s(1..).to(3).by(-2)])?);
    goldens.check(70, "row[-1::1]", row.slice(&[s(-1..).by(1)])?);
    goldens.check(71, "row[-1:1:2]", row.slice(&[s(-1..).to(1).by(2)])?);
    goldens.check(72, "row[-1:-1:-1]", row.slice(&[s(-1..).to(-1).by(-1)])?);
    goldens.check(73, "row[-1:9:-2]", row.slice(&[s(-1..).to(9).by(-2)])?);
    goldens.check(74, "row[-1:-9:1]", row.slice(&[s(-1..).to(-9).by(1)])?);
    goldens.check(75, "row[-1:3:2]", row.slice(&[s(-1..).to(3).by(2)])?);
    goldens.check(76, "row[9::-1]", row.slice(&[s(9..).by(-1)])?);
    goldens.check(77, "row[9:1:-2]", row.slice(&[s(9..).to(1).by(-2)])?);
    goldens.check(78, "row[9:-1:1]", row.slice(&[s(9..).to(-1).by(1)])?);
    goldens.check(79, "row[9:9:2]", row.slice(&[s(9..).to(9).by(2)])?);
    goldens.check(80, "row[9:-9:-1]", row.slice(&[s(9..).to(-9).by(-1)])?);
    goldens.check(81, "row[9:3:-2]", row.slice(&[s(9..).to(3).by(-2)])?);
    goldens.check(82, "row[-9::1]", row.slice(&[s(-9..).by(1)])?);
    goldens.check(83, "row[-9:1:2]", row.slice(&[s(-9..).to(1).by(2)])?);
    goldens.check(84, "row[-9:-1:-1]", row.slice(&[s(-9..).to(-1).by(-1)])?);
    goldens.check(85, "row[-9:9:-2]", row.slice(&[s(-9..).to(9).by(-2)])?);
    goldens.check(86, "row[-9:-9:1]", row.slice(&[s(-9..).to(-9).by(1)])?);
    goldens.check(87, "row[-9:3:2]", row.slice(&[s(-9..).to(3).by(2)])?);
    goldens.check(88, "row[3::-1]", row.slice(&[s(3..).by(-1)])?);
    goldens.check(89, "row[3:1:-2]", row.slice(&[s(3..).to(1).by(-2)])?);
    Ok(())
}

fn part_3(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let i: Array<i32> = goldens.input("i");
    let p: Array<bool> = goldens.input("p");
    goldens.check(90, "row[3:-1:1]", row.slice(&[s(3..).to(-1).by(1)])?);
    goldens.check(91, "row[3:9:2]", row.slice(&[s(3..).to(9).by(2)])?);
    goldens.check(92, "row[3:-9:-1]", row.slice(&[s(3..).to(-9).by(-1)])?);
    goldens.check(93, "row[3:3:-2]", row.slice(&[s(3..).to(3).by(-2)])?);
    goldens.check(94, "a[1]", a.slice(&[s(1)])?);
    goldens.check(95, "a[-1, :, 2]", a.slice(&[s(-1), s(..), s(2)])?);
    goldens.check(96, "a[:, ::-1, 1:4:2]", a.slice(&[s(..), s(..).by(-1), s(1..4).by(2)])?);
    goldens.check(97, "a[2, 3, 4]", a.slice(&[s(2), s(3), s(4)])?);
    goldens.check(98, "a[:, None, 1, ::3]", a.slice(&[s(..), new_axis(), s(1), s(..).by(3)])?);
    goldens.check(99, "a[::2][:, ::-2].T", a.slice(&[s(..).by(2)])?.slice(&[s(..), s(..).by(-2)])?.t());
    goldens.check(100, "np.take(a, [2, 0, -1, 2], 1)", a.take(&[2, 0, -1, 2], 1)?);
    goldens.check(101, "i[p]", i.compress(&p)?);
    goldens.check(102, "a[a > 0.5]", a.compress(&a.map(|x| x > 0.5))?);
    goldens.check(103, "a.reshape(3, 20)", a.reshape(&[3, 20])?);
    goldens.check(104, "a.T.reshape(3, 20)", a.t().reshape(&[3, 20])?);
    goldens.check(105, "a.reshape(-1)", a.reshape(&[-1])?);
    goldens.check(106, "a.T.reshape(-1)", a.t().reshape(&[-1])?);
    goldens.check(107, "a.reshape(5, -1, 2)", a.reshape(&[5, -1, 2])?);
    goldens.check(108, "a.T.reshape(5, -1, 2)", a.t().reshape(&[5, -1, 2])?);
    goldens.check(109, "a.reshape(60)", a.reshape(&[60])?);
    goldens.check(110, "a.T.reshape(60)", a.t().reshape(&[60])?);
    goldens.check(111, "a.reshape(2, 3, 5, 2)", a.reshape(&[2, 3, 5, 2])?);
    goldens.check(112, "a.T.reshape(2, 3, 5, 2)", a.t().reshape(&[2, 3, 5, 2])?);
    goldens.check(113, "a.transpose(2, 0, 1)", a.transpose(&[2, 0, 1])?);
    goldens.check(114, "a.transpose(0, 2, 1)", a.transpose(&[0, -1, 1])?);
    goldens.check(115, "i.T", i.t());
    goldens.check(116, "np.moveaxis(a, 0, -1)", a.move_axis(0, -1)?);
    goldens.check(117, "a.T.ravel()", a.t().flatten());
    goldens.check(118, "np.expand_dims(i, 0)", i.expand_dims(0)?);
    goldens.check(119, "np.expand_dims(i, 1)", i.expand_dims(1)?);
    Ok(())
}

fn part_4(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let col: Array<f64> = goldens.input("col");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    goldens.check(120, "np.expand_dims(i, -1)", i.expand_dims(-1)?);
    goldens.check(121, "col.squeeze()", col.squeeze());
    goldens.check(122, "np.broadcast_to(col, (2, 4, 3))", col.broadcast_to(&[2, 4, 3])?);
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
    Ok(())
}

fn part_5(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let col: Array<f64> = goldens.input("col");
    let pos: Array<f64> = goldens.input("pos");
    let unit: Array<f64> = goldens.input("unit");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let odd: Array<f64> = goldens.input("odd");
    let odd2: Array<f64> = goldens.input("odd2");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    let k: Array<i32> = goldens.input("k");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    let j8: Array<i8> = goldens.input("j8");
    let j16: Array<i16> = goldens.input("j16");
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
    Ok(())
}

fn part_6(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let pos: Array<f64> = goldens.input("pos");
    let unit: Array<f64> = goldens.input("unit");
    let f: Array<f32> = goldens.input("f");
    let odd: Array<f64> = goldens.input("odd");
    let i: Array<i32> = goldens.input("i");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
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
    goldens.check(196, "np.exp(a)", a.exp());
    goldens.check(197, "np.exp(f)", f.exp());
    goldens.check(198, "np.expm1(a)", a.expm1());
    goldens.check(199, "np.expm1(f)", f.expm1());
    goldens.check(200, "np.exp2(a)", a.exp2());
    goldens.check(201, "np.exp2(f)", f.exp2());
    goldens.check(202, "np.cbrt(a)", a.cbrt());
    goldens.check(203, "np.cbrt(f)", f.cbrt());
    goldens.check(204, "np.sin(a)", a.sin());
    goldens.check(205, "np.sin(f)", f.sin());
    goldens.check(206, "np.cos(a)", a.cos());
    goldens.check(207, "np.cos(f)", f.cos());
    goldens.check(208, "np.tan(a)", a.tan());
    goldens.check(209, "np.tan(f)", f.tan());
    Ok(())
}

fn part_7(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let pos: Array<f64> = goldens.input("pos");
    let unit: Array<f64> = goldens.input("unit");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let odd: Array<f64> = goldens.input("odd");
    goldens.check(210, "np.sinh(a)", a.sinh());
    goldens.check(211, "np.sinh(f)", f.sinh());
    goldens.check(212, "np.cosh(a)", a.cosh());
    goldens.check(213, "np.cosh(f)", f.cosh());
    goldens.check(214, "np.tanh(a)", a.tanh());
    goldens.check(215, "np.tanh(f)", f.tanh());
    goldens.check(216, "np.floor(a)", a.floor());
    goldens.check(217, "np.floor(f)", f.floor());
    goldens.check(218, "np.ceil(a)", a.ceil());
    goldens.check(219, "np.ceil(f)", f.ceil());
    goldens.check(220, "np.trunc(a)", a.trunc());
    goldens.check(221, "np.trunc(f)", f.trunc());
    goldens.check(222, "np.log(pos)", pos.ln());
    goldens.check(223, "np.log(g)", g.ln());
    goldens.check(224, "np.log1p(pos)", pos.ln1p());
    goldens.check(225, "np.log1p(g)", g.ln1p());
    goldens.check(226, "np.log2(pos)", pos.log2());
    goldens.check(227, "np.log2(g)", g.log2());
    goldens.check(228, "np.log10(pos)", pos.log10());
    goldens.check(229, "np.log10(g)", g.log10());
    goldens.check(230, "np.sqrt(pos)", pos.sqrt());
    goldens.check(231, "np.sqrt(g)", g.sqrt());
    goldens.check(232, "np.reciprocal(pos)", pos.recip());
    goldens.check(233, "np.reciprocal(g)", g.recip());
    goldens.check(234, "np.arcsin(unit)", unit.asin());
    goldens.check(235, "np.arccos(unit)", unit.acos());
    goldens.check(236, "np.arctan(unit)", unit.atan());
    goldens.check(237, "np.round(a * 3)", (&a * 3.0).round());
    goldens.check(238, "np.round(odd)", odd.round());
    goldens.check(239, "np.isnan(odd)", odd.is_nan());
    Ok(())
}

fn part_8(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let col: Array<f64> = goldens.input("col");
    let odd: Array<f64> = goldens.input("odd");
    let odd2: Array<f64> = goldens.input("odd2");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    let p: Array<bool> = goldens.input("p");
    let q: Array<bool> = goldens.input("q");
    goldens.check(240, "np.isfinite(odd)", odd.is_finite());
    goldens.check(241, "np.exp(odd)", odd.exp());
    goldens.check(242, "np.sqrt(odd)", odd.sqrt());
    goldens.check(243, "i == j", i.equal(&j)?);
    goldens.check(244, "a == row", a.equal(&row)?);
    goldens.check(245, "odd == odd2", odd.equal(&odd2)?);
    goldens.check(246, "i != j", i.not_equal(&j)?);
    goldens.check(247, "a != row", a.not_equal(&row)?);
    goldens.check(248, "odd != odd2", odd.not_equal(&odd2)?);
    goldens.check(249, "i < j", i.less(&j)?);
    goldens.check(250, "a < row", a.less(&row)?);
    goldens.check(251, "odd < odd2", odd.less(&odd2)?);
    goldens.check(252, "i <= j", i.less_equal(&j)?);
    goldens.check(253, "a <= row", a.less_equal(&row)?);
    goldens.check(254, "odd <= odd2", odd.less_equal(&odd2)?);
    goldens.check(255, "i > j", i.greater(&j)?);
    goldens.check(256, "a > row", a.greater(&row)?);
    goldens.check(257, "odd > odd2", odd.greater(&odd2)?);
    goldens.check(258, "i >= j", i.greater_equal(&j)?);
    goldens.check(259, "a >= row", a.greater_equal(&row)?);
    goldens.check(260, "odd >= odd2", odd.greater_equal(&odd2)?);
    goldens.check(261, "p & q", &p & &q);
    goldens.check(262, "p | q", &p | &q);
    goldens.check(263, "p ^ q", &p ^ &q);
    goldens.check(264, "~p", !&p);
    goldens.check(265, "np.where(p, i, j)", select(&p, &i, &j)?);
    goldens.check(266, "np.where(a > col, a, row)", select(&a.greater(&col)?, &a, &row)?);
    goldens.check(
        267,
        "np.where(p[:, :1], i, np.int32(0))",
        select(&p.slice(&[s(..), s(..1)])?, &i, &Array::scalar(0))?,
    );
    goldens.check(268, "a.sum(None)", a.sum(..)?);
    goldens.check(269, "a.prod(None)", a.prod(..)?);
    Ok(())
}

fn part_9(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    goldens.check(270, "a.mean(None)", a.mean(..)?);
    goldens.check(271, "a.min(None)", a.min(..)?);
    goldens.check(272, "a.max(None)", a.max(..)?);
    goldens.check(273, "a.var(None)", a.var(.., 0)?);
    goldens.check(274, "a.std(None, ddof=1)", a.std(.., 1)?);
    goldens.check(275, "(a > 0.9).any(None)", a.map(|x| x > 0.9).any(..)?);
    goldens.check(276, "(a > -1.2).all(None)", a.map(|x| x > -1.2).all(..)?);
    goldens.check(277, "np.count_nonzero(a > 0, None)", a.map(|x| x > 0.0).count_nonzero(..)?);
    goldens.check(278, "a.sum(0)", a.sum(0)?);
    goldens.check(279, "a.prod(0)", a.prod(0)?);
    goldens.check(280, "a.mean(0)", a.mean(0)?);
    goldens.check(281, "a.min(0)", a.min(0)?);
    goldens.check(282, "a.max(0)", a.max(0)?);
    goldens.check(283, "a.var(0)", a.var(0, 0)?);
    goldens.check(284, "a.std(0, ddof=1)", a.std(0, 1)?);
    goldens.check(285, "(a > 0.9).any(0)", a.map(|x| x > 0.9).any(0)?);
    goldens.check(286, "(a > -1.2).all(0)", a.map(|x| x > -1.2).all(0)?);
    goldens.check(287, "np.count_nonzero(a > 0, 0)", a.map(|x| x > 0.0).count_nonzero(0)?);
    goldens.check(288, "a.sum(-1)", a.sum(-1)?);
    goldens.check(289, "a.prod(-1)", a.prod(-1)?);
    goldens.check(290, "a.mean(-1)", a.mean(-1)?);
    goldens.check(291, "a.min(-1)", a.min(-1)?);
    goldens.check(292, "a.max(-1)", a.max(-1)?);
    goldens.check(293, "a.var(-1)", a.var(-1, 0)?);
    goldens.check(294, "a.std(-1, ddof=1)", a.std(-1, 1)?);
    goldens.check(295, "(a > 0.9).any(-1)", a.map(|x| x > 0.9).any(-1)?);
    goldens.check(296, "(a > -1.2).all(-1)", a.map(|x| x > -1.2).all(-1)?);
    goldens.check(297, "np.count_nonzero(a > 0, -1)", a.map(|x| x > 0.0).count_nonzero(-1)?);
    goldens.check(298, "a.sum((0, 2))", a.sum([0, 2])?);
    goldens.check(299, "a.prod((0, 2))", a.prod([0, 2])?);
    Ok(())
}

fn part_10(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let f: Array<f32> = goldens.input("f");
    let i: Array<i32> = goldens.input("i");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    goldens.check(300, "a.mean((0, 2))", a.mean([0, 2])?);
    goldens.check(301, "a.min((0, 2))", a.min([0, 2])?);
    goldens.check(302, "a.max((0, 2))", a.max([0, 2])?);
    goldens.check(303, "a.var((0, 2))", a.var([0, 2], 0)?);
    goldens.check(304, "a.std((0, 2), ddof=1)", a.std([0, 2], 1)?);
    goldens.check(305, "(a > 0.9).any((0, 2))", a.map(|x| x > 0.9).any([0, 2])?);
    goldens.check(306, "(a > -1.2).all((0, 2))", a.map(|x| x > -1.2).all([0, 2])?);
    goldens.check(307, "np.count_nonzero(a > 0, (0, 2))", a.map(|x| x > 0.0).count_nonzero([0, 2])?);
    goldens.check(308, "i.sum(1)", i.sum(1)?);
    goldens.check(309, "i.mean(1)", i.mean(1)?);
    goldens.check(310, "i.min(1)", i.min(1)?);
    goldens.check(311, "i.max(1)", i.max(1)?);
    goldens.check(312, "i.argmax(1)", i.argmax(1)?);
    goldens.check(313, "i.argmin(1)", i.argmin(1)?);
    goldens.check(314, "i8.sum(1)", i8.sum(1)?);
    goldens.check(315, "i8.mean(1)", i8.mean(1)?);
    goldens.check(316, "i8.min(1)", i8.min(1)?);
    goldens.check(317, "i8.max(1)", i8.max(1)?);
    goldens.check(318, "i8.argmax(1)", i8.argmax(1)?);
    goldens.check(319, "i8.argmin(1)", i8.argmin(1)?);
    goldens.check(320, "i16.sum(1)", i16.sum(1)?);
    goldens.check(321, "i16.mean(1)", i16.mean(1)?);
    goldens.check(322, "i16.min(1)", i16.min(1)?);
    goldens.check(323, "i16.max(1)", i16.max(1)?);
    goldens.check(324, "i16.argmax(1)", i16.argmax(1)?);
    goldens.check(325, "i16.argmin(1)", i16.argmin(1)?);
    goldens.check(326, "f.sum(1)", f.sum(1)?);
    goldens.check(327, "f.mean(1)", f.mean(1)?);
    goldens.check(328, "f.min(1)", f.min(1)?);
    goldens.check(329, "f.max(1)", f.max(1)?);
    Ok(())
}

fn part_11(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let f: Array<f32> = goldens.input("f");
    let odd: Array<f64> = goldens.input("odd");
    let i8: Array<i8> = goldens.input("i8");
    let few: Array<i32> = goldens.input("few");
    goldens.check(330, "f.argmax(1)", f.argmax(1)?);
    goldens.check(331, "f.argmin(1)", f.argmin(1)?);
    goldens.check(332, "a.sum(1, keepdims=True)", a.sum(axes(1).keep())?);
    goldens.check(333, "a.mean((0, 1), keepdims=True)", a.mean(axes([0, 1]).keep())?);
    goldens.check(334, "a - a.max(2, keepdims=True)", &a - a.max(axes(2).keep())?);
    goldens.check(335, "few.argmax()", few.argmax(..)?);
    goldens.check(336, "few.argmin(0)", few.argmin(0)?);
    goldens.check(337, "odd.max()", odd.max(..)?);
    goldens.check(338, "odd.min()", odd.min(..)?);
    goldens.check(339, "odd.argmax()", odd.argmax(..)?);
    goldens.check(340, "np.zeros((0, 3)).sum(0)", Array::<f64>::zeros(&[0, 3]).sum(0)?);
    goldens.check(341, "few.any(0)", few.any(0)?);
    goldens.check(342, "a.cumsum(0)", a.cumsum(0)?);
    goldens.check(343, "np.diff(a, axis=0)", a.diff(0)?);
    goldens.check(344, "a.cumsum(1)", a.cumsum(1)?);
    goldens.check(345, "np.diff(a, axis=1)", a.diff(1)?);
    goldens.check(346, "a.cumsum(2)", a.cumsum(2)?);
    goldens.check(347, "np.diff(a, axis=2)", a.diff(2)?);
    goldens.check(348, "i8.cumsum(0)", i8.cumsum(0)?);
    goldens.check(349, "a.cumprod(1)", a.cumprod(1)?);
    goldens.check(350, "np.sort(a, 0)", a.sort(0)?);
    goldens.check(351, "np.argsort(few, 0, kind='stable')", few.argsort(0)?);
    goldens.check(352, "np.sort(a, 1)", a.sort(1)?);
    goldens.check(353, "np.argsort(few, 1, kind='stable')", few.argsort(1)?);
    goldens.check(354, "np.sort(a, -1)", a.sort(-1)?);
    goldens.check(355, "np.sort(odd)", odd.sort(0)?);
    goldens.check(356, "np.argsort(odd, kind='stable')", odd.argsort(0)?);
    goldens.check(357, "np.unique(few)", few.unique());
    goldens.check(358, "np.sort(i8, 1)[:, ::-1]", i8.sort(1)?.flip(1)?);
    goldens.check(359, "np.concatenate([a, b, a], 0)", concatenate(&[&a, &b, &a], 0)?);
    Ok(())
}

fn part_12(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let m: Array<f64> = goldens.input("m");
    let tall: Array<f64> = goldens.input("tall");
    let rhs: Array<f64> = goldens.input("rhs");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    goldens.check(360, "np.stack([i, j], 0)", stack(&[&i, &j], 0)?);
    goldens.check(361, "np.flip(a, 0)", a.flip(0)?);
    goldens.check(362, "np.roll(a, 2, 0)", a.roll(2, 0)?);
    goldens.check(363, "np.roll(a, -7, 0)", a.roll(-7, 0)?);
    goldens.check(364, "np.repeat(i, 3, 0)", i.repeat(3, 0)?);
    goldens.check(365, "np.concatenate([a, b, a], 1)", concatenate(&[&a, &b, &a], 1)?);
    goldens.check(366, "np.stack([i, j], 1)", stack(&[&i, &j], 1)?);
    goldens.check(367, "np.flip(a, 1)", a.flip(1)?);
    goldens.check(368, "np.roll(a, 2, 1)", a.roll(2, 1)?);
    goldens.check(369, "np.roll(a, -7, 1)", a.roll(-7, 1)?);
    goldens.check(370, "np.repeat(i, 3, 1)", i.repeat(3, 1)?);
    goldens.check(371, "np.concatenate([a, b, a], -1)", concatenate(&[&a, &b, &a], -1)?);
    goldens.check(372, "np.stack([i, j], -1)", stack(&[&i, &j], -1)?);
    goldens.check(373, "np.flip(a, -1)", a.flip(-1)?);
    goldens.check(374, "np.roll(a, 2, -1)", a.roll(2, -1)?);
    goldens.check(375, "np.roll(a, -7, -1)", a.roll(-7, -1)?);
    goldens.check(376, "np.split(i, 3, 1)[0]", i.split(3, 1)?[0].clone());
    goldens.check(377, "np.split(a, [1, 4], 2)[0]", a.split_at(&[1, 4], 2)?[0].clone());
    goldens.check(378, "np.split(i, 3, 1)[1]", i.split(3, 1)?[1].clone());
    goldens.check(379, "np.split(a, [1, 4], 2)[1]", a.split_at(&[1, 4], 2)?[1].clone());
    goldens.check(380, "np.split(i, 3, 1)[2]", i.split(3, 1)?[2].clone());
    goldens.check(381, "np.split(a, [1, 4], 2)[2]", a.split_at(&[1, 4], 2)?[2].clone());
    goldens.check(382, "np.tile(i, (2, 3))", i.tile(&[2, 3])?);
    goldens.check(383, "np.tile(row, (2, 1, 2))", row.tile(&[2, 1, 2])?);
    goldens.check(384, "np.tile(a, 2)", a.tile(&[2])?);
    goldens.check(385, "np.pad(i, ((1, 2), (0, 3)), constant_values=9)", i.pad(&[[1, 2], [0, 3]], 9)?);
    goldens.check(386, "m @ rhs", m.matmul(&rhs)?);
    goldens.check(387, "tall @ m", tall.matmul(&m)?);
    goldens.check(388, "tall.T @ tall", tall.t().matmul(&tall)?);
    goldens.check(389, "f @ g.T", f.matmul(&g.t())?);
    Ok(())
}

fn part_13(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let m: Array<f64> = goldens.input("m");
    let tall: Array<f64> = goldens.input("tall");
    let rhs: Array<f64> = goldens.input("rhs");
    let batch: Array<f64> = goldens.input("batch");
    let spd: Array<f64> = goldens.input("spd");
    goldens.check(390, "row @ row", row.matmul(&row)?);
    goldens.check(391, "m @ m[0]", m.matmul(&m.slice(&[s(0)])?)?);
    goldens.check(392, "m[1] @ m", m.slice(&[s(1)])?.matmul(&m)?);
    goldens.check(393, "batch @ rhs", batch.matmul(&rhs)?);
    goldens.check(394, "batch @ batch[:1]", batch.matmul(&batch.slice(&[s(..1)])?)?);
    goldens.check(395, "a @ row", a.matmul(&row)?);
    goldens.check(396, "np.einsum('ijk->kji', a)", einsum("ijk->kji", &[&a])?);
    goldens.check(397, "np.einsum('ijk->', a)", einsum("ijk->", &[&a])?);
    goldens.check(398, "np.einsum('ijk->j', a)", einsum("ijk->j", &[&a])?);
    goldens.check(399, "np.einsum('ijk,ijk->i', a, b)", einsum("ijk,ijk->i", &[&a, &b])?);
    goldens.check(400, "np.einsum('ijk,ilk->ijl', a, b)", einsum("ijk,ilk->ijl", &[&a, &b])?);
    goldens.check(401, "np.einsum('ijk,ijk->ijk', a, b)", einsum("ijk,ijk->ijk", &[&a, &b])?);
    goldens.check(402, "np.einsum('ii', m)", einsum("ii", &[&m])?);
    goldens.check(403, "np.einsum('ii->i', m)", einsum("ii->i", &[&m])?);
    goldens.check(404, "np.einsum('ij,jk', m, rhs)", einsum("ij,jk", &[&m, &rhs])?);
    goldens.check(405, "np.einsum('ba', m)", einsum("ba", &[&m])?);
    goldens.check(
        406,
        "np.einsum('ij,jk,kl->il', tall, m, rhs)",
        einsum("ij,jk,kl->il", &[&tall, &m, &rhs])?,
    );
    goldens.check(407, "np.einsum('i,j->ij', row, row)", einsum("i,j->ij", &[&row, &row])?);
    goldens.check(
        408,
        "np.einsum('bhij,bhjk->bhik', batch, batch)",
        einsum("bhij,bhjk->bhik", &[&batch, &batch])?,
    );
    goldens.check(409, "np.linalg.solve(m, rhs)", solve(&m, &rhs)?);
    goldens.check(410, "np.linalg.solve(m, m[2])", solve(&m, &m.slice(&[s(2)])?)?);
    goldens.check(411, "np.linalg.inv(m)", inverse(&m)?);
    goldens.check(412, "np.linalg.det(m)", Array::scalar(determinant(&m)?));
    goldens.check(413, "np.linalg.cholesky(spd)", cholesky(&spd)?);
    goldens.check(414, "np.abs(np.linalg.qr(tall)[0])", qr(&tall)?[0].abs());
    goldens.check(415, "np.abs(np.linalg.qr(tall)[1])", qr(&tall)?[1].abs());
    goldens.check(416, "np.abs(np.linalg.qr(tall.T)[1])", qr(&tall.t())?[1].abs());
    goldens.check(417, "np.linalg.svd(tall)[1]", svd(&tall)?[1].clone());
    goldens.check(418, "np.abs(np.linalg.svd(tall, False)[0])", svd(&tall)?[0].abs());
    goldens.check(419, "np.abs(np.linalg.svd(tall, False)[2])", svd(&tall)?[2].abs());
    Ok(())
}

fn part_14(goldens: &mut Goldens) -> Result<()> {
    let row: Array<f64> = goldens.input("row");
    let tall: Array<f64> = goldens.input("tall");
    let f: Array<f32> = goldens.input("f");
    let wave: Array<f64> = goldens.input("wave");
    goldens.check(420, "tall", {
        let [unitary, upper] = qr(&tall)?;
        unitary.matmul(&upper)?
    });
    goldens.check(421, "tall.T", {
        let [u, s, vt] = svd(&tall.t())?;
        (&u * &s).matmul(&vt)?
    });
    goldens.check(422, "np.fft.rfft(wave, axis=0)", rfft(&wave, 0)?);
    goldens.check(423, "np.fft.fft(wave, axis=0)", fft(&wave.map(|x| Complex::new(x, 0.0)), 0)?);
    goldens.check(
        424,
        "np.fft.irfft(np.fft.rfft(wave + 1, axis=0), 3, 0)",
        irfft(&rfft(&(&wave + 1.0), 0)?, 3, 0)?,
    );
    goldens.check(425, "np.fft.rfft(wave, axis=1)", rfft(&wave, 1)?);
    goldens.check(426, "np.fft.fft(wave, axis=1)", fft(&wave.map(|x| Complex::new(x, 0.0)), 1)?);
    goldens.check(
        427,
        "np.fft.irfft(np.fft.rfft(wave + 1, axis=1), 12, 1)",
        irfft(&rfft(&(&wave + 1.0), 1)?, 12, 1)?,
    );
    goldens.check(428, "np.fft.ifft(wave)", ifft(&wave.map(|x| Complex::new(x, 0.0)), 1)?);
    goldens.check(429, "np.abs(np.fft.rfft(row))", rfft(&row, 0)?.map(|x| x.norm()));
    goldens.check(430, "np.fft.fftfreq(8)", fft_frequencies(8));
    goldens.check(431, "np.fft.fftfreq(7)", fft_frequencies(7));
    goldens.check(432, "np.fft.rfft(f, axis=-1)", rfft(&f, -1)?);
    Ok(())
}
