//! What cosines and dot products are made of: two sums over a pair of vectors.

use super::simd::{LANES, Simd, fold};
use super::{Isa, Task, run};

/// `(a · b, b · b)` on the best instruction set of this CPU. Of two lengths the shorter counts.
#[must_use]
pub fn products(a: &[f32], b: &[f32]) -> (f32, f32) {
    let mut out = (0.0, 0.0);
    // SAFETY: this CPU has what was detected on it.
    unsafe { run(Isa::detect(), Products { a, b, out: &mut out }) };
    out
}

/// `(a · b, b · b)`, in one pass over `b`. Of two lengths the shorter counts.
pub struct Products<'a> {
    /// Any numbers.
    pub a: &'a [f32],
    /// Any numbers.
    pub b: &'a [f32],
    /// Where the sums go.
    pub out: &'a mut (f32, f32),
}

impl Task for Products<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let length = self.a.len().min(self.b.len());
        let whole = length - length % LANES;
        let (a, rest_of_a) = self.a[..length].split_at(whole);
        let (b, rest_of_b) = self.b[..length].split_at(whole);
        // Zeros add nothing: so the rest is a block like the others.
        let (mut last_of_a, mut last_of_b) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        last_of_a[..rest_of_a.len()].copy_from_slice(rest_of_a);
        last_of_b[..rest_of_b.len()].copy_from_slice(rest_of_b);
        // SAFETY: every block has sixteen elements.
        unsafe {
            let (x, y) = (S::load(last_of_a.as_ptr()), S::load(last_of_b.as_ptr()));
            let mut both = S::mul(x, y);
            let mut squares = S::mul(y, y);
            for i in (0..whole).step_by(LANES) {
                let (x, y) = (S::load(a.as_ptr().add(i)), S::load(b.as_ptr().add(i)));
                both = S::mul_add(x, y, both);
                squares = S::mul_add(y, y, squares);
            }
            *self.out = (fold::<S>(both, |a, b| a + b), fold::<S>(squares, |a, b| a + b));
        }
    }
}
