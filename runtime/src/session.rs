//! Running a model.

use core::ops::Range;

use crate::mem::{Parts, cast, cast_mut};
use crate::model::{Node, Port};
use crate::{DType, Element, Entry, Error, Model, format};

/// A model with its arena: write the inputs, [`run`](Session::run), read the outputs. A model whose input
/// arrives by rows takes them one after another with [`feed_row`](Session::feed_row) instead.
///
/// Beside the arena it is a reference, a slice and a number; a step in progress takes a little stack.
pub struct Session<'m, 'a> {
    model: &'m Model<'m>,
    arena: Parts<'a>,
    /// The call that is next, if the input arrives by rows.
    next_call: usize,
}

impl<'m, 'a> Session<'m, 'a> {
    /// A session of `model` in `arena`, whose contents are lost. State tensors start at zero.
    ///
    /// # Errors
    /// [`Error::ArenaTooSmall`] below [`Model::arena_bytes`]; [`Error::Alignment`] if it does not start at a
    /// multiple of 16 (an [`Arena`](crate::Arena) does).
    pub fn new(model: &'m Model<'m>, arena: &'a mut [u8]) -> Result<Session<'m, 'a>, Error> {
        Ok(Session::start(model, Parts::one(memory(arena, model.arena_bytes())?)))
    }

    /// A session of a `model` that is planned for several memories, each given where it is: `memories` in the order of
    /// the plan, at least as long as [`Model::memories`] says. (In one arena it runs as well: see [`Session::new`].)
    ///
    /// # Errors
    /// [`Error::Memories`] if there are more or fewer than in the plan; else as [`Session::new`].
    #[cfg(feature = "memories")]
    pub fn in_memories<const N: usize>(
        model: &'m Model<'m>,
        memories: [&'a mut [u8]; N],
    ) -> Result<Session<'m, 'a>, Error> {
        if model.memories().count() != N {
            return Err(Error::Memories);
        }
        let mut others = [0; format::MAX_MEMORIES - 1].map(|_| (usize::MAX, &mut [][..]));
        let mut given = memories.into_iter().zip(model.memories());
        let Some((first, range)) = given.next() else { return Err(Error::Memories) };
        let first = memory(first, range.len())?;
        for (other, (bytes, range)) in others.iter_mut().zip(given) {
            *other = (range.start, memory(bytes, range.len())?);
        }
        // Looked for from the end: what is not used stands behind what is, and begins nowhere.
        Ok(Session::start(model, Parts::several(first, others)))
    }

    fn start(model: &'m Model<'m>, mut arena: Parts<'a>) -> Session<'m, 'a> {
        arena.clear();
        Session { model, arena, next_call: 0 }
    }

    /// The model that runs.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Input `i`, to fill before each run: a run may reuse its bytes.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::Rows`] if it arrives by rows.
    pub fn input(&mut self, i: usize) -> Result<Input<'_>, Error> {
        let port = self.model.input(i)?;
        if self.model.fed_input() == Some(i) {
            return Err(Error::Rows);
        }
        let bytes =
            self.arena.get_mut(port.offset..port.offset + port.ty.bytes()).ok_or(Error::NoSuchTensor)?;
        Ok(Input { dtype: port.ty.dtype, bytes })
    }

    /// The bytes of input `i`; see [`Session::input`].
    ///
    /// # Errors
    /// As [`Session::input`].
    pub fn input_bytes_mut(&mut self, i: usize) -> Result<&mut [u8], Error> {
        Ok(self.input(i)?.bytes)
    }

    /// Runs every step. A model whose input arrives by rows does nothing here; see [`Session::feed_row`].
    pub fn run(&mut self) -> &mut Self {
        self.run_each(|step| step.run())
    }

    /// Runs the calls one by one in the hands of `each`, which must call [`Step::run`] on every one: a place to
    /// count, to time, or to look at what an operator made.
    pub fn run_each(&mut self, each: impl FnMut(&mut Step)) -> &mut Self {
        if self.model.fed_input().is_none() {
            self.run_calls(0, each);
        }
        self
    }

    /// Hands over the next row of the input that arrives by rows, `[w, c]` of an image `[h, w, c]`, and computes
    /// all that can be computed with it. True if it was the last one: the outputs are there, and the next row is
    /// the first of the next image. Other inputs must be filled before the first row.
    ///
    /// # Errors
    /// [`Error::Rows`] if no input arrives by rows, [`Error::WrongDType`] or [`Error::WrongLength`] if the row is
    /// none of it. Nothing is computed then.
    pub fn feed_row<T: Element>(&mut self, row: &[T]) -> Result<bool, Error> {
        self.next_row()?.copy_from(row)?;
        self.row_done()
    }

    /// Where the next row belongs, for those who can write it there without a copy, such as a camera's DMA. Then
    /// call [`Session::row_done`].
    ///
    /// # Errors
    /// [`Error::Rows`] if no input arrives by rows.
    pub fn next_row(&mut self) -> Result<Input<'_>, Error> {
        self.next_row_each(|step| step.run())
    }

    /// [`Session::next_row`] with the calls that come before the first row, if there are any, in the hands of `each`;
    /// see [`Session::run_each`].
    ///
    /// # Errors
    /// As [`Session::next_row`].
    pub fn next_row_each(&mut self, each: impl FnMut(&mut Step)) -> Result<Input<'_>, Error> {
        let model = self.model;
        let fed = model.fed_input().ok_or(Error::Rows)?;
        if self.next_call == model.n_calls() {
            self.next_call = 0;
        }
        if model.call(self.next_call)?.step as usize != model.n_steps() {
            self.run_calls(self.next_call, each);
        }
        let y = model.call(self.next_call)?.first as usize;
        let dtype = model.input(fed)?.ty.dtype;
        let bytes = self
            .arena
            .get_mut(model.tensor_row(model.port(fed)?.tensor as usize, y)?)
            .ok_or(Error::NoSuchTensor)?;
        Ok(Input { dtype, bytes })
    }

    /// Forgets the rows of an image that did not arrive whole: the next row is the first one again.
    pub fn restart(&mut self) {
        self.next_call = 0;
    }

    /// Computes with the row that has been written to [`Session::next_row`]; see [`Session::feed_row`].
    ///
    /// # Errors
    /// As [`Session::next_row`].
    pub fn row_done(&mut self) -> Result<bool, Error> {
        self.row_done_each(|step| step.run())
    }

    /// [`Session::row_done`] with the calls in the hands of `each`; see [`Session::run_each`].
    ///
    /// # Errors
    /// As [`Session::next_row`].
    pub fn row_done_each(&mut self, mut each: impl FnMut(&mut Step)) -> Result<bool, Error> {
        self.next_row_each(&mut each)?;
        self.run_calls(self.next_call + 1, each);
        Ok(self.next_call == self.model.n_calls())
    }

    /// Runs calls from `first` on, to the next row that must arrive or to the end.
    fn run_calls(&mut self, first: usize, mut each: impl FnMut(&mut Step)) {
        let model = self.model;
        self.next_call = first;
        while let Ok(call) = model.call(self.next_call)
            && self.next_call < model.n_calls()
            // The check has found a step and an operator for every call but those of rows that arrive.
            && let Ok(node) = model.step(call.step as usize)
            && let Ok(entry) = model.entry(&node)
        {
            let rows = node.rows(call);
            let index = call.step as usize;
            let arena = self.arena.reborrow();
            each(&mut Step { index, rows, node, entry, arena, constants: model.constants() });
            self.next_call += 1;
        }
    }

    /// Output `i` of the last run, as its elements in row-major order.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::WrongDType`] if its elements are not `T`; [`Error::Rows`] while rows of
    /// the input are missing.
    pub fn output<T: Element>(&self, i: usize) -> Result<&[T], Error> {
        let port = self.model.output(i)?;
        if port.ty.dtype != T::DTYPE {
            return Err(Error::WrongDType);
        }
        cast(self.bytes(&port)?).ok_or(Error::Alignment)
    }

    /// The bytes of output `i` of the last run.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::Rows`] while rows of the input are missing.
    pub fn output_bytes(&self, i: usize) -> Result<&[u8], Error> {
        self.bytes(&self.model.output(i)?)
    }

    /// The arena, as the last step left it: for tools that look at intermediate tensors or write state. Of memories that
    /// are apart it is the first.
    pub fn arena_mut(&mut self) -> &mut [u8] {
        self.arena.first_mut()
    }

    fn bytes(&self, port: &Port) -> Result<&[u8], Error> {
        if self.model.fed_input().is_some() && self.next_call != self.model.n_calls() {
            return Err(Error::Rows);
        }
        self.arena.get(port.offset..port.offset + port.ty.bytes()).ok_or(Error::NoSuchTensor)
    }
}

/// The first bytes of a memory; an error if it is shorter or starts where kernels cannot work.
fn memory(bytes: &mut [u8], n_bytes: usize) -> Result<&mut [u8], Error> {
    let bytes = bytes.get_mut(..n_bytes).ok_or(Error::ArenaTooSmall)?;
    if (bytes.as_ptr() as usize).is_multiple_of(format::ALIGN) { Ok(bytes) } else { Err(Error::Alignment) }
}

/// A step about to run, or just run: all of it, or some of its rows.
pub struct Step<'m, 's> {
    index: usize,
    rows: Range<usize>,
    node: Node<'m>,
    entry: &'m Entry,
    arena: Parts<'s>,
    constants: &'m [u8],
}

impl<'m> Step<'m, '_> {
    /// Which step it is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The rows: of the first output, or of the first input if the step is a reduction.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Operator and tensors.
    pub fn node(&self) -> &Node<'m> {
        &self.node
    }

    /// The arena: for tools that look at what is in it between steps. Of memories that are apart it is the first.
    pub fn arena_mut(&mut self) -> &mut [u8] {
        self.arena.first_mut()
    }

    /// Computes the rows.
    pub fn run(&mut self) {
        (self.entry.run)(&self.node, &self.arena.memory(self.constants), self.rows.clone());
    }

    /// The bytes of output `i`, once it is computed. Empty if there is no such output, or if its rows do not
    /// follow each other.
    pub fn output_bytes(&self, i: usize) -> &[u8] {
        let output = self.node.output(i);
        let end = output.offset().wrapping_add(output.ty.bytes());
        let bytes = self.arena.get(output.offset()..end).filter(|_| output.is_contiguous());
        bytes.unwrap_or_default()
    }
}

/// An input, or a row of it, to fill.
pub struct Input<'s> {
    dtype: DType,
    bytes: &'s mut [u8],
}

impl<'s> Input<'s> {
    /// The bytes.
    pub fn bytes_mut(self) -> &'s mut [u8] {
        self.bytes
    }

    /// Copies all elements, in row-major order.
    ///
    /// # Errors
    /// [`Error::WrongDType`] if the input's elements are not `T`, [`Error::WrongLength`] if there are not as
    /// many. Nothing is copied then.
    pub fn copy_from<T: Element>(self, elements: &[T]) -> Result<(), Error> {
        let input = self.elements::<T>()?;
        if input.len() != elements.len() {
            return Err(Error::WrongLength);
        }
        for (to, from) in input.iter_mut().zip(elements) {
            *to = *from;
        }
        Ok(())
    }

    /// The elements, to be written where they stand.
    ///
    /// # Errors
    /// [`Error::WrongDType`] if they are not `T`.
    pub fn elements<T: Element>(self) -> Result<&'s mut [T], Error> {
        if self.dtype != T::DTYPE {
            return Err(Error::WrongDType);
        }
        cast_mut(self.bytes).ok_or(Error::Alignment)
    }
}
