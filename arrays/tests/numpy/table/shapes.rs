// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let col: Array<f64> = goldens.input("col");
    let i: Array<i32> = goldens.input("i");
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
    goldens.check(120, "np.expand_dims(i, -1)", i.expand_dims(-1)?);
    goldens.check(121, "col.squeeze()", col.squeeze());
    goldens.check(122, "np.broadcast_to(col, (2, 4, 3))", col.broadcast_to(&[2, 4, 3])?);
    Ok(())
}
