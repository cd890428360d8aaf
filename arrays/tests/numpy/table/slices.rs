// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let row: Array<f64> = goldens.input("row");
    let i: Array<i32> = goldens.input("i");
    let p: Array<bool> = goldens.input("p");
    goldens.check(58, "row[::1]", row.slice(&[s(..).by(1)])?);
    goldens.check(59, "row[:1:2]", row.slice(&[s(..1).by(2)])?);
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
    Ok(())
}
