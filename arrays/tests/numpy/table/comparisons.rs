// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let col: Array<f64> = goldens.input("col");
    let odd: Array<f64> = goldens.input("odd");
    let odd2: Array<f64> = goldens.input("odd2");
    let i: Array<i32> = goldens.input("i");
    let j: Array<i32> = goldens.input("j");
    let p: Array<bool> = goldens.input("p");
    let q: Array<bool> = goldens.input("q");
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
    Ok(())
}
