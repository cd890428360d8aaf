// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    goldens.check(359, "np.concatenate([a, b, a], 0)", concatenate(&[&a, &b, &a], 0)?);
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
    Ok(())
}
