//! Functions that are compiled for every width of vectors, and chosen when they run.

/// Declares functions whose bodies see `$simd`, the vector instructions of this machine, of type `$S`. What they call
/// must be `#[inline(always)]`, or it is compiled without these instructions.
macro_rules! vectorized {
    ($($(#[$attr:meta])* $vis:vis fn $name:ident[$simd:ident: $S:ident]($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {$(
        $(#[$attr])*
        $vis fn $name($($arg: $ty),*) {
            struct Call<T>(T);
            impl pulp::WithSimd for Call<($($ty,)*)> {
                type Output = ();
                #[inline(always)]
                fn with_simd<$S: pulp::Simd>(self, $simd: $S) {
                    let ($($arg,)*) = self.0;
                    let _ = $simd;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Call(($($arg,)*)))
        }
    )*};
}
pub(super) use vectorized;

/// Lanes that a row of packed weights is padded to: a multiple of every machine's.
pub(super) const LANES: usize = 16;

/// A vector of `values`, of which there are at most so many; 0 behind them.
#[inline(always)]
pub(super) fn load<S: pulp::Simd>(simd: S, values: &[f32]) -> S::f32s {
    // The general load is a call.
    match S::as_simd_f32s(values).0.first() {
        Some(vector) => *vector,
        None => simd.partial_load_f32s(values),
    }
}

/// Writes the first lanes of a vector, as many as there are values.
#[inline(always)]
pub(super) fn store<S: pulp::Simd>(simd: S, values: &mut [f32], vector: S::f32s) {
    if values.len() == S::F32_LANES {
        S::as_mut_simd_f32s(values).0[0] = vector;
    } else {
        simd.partial_store_f32s(values, vector);
    }
}
