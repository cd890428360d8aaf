// Made by make.py: do not edit.

use super::super::*;

pub(super) fn part_0(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let pos: Array<f64> = goldens.input("pos");
    let unit: Array<f64> = goldens.input("unit");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let odd: Array<f64> = goldens.input("odd");
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
    goldens.check(240, "np.isfinite(odd)", odd.is_finite());
    Ok(())
}

pub(super) fn part_1(goldens: &mut Goldens) -> Result<()> {
    let odd: Array<f64> = goldens.input("odd");
    goldens.check(241, "np.exp(odd)", odd.exp());
    goldens.check(242, "np.sqrt(odd)", odd.sqrt());
    Ok(())
}
