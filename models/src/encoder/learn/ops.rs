//! The encoder's operations with their gradients, each in one pass over its tensors.
//!
//! As chains of candle's own operations they wrote every intermediate result to memory, and each product of matrices
//! read the system's list of processors anew to choose a number of threads; parts of a batch are on all cores already.
//! Half of a training's time went there.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};
use endcap_core::encoder::{dot, exp};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, NullaryFnOnce};

/// An operation of `N` tensors, all row by row without gaps. Loops write to slices: what a standard collection is filled
/// by is compiled for every processor.
pub(super) trait Fused<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;
    /// Numbers of a row of what comes out.
    fn width(&self) -> usize;
    /// What comes out.
    fn forward(&self, inputs: [&[f32]; N]) -> Vec<f32>;
    /// The gradient by each input, from that by what comes out.
    fn backward(&self, inputs: [&[f32]; N], outer: &[f32]) -> [Vec<f32>; N];
}

/// `operation` of two tensors.
pub(super) fn two(operation: impl Fused<2>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2(b, Op(operation))
}

/// `operation` of three tensors.
pub(super) fn three(operation: impl Fused<3>, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    a.apply_op3(b, c, Op(operation))
}

struct Op<F>(F);

impl<F: Fused<2>> CustomOp2 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.out([values(a, a_layout)?, values(b, b_layout)?])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        outer: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b] = self.back([a, b], outer)?;
        Ok((Some(of_a), Some(of_b)))
    }
}

impl<F: Fused<3>> CustomOp3 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.out([values(a, a_layout)?, values(b, b_layout)?, values(c, c_layout)?])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        outer: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b, of_c] = self.back([a, b, c], outer)?;
        Ok((Some(of_a), Some(of_b), Some(of_c)))
    }
}

impl<F> Op<F> {
    fn out<const N: usize>(&self, inputs: [&[f32]; N]) -> Result<(CpuStorage, Shape)>
    where
        F: Fused<N>,
    {
        let out = Arch::new().dispatch(Forward(&self.0, inputs));
        let shape = Shape::from((out.len() / self.0.width(), self.0.width()));
        Ok((CpuStorage::F32(out), shape))
    }

    fn back<const N: usize>(&self, inputs: [&Tensor; N], outer: &Tensor) -> Result<[Tensor; N]>
    where
        F: Fused<N>,
    {
        let guards = inputs.map(Tensor::storage_and_layout);
        let mut slices = [&[][..]; N];
        for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
            *slice = on_cpu(storage, layout)?;
        }
        let (storage, layout) = outer.storage_and_layout();
        let gradients = Arch::new().dispatch(Backward(&self.0, slices, on_cpu(&storage, layout)?));
        let mut tensors = inputs.map(Tensor::clone);
        for (tensor, gradient) in tensors.iter_mut().zip(gradients) {
            *tensor = Tensor::from_vec(gradient, tensor.shape(), outer.device())?;
        }
        Ok(tensors)
    }
}

fn on_cpu<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => values(storage, layout),
        _ => bail!("a tensor of the encoder is not in main memory"),
    }
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((from, to)) = layout.contiguous_offsets() else { bail!("a tensor of the encoder has gaps") };
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// [`Fused::forward`], compiled for what the processor can do.
struct Forward<'a, F, const N: usize>(&'a F, [&'a [f32]; N]);

impl<const N: usize, F: Fused<N>> NullaryFnOnce for Forward<'_, F, N> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self) -> Vec<f32> {
        self.0.forward(self.1)
    }
}

/// [`Fused::backward`], likewise.
struct Backward<'a, F, const N: usize>(&'a F, [&'a [f32]; N], &'a [f32]);

impl<const N: usize, F: Fused<N>> NullaryFnOnce for Backward<'_, F, N> {
    type Output = [Vec<f32>; N];

    #[inline(always)]
    fn call(self) -> [Vec<f32>; N] {
        self.0.backward(self.1, self.2)
    }
}

/// Rows times a transposed matrix: `x` `[rows, inputs]`, weights `[outputs, inputs]`.
pub(super) struct Linear {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Fused<2> for Linear {
    const NAME: &'static str = "linear";

    fn width(&self) -> usize {
        self.outputs
    }

    #[inline(always)]
    fn forward(&self, [x, weights]: [&[f32]; 2]) -> Vec<f32> {
        product(rows(x, self.inputs), rows(weights, self.inputs).transpose())
    }

    #[inline(always)]
    fn backward(&self, [x, weights]: [&[f32]; 2], outer: &[f32]) -> [Vec<f32>; 2] {
        let outer = rows(outer, self.outputs);
        [product(outer, rows(weights, self.inputs)), product(outer.transpose(), rows(x, self.inputs))]
    }
}

fn rows(values: &[f32], width: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / width, width)
}

fn product(a: MatRef<'_, f32>, b: MatRef<'_, f32>) -> Vec<f32> {
    let mut out = vec![0.0; a.nrows() * b.ncols()];
    let to = MatMut::from_row_major_slice_mut(&mut out, a.nrows(), b.ncols());
    matmul(to, Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// Rows over their root mean square, times a gain for each column: `x` `[rows, dim]`, gains `[dim]`.
pub(super) struct RmsNorm {
    pub(super) dim: usize,
    pub(super) eps: f32,
}

impl RmsNorm {
    #[inline(always)]
    fn scale(&self, row: &[f32]) -> f32 {
        1.0 / (dot(row, row) / self.dim as f32 + self.eps).sqrt()
    }
}

impl Fused<2> for RmsNorm {
    const NAME: &'static str = "rms-norm";

    fn width(&self) -> usize {
        self.dim
    }

    #[inline(always)]
    fn forward(&self, [x, gains]: [&[f32]; 2]) -> Vec<f32> {
        let mut out = x.to_vec();
        for row in out.chunks_exact_mut(self.dim) {
            let scale = self.scale(row);
            for (x, gain) in row.iter_mut().zip(gains) {
                *x *= scale * gain;
            }
        }
        out
    }

    #[inline(always)]
    fn backward(&self, [x, gains]: [&[f32]; 2], outer: &[f32]) -> [Vec<f32>; 2] {
        let mut of_x = x.to_vec();
        let mut of_gains = vec![0.0; self.dim];
        let mut scaled = vec![0.0; self.dim];
        for (row, outer) in of_x.chunks_exact_mut(self.dim).zip(outer.chunks_exact(self.dim)) {
            let scale = self.scale(row);
            let each = row.iter().zip(outer).zip(gains).zip(&mut of_gains).zip(&mut scaled);
            for ((((x, outer), gain), of_gain), scaled) in each {
                *of_gain += outer * *x * scale;
                *scaled = outer * gain;
            }
            // The scale depends on every number of the row.
            let shared = dot(&scaled, row) * scale * scale * scale / self.dim as f32;
            for (x, scaled) in row.iter_mut().zip(&scaled) {
                *x = scaled * scale - *x * shared;
            }
        }
        [of_x, of_gains]
    }
}

/// `gate * sigmoid(gate) * up` (Shazeer, 2020), all `[rows, hidden]`.
pub(super) struct SwiGlu {
    pub(super) hidden: usize,
}

impl Fused<2> for SwiGlu {
    const NAME: &'static str = "swiglu";

    fn width(&self) -> usize {
        self.hidden
    }

    #[inline(always)]
    fn forward(&self, [gate, up]: [&[f32]; 2]) -> Vec<f32> {
        let mut out = vec![0.0; gate.len()];
        for ((gate, up), out) in gate.iter().zip(up).zip(&mut out) {
            *out = gate * sigmoid(*gate) * up;
        }
        out
    }

    #[inline(always)]
    fn backward(&self, [gate, up]: [&[f32]; 2], outer: &[f32]) -> [Vec<f32>; 2] {
        let (mut of_gate, mut of_up) = (vec![0.0; gate.len()], vec![0.0; up.len()]);
        let each = gate.iter().zip(up).zip(outer).zip(of_gate.iter_mut().zip(&mut of_up));
        for (((gate, up), outer), (of_gate, of_up)) in each {
            let sigmoid = sigmoid(*gate);
            *of_gate = outer * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
            *of_up = outer * gate * sigmoid;
        }
        [of_gate, of_up]
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `x + y * mask`, all `[rows, dim]`; no mask is one of ones.
pub(super) struct Residual {
    pub(super) dim: usize,
    pub(super) mask: Option<Vec<f32>>,
}

impl Residual {
    #[inline(always)]
    fn masked(&self, y: &[f32]) -> Vec<f32> {
        let mut masked = y.to_vec();
        for (y, mask) in masked.iter_mut().zip(self.mask.iter().flatten()) {
            *y *= mask;
        }
        masked
    }
}

impl Fused<2> for Residual {
    const NAME: &'static str = "residual";

    fn width(&self) -> usize {
        self.dim
    }

    #[inline(always)]
    fn forward(&self, [x, y]: [&[f32]; 2]) -> Vec<f32> {
        let mut out = self.masked(y);
        for (out, x) in out.iter_mut().zip(x) {
            *out += x;
        }
        out
    }

    #[inline(always)]
    fn backward(&self, _: [&[f32]; 2], outer: &[f32]) -> [Vec<f32>; 2] {
        [outer.to_vec(), self.masked(outer)]
    }
}

/// Causal attention over histories of `length` rows, with rotary positions: queries, keys and values
/// `[histories * length, heads * head_dim]`.
pub(super) struct Attention {
    pub(super) length: usize,
    pub(super) heads: usize,
    pub(super) head_dim: usize,
    /// By position, `[length x head_dim / 2]`.
    pub(super) cos: Vec<f32>,
    pub(super) sin: Vec<f32>,
}

/// One head of one history.
struct Head {
    /// Where its first row begins.
    at: usize,
    /// From a row to the next.
    stride: usize,
    width: usize,
}

impl Head {
    #[inline(always)]
    fn row<'a>(&self, values: &'a [f32], position: usize) -> &'a [f32] {
        &values[self.at + position * self.stride..][..self.width]
    }

    #[inline(always)]
    fn row_mut<'a>(&self, values: &'a mut [f32], position: usize) -> &'a mut [f32] {
        &mut values[self.at + position * self.stride..][..self.width]
    }
}

impl Attention {
    /// The heads of all histories in tensors of so many numbers.
    fn heads_of(&self, numbers: usize) -> impl Iterator<Item = Head> + use<> {
        let (heads, width, stride) = (self.heads, self.head_dim, self.heads * self.head_dim);
        let histories = numbers / (stride * self.length);
        let history = stride * self.length;
        (0..histories * heads).map(move |at| {
            let at = at / heads * history + at % heads * width;
            Head { at, stride, width }
        })
    }

    /// Turns the pairs of every head by its position's angles, or back.
    #[inline(always)]
    fn rotate(&self, x: &[f32], back: bool) -> Vec<f32> {
        let (half, sign) = (self.head_dim / 2, if back { -1.0 } else { 1.0 });
        let mut out = x.to_vec();
        for (row, x) in out.chunks_exact_mut(self.heads * self.head_dim).enumerate() {
            let angles = row % self.length * half..(row % self.length + 1) * half;
            let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
            for head in x.chunks_exact_mut(self.head_dim) {
                for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                    let ([a, b], sin) = (*pair, sin * sign);
                    *pair = [a * cos - b * sin, a * sin + b * cos];
                }
            }
        }
        out
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Shares that a position gives to itself and those before it; queries and keys are turned.
    #[inline(always)]
    fn shares(&self, head: &Head, queries: &[f32], keys: &[f32], position: usize, shares: &mut [f32]) {
        let query = head.row(queries, position);
        let mut largest = f32::NEG_INFINITY;
        for (at, share) in shares.iter_mut().enumerate() {
            *share = dot(query, head.row(keys, at)) * self.scale();
            largest = if *share > largest { *share } else { largest };
        }
        let mut sum = 0.0;
        for share in &mut *shares {
            *share = exp(*share - largest);
            sum += *share;
        }
        shares.iter_mut().for_each(|share| *share /= sum);
    }
}

impl Fused<3> for Attention {
    const NAME: &'static str = "attention";

    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    #[inline(always)]
    fn forward(&self, [queries, keys, values]: [&[f32]; 3]) -> Vec<f32> {
        let (queries, keys) = (self.rotate(queries, false), self.rotate(keys, false));
        let mut out = vec![0.0; values.len()];
        let mut shares = vec![0.0; self.length];
        for head in self.heads_of(values.len()) {
            for position in 0..self.length {
                let shares = &mut shares[..=position];
                self.shares(&head, &queries, &keys, position, shares);
                let out = head.row_mut(&mut out, position);
                for (at, share) in shares.iter().enumerate() {
                    add_scaled(out, *share, head.row(values, at));
                }
            }
        }
        out
    }

    #[inline(always)]
    fn backward(&self, [queries, keys, values]: [&[f32]; 3], outer: &[f32]) -> [Vec<f32>; 3] {
        let (queries, keys) = (self.rotate(queries, false), self.rotate(keys, false));
        let [mut of_queries, mut of_keys, mut of_values] = [(); 3].map(|()| vec![0.0; values.len()]);
        let (mut shares, mut slopes) = (vec![0.0; self.length], vec![0.0; self.length]);
        for head in self.heads_of(values.len()) {
            for position in 0..self.length {
                let (shares, slopes) = (&mut shares[..=position], &mut slopes[..=position]);
                // Made again: for the way back they would be the largest tensor there is.
                self.shares(&head, &queries, &keys, position, shares);
                let (query, outer) = (head.row(&queries, position), head.row(outer, position));
                let mut mean = 0.0;
                for (at, (share, slope)) in shares.iter().zip(&mut *slopes).enumerate() {
                    *slope = dot(outer, head.row(values, at));
                    mean += share * *slope;
                }
                for (at, (share, slope)) in shares.iter().zip(slopes).enumerate() {
                    let slope = share * (*slope - mean) * self.scale();
                    add_scaled(head.row_mut(&mut of_queries, position), slope, head.row(&keys, at));
                    add_scaled(head.row_mut(&mut of_keys, at), slope, query);
                    add_scaled(head.row_mut(&mut of_values, at), *share, outer);
                }
            }
        }
        [self.rotate(&of_queries, true), self.rotate(&of_keys, true), of_values]
    }
}

#[inline(always)]
fn add_scaled(sum: &mut [f32], factor: f32, row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}
