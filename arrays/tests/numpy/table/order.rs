// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let odd: Array<f64> = goldens.input("odd");
    let i8: Array<i8> = goldens.input("i8");
    let few: Array<i32> = goldens.input("few");
    goldens.check(350, "np.sort(a, 0)", a.sort(0)?);
    goldens.check(351, "np.argsort(few, 0, kind='stable')", few.argsort(0)?);
    goldens.check(352, "np.sort(a, 1)", a.sort(1)?);
    goldens.check(353, "np.argsort(few, 1, kind='stable')", few.argsort(1)?);
    goldens.check(354, "np.sort(a, -1)", a.sort(-1)?);
    goldens.check(355, "np.sort(odd)", odd.sort(0)?);
    goldens.check(356, "np.argsort(odd, kind='stable')", odd.argsort(0)?);
    goldens.check(357, "np.unique(few)", few.unique());
    goldens.check(358, "np.sort(i8, 1)[:, ::-1]", i8.sort(1)?.flip(1)?);
    Ok(())
}
