// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let i: Array<i32> = goldens.input("i");
    let i8: Array<i8> = goldens.input("i8");
    let i16: Array<i16> = goldens.input("i16");
    let few: Array<i32> = goldens.input("few");
    let p: Array<bool> = goldens.input("p");
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
    Ok(())
}
