#!/usr/bin/env python3
"""Expressions that Dunlin's arrays must compute as NumPy does: writes `goldens.npz` (inputs, and NumPy's results) and
`table/` (the same expressions in Rust, a file for each subject) beside it.

    python3 -m venv ~/.cache/dunlin-arrays && ~/.cache/dunlin-arrays/bin/pip install numpy==2.4.6
    ~/.cache/dunlin-arrays/bin/python arrays/tests/numpy/make.py && rustfmt arrays/tests/numpy/table/*.rs

Each row is an expression for NumPy and one for Rust, over the inputs below.
"""

import pathlib
import re

import numpy as np

rng = np.random.default_rng(7)


def ints(dtype, *dims):
    return rng.integers(-100, 100, dims).astype(dtype)


x = np.round(rng.normal(size=(3, 4, 5)), 6)  # rounded: they compress
inputs = {
    "a": x,
    "b": np.round(rng.normal(size=(3, 4, 5)), 6),
    "row": np.round(rng.normal(size=5), 6),
    "col": np.round(rng.normal(size=(4, 1)), 6),
    "pos": np.round(rng.uniform(0.05, 4, (4, 6)), 6),
    "unit": np.round(rng.uniform(-0.95, 0.95, (4, 6)), 6),
    "m": np.round(rng.normal(size=(4, 4)), 6),
    "tall": np.round(rng.normal(size=(6, 4)), 6),
    "rhs": np.round(rng.normal(size=(4, 2)), 6),
    "batch": np.round(rng.normal(size=(2, 3, 4, 4)), 6),
    "f": rng.normal(size=(4, 6)).astype(np.float32),
    "g": rng.uniform(0.1, 3, (4, 6)).astype(np.float32),
    "odd": np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, 2.5, -0.5, -2.5, 0.5, 1e300, 3.7, -3.7]),
    "odd2": np.array([1.0, 2.0, np.inf, 3.0, 1.0, np.nan, -2.5, 2.0, 1.0, 0.5, -1e300, -2.0, 2.0]),
    "i": ints(np.int32, 4, 6),
    "j": ints(np.int32, 4, 6),
    "k": rng.integers(1, 9, (4, 6)).astype(np.int32) * np.where(rng.random((4, 6)) < 0.5, -1, 1).astype(np.int32),
    "i8": ints(np.int8, 4, 6),
    "i16": (ints(np.int16, 4, 6) * 300).astype(np.int16),
    "j8": ints(np.int8, 4, 6),
    "j16": (ints(np.int16, 4, 6) * 300).astype(np.int16),
    "few": rng.integers(0, 4, (5, 7)).astype(np.int32),
    "p": rng.random((4, 6)) < 0.5,
    "q": rng.random((4, 6)) < 0.5,
}
inputs["spd"] = np.round(inputs["m"] @ inputs["m"].T + 3 * np.eye(4), 6)
inputs["wave"] = np.round(rng.normal(size=(3, 12)), 6)
rust_types = {"float64": "f64", "float32": "f32", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "bool": "bool"}
rows = []
ROWS_A_PART = 45


def row(python, rust):
    if python not in {known for known, _ in rows}:
        rows.append((python, rust))


def creation():
    row("np.zeros((2, 3))", "Array::<f64>::zeros(&[2, 3])")
    row("np.ones((2, 3), np.int32)", "Array::<i32>::ones(&[2, 3])")
    row("np.full((2, 2), 7, np.int16)", "Array::full(&[2, 2], 7i16)")
    row("np.zeros((0, 3))", "Array::<f64>::zeros(&[0, 3])")
    for start, stop, step in [(0.0, 5.0, 1.0), (1.0, 2.0, 0.3), (5.0, -5.0, -2.5), (3.0, 1.0, 1.0)]:
        row(f"np.arange({start}, {stop}, {step})", f"Array::<f64>::arange({start}, {stop}, {step})?")
    row("np.arange(10, -10, -3, dtype=np.int32)", "Array::<i32>::arange(10, -10, -3)?")
    for start, stop, n in [(0.0, 1.0, 11), (-3.0, 3.0, 4), (2.0, 5.0, 1), (0.0, 1.0, 0)]:
        row(f"np.linspace({start}, {stop}, {n})", f"Array::<f64>::linspace({start}, {stop}, {n})")
    for n, m, k in [(3, 3, 0), (2, 4, 1), (4, 2, -1)]:
        row(f"np.eye({n}, {m}, {k})", f"Array::<f64>::eye({n}, {m}, {k})")
    row("np.array([[1, 2], [3, 4]], np.int32)", "Array::from([[1i32, 2], [3, 4]])")
    row("np.array([[[1.5], [2.0]]])", "Array::from([[[1.5f64], [2.0]]])")


def conversion():
    for source in ["i", "i8", "i16", "p", "few"]:
        for target in ["float32", "float64", "int8", "int16", "int32", "int64", "bool"]:
            row(f"{source}.astype(np.{target})", f"{source}.cast::<{rust_types[target]}>()")
    for target in ["float32", "int16", "int32", "int64", "bool"]:
        row(f"(a * 20).astype(np.{target})", f"(&a * 20.0).cast::<{rust_types[target]}>()")


def slices():
    ends = ["", "1", "-1", "9", "-9", "3"]
    steps = [1, 2, -1, -2]
    n = 0
    for start in ends:
        for stop in ends:
            step = steps[n % 4]
            n += 1
            rust = f"s({start}..{stop})" if not (start and stop) else f"s({start}..).to({stop})"
            row(f"row[{start}:{stop}:{step}]", f"row.slice(&[{rust}.by({step})])?")
    row("a[1]", "a.slice(&[s(1)])?")
    row("a[-1, :, 2]", "a.slice(&[s(-1), s(..), s(2)])?")
    row("a[:, ::-1, 1:4:2]", "a.slice(&[s(..), s(..).by(-1), s(1..4).by(2)])?")
    row("a[2, 3, 4]", "a.slice(&[s(2), s(3), s(4)])?")
    row("a[:, None, 1, ::3]", "a.slice(&[s(..), new_axis(), s(1), s(..).by(3)])?")
    row("a[::2][:, ::-2].T", "a.slice(&[s(..).by(2)])?.slice(&[s(..), s(..).by(-2)])?.t()")
    row("np.take(a, [2, 0, -1, 2], 1)", "a.take(&[2, 0, -1, 2], 1)?")
    row("i[p]", "i.compress(&p)?")
    row("a[a > 0.5]", "a.compress(&a.map(|x| x > 0.5))?")


def shapes():
    for dims in ["3, 20", "-1", "5, -1, 2", "60", "2, 3, 5, 2"]:
        row(f"a.reshape({dims})", f"a.reshape(&[{dims}])?")
        row(f"a.T.reshape({dims})", f"a.t().reshape(&[{dims}])?")
    row("a.transpose(2, 0, 1)", "a.transpose(&[2, 0, 1])?")
    row("a.transpose(0, 2, 1)", "a.transpose(&[0, -1, 1])?")
    row("i.T", "i.t()")
    row("np.moveaxis(a, 0, -1)", "a.move_axis(0, -1)?")
    row("a.T.ravel()", "a.t().flatten()")
    for axis in [0, 1, -1]:
        row(f"np.expand_dims(i, {axis})", f"i.expand_dims({axis})?")
    row("col.squeeze()", "col.squeeze()")
    row("np.broadcast_to(col, (2, 4, 3))", "col.broadcast_to(&[2, 4, 3])?")


def arithmetic():
    pairs = [("a", "b"), ("a", "row"), ("col", "row"), ("a", "col"), ("f", "g"), ("i", "j"), ("i8", "j8"), ("i16", "j16")]
    for one, other in pairs:
        for op in "+-*":
            row(f"{one} {op} {other}", f"&{one} {op} &{other}")
        row(f"np.maximum({one}, {other})", f"{one}.maximum(&{other})?")
        row(f"np.minimum({one}, {other})", f"{one}.minimum(&{other})?")
    for one, other in [("a", "b"), ("col", "row"), ("f", "g"), ("odd", "odd2")]:
        row(f"{one} / {other}", f"&{one} / &{other}")
        row(f"{one} % {other}", f"&{one} % &{other}")
    row("i // k", "&i / &k")
    row("i % k", "&i % &k")
    row("-i8", "-&i8")
    row("-odd", "-&odd")
    row("a * 2.5 - 1.0", "&a * 2.5 - 1.0")
    row("i + np.int32(7)", "&i + 7")
    row("np.maximum(odd, odd2)", "odd.maximum(&odd2)?")
    row("np.minimum(odd, odd2)", "odd.minimum(&odd2)?")
    row("pos ** unit", "pos.pow(&unit)?")
    row("np.hypot(pos, unit)", "pos.hypot(&unit)?")
    row("np.arctan2(a, row)", "a.atan2(&row)?")
    for x in ["a", "f", "i", "i8", "odd"]:
        row(f"np.abs({x})", f"{x}.abs()")
        row(f"np.sign({x})", f"{x}.sign()")
    row("np.square(i16)", "i16.square()")
    row("np.clip(a, -0.5, 0.7)", "a.clip(-0.5, 0.7)")
    row("np.clip(i8, -20, 30)", "i8.clip(-20, 30)")
    row("np.clip(odd, -1, 2)", "odd.clip(-1.0, 2.0)")


def functions():
    everywhere = ["exp", "expm1", "exp2", "cbrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "trunc"]
    positive = {"log": "ln", "log1p": "ln1p", "log2": "log2", "log10": "log10", "sqrt": "sqrt", "reciprocal": "recip"}
    inner = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    for name in everywhere:
        row(f"np.{name}(a)", f"a.{name}()")
        row(f"np.{name}(f)", f"f.{name}()")
    for python, rust in positive.items():
        row(f"np.{python}(pos)", f"pos.{rust}()")
        row(f"np.{python}(g)", f"g.{rust}()")
    for python, rust in inner.items():
        row(f"np.{python}(unit)", f"unit.{rust}()")
    row("np.round(a * 3)", "(&a * 3.0).round()")
    row("np.round(odd)", "odd.round()")
    row("np.isnan(odd)", "odd.is_nan()")
    row("np.isfinite(odd)", "odd.is_finite()")
    row("np.exp(odd)", "odd.exp()")
    row("np.sqrt(odd)", "odd.sqrt()")


def comparisons():
    names = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
    for op, name in names.items():
        for one, other in [("i", "j"), ("a", "row"), ("odd", "odd2")]:
            row(f"{one} {op} {other}", f"{one}.{name}(&{other})?")
    for op in "&|^":
        row(f"p {op} q", f"&p {op} &q")
    row("~p", "!&p")
    row("np.where(p, i, j)", "select(&p, &i, &j)?")
    row("np.where(a > col, a, row)", "select(&a.greater(&col)?, &a, &row)?")
    row("np.where(p[:, :1], i, np.int32(0))", "select(&p.slice(&[s(..), s(..1)])?, &i, &Array::scalar(0))?")


def reductions():
    for axis, rust in [("None", ".."), ("0", "0"), ("-1", "-1"), ("(0, 2)", "[0, 2]")]:
        for name in ["sum", "prod", "mean", "min", "max"]:
            row(f"a.{name}({axis})", f"a.{name}({rust})?")
        row(f"a.var({axis})", f"a.var({rust}, 0)?")
        row(f"a.std({axis}, ddof=1)", f"a.std({rust}, 1)?")
        row(f"(a > 0.9).any({axis})", f"a.map(|x| x > 0.9).any({rust})?")
        row(f"(a > -1.2).all({axis})", f"a.map(|x| x > -1.2).all({rust})?")
        row(f"np.count_nonzero(a > 0, {axis})", f"a.map(|x| x > 0.0).count_nonzero({rust})?")
    for x in ["i", "i8", "i16", "f"]:
        for name in ["sum", "mean", "min", "max", "argmax", "argmin"]:
            row(f"{x}.{name}(1)", f"{x}.{name}(1)?")
    row("a.sum(1, keepdims=True)", "a.sum(axes(1).keep())?")
    row("a.mean((0, 1), keepdims=True)", "a.mean(axes([0, 1]).keep())?")
    row("a - a.max(2, keepdims=True)", "&a - a.max(axes(2).keep())?")
    row("few.argmax()", "few.argmax(..)?")
    row("few.argmin(0)", "few.argmin(0)?")
    row("odd.max()", "odd.max(..)?")
    row("odd.min()", "odd.min(..)?")
    row("odd.argmax()", "odd.argmax(..)?")
    row("np.zeros((0, 3)).sum(0)", "Array::<f64>::zeros(&[0, 3]).sum(0)?")
    row("few.any(0)", "few.any(0)?")
    for axis in [0, 1, 2]:
        row(f"a.cumsum({axis})", f"a.cumsum({axis})?")
        row(f"np.diff(a, axis={axis})", f"a.diff({axis})?")
    row("i8.cumsum(0)", "i8.cumsum(0)?")
    row("a.cumprod(1)", "a.cumprod(1)?")


def order():
    for axis in [0, 1, -1]:
        row(f"np.sort(a, {axis})", f"a.sort({axis})?")
        row(f"np.argsort(few, {axis % 2}, kind='stable')", f"few.argsort({axis % 2})?")
    row("np.sort(odd)", "odd.sort(0)?")
    row("np.argsort(odd, kind='stable')", "odd.argsort(0)?")
    row("np.unique(few)", "few.unique()")
    row("np.sort(i8, 1)[:, ::-1]", "i8.sort(1)?.flip(1)?")


def joins():
    for axis in [0, 1, -1]:
        row(f"np.concatenate([a, b, a], {axis})", f"concatenate(&[&a, &b, &a], {axis})?")
        row(f"np.stack([i, j], {axis})", f"stack(&[&i, &j], {axis})?")
        row(f"np.flip(a, {axis})", f"a.flip({axis})?")
        row(f"np.roll(a, 2, {axis})", f"a.roll(2, {axis})?")
        row(f"np.roll(a, -7, {axis})", f"a.roll(-7, {axis})?")
        row(f"np.repeat(i, 3, {axis % 2})", f"i.repeat(3, {axis % 2})?")
    for part in range(3):
        row(f"np.split(i, 3, 1)[{part}]", f"i.split(3, 1)?[{part}].clone()")
        row(f"np.split(a, [1, 4], 2)[{part}]", f"a.split_at(&[1, 4], 2)?[{part}].clone()")
    row("np.tile(i, (2, 3))", "i.tile(&[2, 3])?")
    row("np.tile(row, (2, 1, 2))", "row.tile(&[2, 1, 2])?")
    row("np.tile(a, 2)", "a.tile(&[2])?")
    row("np.pad(i, ((1, 2), (0, 3)), constant_values=9)", "i.pad(&[[1, 2], [0, 3]], 9)?")


def algebra():
    row("m @ rhs", "m.matmul(&rhs)?")
    row("tall @ m", "tall.matmul(&m)?")
    row("tall.T @ tall", "tall.t().matmul(&tall)?")
    row("f @ g.T", "f.matmul(&g.t())?")
    row("row @ row", "row.matmul(&row)?")
    row("m @ m[0]", "m.matmul(&m.slice(&[s(0)])?)?")
    row("m[1] @ m", "m.slice(&[s(1)])?.matmul(&m)?")
    row("batch @ rhs", "batch.matmul(&rhs)?")
    row("batch @ batch[:1]", "batch.matmul(&batch.slice(&[s(..1)])?)?")
    row("a @ row", "a.matmul(&row)?")
    for subscripts in ["ijk->kji", "ijk->", "ijk->j", "ijk,ijk->i", "ijk,ilk->ijl", "ijk,ijk->ijk"]:
        arrays = "a, b" if "," in subscripts else "a"
        rust = "&a, &b" if "," in subscripts else "&a"
        row(f"np.einsum('{subscripts}', {arrays})", f'einsum("{subscripts}", &[{rust}])?')
    row("np.einsum('ii', m)", 'einsum("ii", &[&m])?')
    row("np.einsum('ii->i', m)", 'einsum("ii->i", &[&m])?')
    row("np.einsum('ij,jk', m, rhs)", 'einsum("ij,jk", &[&m, &rhs])?')
    row("np.einsum('ba', m)", 'einsum("ba", &[&m])?')
    row("np.einsum('ij,jk,kl->il', tall, m, rhs)", 'einsum("ij,jk,kl->il", &[&tall, &m, &rhs])?')
    row("np.einsum('i,j->ij', row, row)", 'einsum("i,j->ij", &[&row, &row])?')
    row("np.einsum('bhij,bhjk->bhik', batch, batch)", 'einsum("bhij,bhjk->bhik", &[&batch, &batch])?')
    row("np.linalg.solve(m, rhs)", "solve(&m, &rhs)?")
    row("np.linalg.solve(m, m[2])", "solve(&m, &m.slice(&[s(2)])?)?")
    row("np.linalg.inv(m)", "inverse(&m)?")
    row("np.linalg.det(m)", "Array::scalar(determinant(&m)?)")
    row("np.linalg.cholesky(spd)", "cholesky(&spd)?")
    # Signs are a matter of taste in QR and SVD: these expressions are the same for all.
    row("np.abs(np.linalg.qr(tall)[0])", "qr(&tall)?[0].abs()")
    row("np.abs(np.linalg.qr(tall)[1])", "qr(&tall)?[1].abs()")
    row("np.abs(np.linalg.qr(tall.T)[1])", "qr(&tall.t())?[1].abs()")
    row("np.linalg.svd(tall)[1]", "svd(&tall)?[1].clone()")
    row("np.abs(np.linalg.svd(tall, False)[0])", "svd(&tall)?[0].abs()")
    row("np.abs(np.linalg.svd(tall, False)[2])", "svd(&tall)?[2].abs()")
    row("tall", "{ let [unitary, upper] = qr(&tall)?; unitary.matmul(&upper)? }")
    row("tall.T", "{ let [u, s, vt] = svd(&tall.t())?; (&u * &s).matmul(&vt)? }")


def transforms():
    for axis in [0, 1]:
        row(f"np.fft.rfft(wave, axis={axis})", f"rfft(&wave, {axis})?")
        row(f"np.fft.fft(wave, axis={axis})", f"fft(&wave.map(|x| Complex::new(x, 0.0)), {axis})?")
        n = [3, 12][axis]
        row(f"np.fft.irfft(np.fft.rfft(wave + 1, axis={axis}), {n}, {axis})", f"irfft(&rfft(&(&wave + 1.0), {axis})?, {n}, {axis})?")
    row("np.fft.ifft(wave)", "ifft(&wave.map(|x| Complex::new(x, 0.0)), 1)?")
    row("np.abs(np.fft.rfft(row))", "rfft(&row, 0)?.map(|x| x.norm())")
    row("np.fft.fftfreq(8)", "fft_frequencies(8)")
    row("np.fft.fftfreq(7)", "fft_frequencies(7)")
    row("np.fft.rfft(f, axis=-1)", "rfft(&f, -1)?")


def function(name, part):
    """A function of Rust that checks numbered rows."""
    # Neither texts nor types.
    code = " ".join(re.sub(r'"[^"]*"|<\w+>', "", rust) for _, (_, rust) in part)
    words = set(re.findall(r"\w+", code))
    lines = ["", f"pub(super) fn {name}(goldens: &mut Goldens) -> Result<()> {{"]
    for name in [name for name in inputs if name in words]:
        dtype = rust_types[str(inputs[name].dtype)]
        lines.append(f'let {name}: Array<{dtype}> = goldens.input("{name}");')
    lines += [f'goldens.check({n}, "{python}", {rust});' for n, (python, rust) in part]
    return [*lines, "Ok(())", "}"]


def main():
    folder = pathlib.Path(__file__).parent
    table = folder / "table"
    table.mkdir(exist_ok=True)
    head = ["// Made by make.py: do not edit.", ""]
    modules, parts = [], []
    for section in [creation, conversion, slices, shapes, arithmetic, functions, comparisons, reductions, order, joins, algebra, transforms]:
        first = len(rows)
        section()
        numbered = list(enumerate(rows))[first:]
        chunks = [numbered[at : at + ROWS_A_PART] for at in range(0, len(numbered), ROWS_A_PART)]
        names = ["all"] if len(chunks) == 1 else [f"part_{k}" for k in range(len(chunks))]
        lines = [line for name, chunk in zip(names, chunks) for line in function(name, chunk)]
        (table / f"{section.__name__}.rs").write_text("\n".join([*head, "use super::super::*;", *lines, ""]))
        modules.append(section.__name__)
        parts += [f"{section.__name__}::{name}" for name in names]
    lines = [*head, *(f"mod {name};" for name in sorted(modules)), "", "use super::*;", ""]
    lines.append(f"pub(super) const PARTS: [fn(&mut Goldens) -> Result<()>; {len(parts)}] = [")
    lines += [*(f"{part}," for part in parts), "];"]
    (table / "mod.rs").write_text("\n".join([*lines, ""]))
    with np.errstate(all="ignore"):
        results = {f"r{n}": np.asarray(eval(python, {"np": np, **inputs})) for n, (python, _) in enumerate(rows)}
    np.savez_compressed(folder / "goldens.npz", **inputs, **results)
    print(f"{len(rows)} expressions")


if __name__ == "__main__":
    main()
