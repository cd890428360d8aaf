// Made by make.py: do not edit.

use super::super::*;

pub(super) fn all(goldens: &mut Goldens) -> Result<()> {
    let a: Array<f64> = goldens.input("a");
    let b: Array<f64> = goldens.input("b");
    let row: Array<f64> = goldens.input("row");
    let m: Array<f64> = goldens.input("m");
    let tall: Array<f64> = goldens.input("tall");
    let rhs: Array<f64> = goldens.input("rhs");
    let batch: Array<f64> = goldens.input("batch");
    let f: Array<f32> = goldens.input("f");
    let g: Array<f32> = goldens.input("g");
    let spd: Array<f64> = goldens.input("spd");
    goldens.check(386, "m @ rhs", m.matmul(&rhs)?);
    goldens.check(387, "tall @ m", tall.matmul(&m)?);
    goldens.check(388, "tall.T @ tall", tall.t().matmul(&tall)?);
    goldens.check(389, "f @ g.T", f.matmul(&g.t())?);
    goldens.check(390, "row @ row", row.matmul(&row)?);
    goldens.check(391, "m @ m[0]", m.matmul(&m.slice(&[s(0)])?)?);
    goldens.check(392, "m[1] @ m", m.slice(&[s(1)])?.matmul(&m)?);
    goldens.check(393, "batch @ rhs", batch.matmul(&rhs)?);
    goldens.check(394, "batch @ batch[:1]", batch.matmul(&batch.slice(&[s(..1)])?)?);
    goldens.check(395, "a @ row", a.matmul(&row)?);
    goldens.check(396, "np.einsum('ijk->kji', a)", einsum("ijk->kji", &[&a])?);
    goldens.check(397, "np.einsum('ijk->', a)", einsum("ijk->", &[&a])?);
    goldens.check(398, "np.einsum('ijk->j', a)", einsum("ijk->j", &[&a])?);
    goldens.check(399, "np.einsum('ijk,ijk->i', a, b)", einsum("ijk,ijk->i", &[&a, &b])?);
    goldens.check(400, "np.einsum('ijk,ilk->ijl', a, b)", einsum("ijk,ilk->ijl", &[&a, &b])?);
    goldens.check(401, "np.einsum('ijk,ijk->ijk', a, b)", einsum("ijk,ijk->ijk", &[&a, &b])?);
    goldens.check(402, "np.einsum('ii', m)", einsum("ii", &[&m])?);
    goldens.check(403, "np.einsum('ii->i', m)", einsum("ii->i", &[&m])?);
    goldens.check(404, "np.einsum('ij,jk', m, rhs)", einsum("ij,jk", &[&m, &rhs])?);
    goldens.check(405, "np.einsum('ba', m)", einsum("ba", &[&m])?);
    goldens.check(
        406,
        "np.einsum('ij,jk,kl->il', tall, m, rhs)",
        einsum("ij,jk,kl->il", &[&tall, &m, &rhs])?,
    );
    goldens.check(407, "np.einsum('i,j->ij', row, row)", einsum("i,j->ij", &[&row, &row])?);
    goldens.check(
        408,
        "np.einsum('bhij,bhjk->bhik', batch, batch)",
        einsum("bhij,bhjk->bhik", &[&batch, &batch])?,
    );
    goldens.check(409, "np.linalg.solve(m, rhs)", solve(&m, &rhs)?);
    goldens.check(410, "np.linalg.solve(m, m[2])", solve(&m, &m.slice(&[s(2)])?)?);
    goldens.check(411, "np.linalg.inv(m)", inverse(&m)?);
    goldens.check(412, "np.linalg.det(m)", Array::scalar(determinant(&m)?));
    goldens.check(413, "np.linalg.cholesky(spd)", cholesky(&spd)?);
    goldens.check(414, "np.abs(np.linalg.qr(tall)[0])", qr(&tall)?[0].abs());
    goldens.check(415, "np.abs(np.linalg.qr(tall)[1])", qr(&tall)?[1].abs());
    goldens.check(416, "np.abs(np.linalg.qr(tall.T)[1])", qr(&tall.t())?[1].abs());
    goldens.check(417, "np.linalg.svd(tall)[1]", svd(&tall)?[1].clone());
    goldens.check(418, "np.abs(np.linalg.svd(tall, False)[0])", svd(&tall)?[0].abs());
    goldens.check(419, "np.abs(np.linalg.svd(tall, False)[2])", svd(&tall)?[2].abs());
    goldens.check(420, "tall", {
        let [unitary, upper] = qr(&tall)?;
        unitary.matmul(&upper)?
    });
    goldens.check(421, "tall.T", {
        let [u, s, vt] = svd(&tall.t())?;
        (&u * &s).matmul(&vt)?
    });
    Ok(())
}
