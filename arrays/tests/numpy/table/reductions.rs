// Made by make.py: do not edit.

use super::super::*;

pub(super) fn part_0(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let i: Array<i32> = goldens.input("i");
    goldens.check(268, "a.sum(None)", a.sum(..)?);
    goldens.check(269, "a.prod(None)", a.prod(..)?);
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
    Ok(())
}

pub(super) fn part_1(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let f: Array<f32> = goldens.input("f");
    let odd: Array<f64> = goldens.input("odd");
    let i: Array<i32> = goldens.input("i");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    let few: Array<i32> = goldens.input("few");
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
    Ok(())
}
