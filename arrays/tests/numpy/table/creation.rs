// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
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
    Ok(())
}
