//! Running a model.

use crate::mem::{Memory, cast, cast_mut};
use crate::model::{Node, Port};
use crate::{Element, Entry, Error, Model, format};

/// A model with its arena: write the inputs, [`run`](Session::run), read the outputs.
///
/// Beside the arena it is one reference and one slice; a step in progress takes a little stack.
pub struct Session<'m, 'a> {
    model: &'m Model<'m>,
    arena: &'a mut [u8],
}

impl<'m, 'a> Session<'m, 'a> {
    /// A session of `model` in `arena`, whose contents are lost. State tensors start at zero.
    ///
    /// # Errors
    /// [`Error::ArenaTooSmall`] below [`Model::arena_bytes`]; [`Error::Alignment`] if it does not start at a
    /// multiple of 16 (an [`Arena`](crate::Arena) does).
    pub fn new(model: &'m Model<'m>, arena: &'a mut [u8]) -> Result<Session<'m, 'a>, Error> {
        let arena = arena.get_mut(..model.arena_bytes()).ok_or(Error::ArenaTooSmall)?;
        if !(arena.as_ptr() as usize).is_multiple_of(format::ALIGN) {
            return Err(Error::Alignment);
        }
        arena.fill(0);
        Ok(Session { model, arena })
    }

    /// The model that runs.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Input `i`, to fill before each run: a run may reuse its bytes.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`].
    pub fn input(&mut self, i: usize) -> Result<Input<'_>, Error> {
        let port = self.model.input(i)?;
        let bytes =
            self.arena.get_mut(port.offset..port.offset + port.ty.bytes()).ok_or(Error::NoSuchTensor)?;
        Ok(Input { port, bytes })
    }

    /// The bytes of input `i`; see [`Session::input`].
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`].
    pub fn input_bytes_mut(&mut self, i: usize) -> Result<&mut [u8], Error> {
        Ok(self.input(i)?.bytes)
    }

    /// Runs every step.
    pub fn run(&mut self) -> &mut Self {
        self.run_each(|step| step.run())
    }

    /// Runs the steps one by one in the hands of `each`, which must call [`Step::run`] on every one: a place to
    /// count, to time, or to look at what an operator made.
    pub fn run_each(&mut self, mut each: impl FnMut(&mut Step)) -> &mut Self {
        for node in self.model.steps() {
            // The check has found an operator for every step.
            if let Ok(entry) = self.model.entry(&node) {
                each(&mut Step { node, entry, arena: self.arena, constants: self.model.constants() });
            }
        }
        self
    }

    /// Output `i` of the last run, as its elements in row-major order.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::WrongDType`] if its elements are not `T`.
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
    /// [`Error::NoSuchTensor`].
    pub fn output_bytes(&self, i: usize) -> Result<&[u8], Error> {
        self.bytes(&self.model.output(i)?)
    }

    /// The arena, as the last step left it: for tools that look at intermediate tensors or write state.
    pub fn arena_mut(&mut self) -> &mut [u8] {
        self.arena
    }

    fn bytes(&self, port: &Port) -> Result<&[u8], Error> {
        self.arena.get(port.offset..port.offset + port.ty.bytes()).ok_or(Error::NoSuchTensor)
    }
}

/// A step about to run, or just run.
pub struct Step<'m, 's> {
    node: Node<'m>,
    entry: &'m Entry,
    arena: &'s mut [u8],
    constants: &'m [u8],
}

impl<'m> Step<'m, '_> {
    /// Operator and tensors.
    pub fn node(&self) -> &Node<'m> {
        &self.node
    }

    /// Computes the outputs.
    pub fn run(&mut self) {
        (self.entry.run)(&self.node, &Memory::new(self.arena, self.constants), None);
    }

    /// The bytes of output `i`, once it is computed. Empty if there is no such output.
    pub fn output_bytes(&self, i: usize) -> &[u8] {
        let output = self.node.output(i);
        let end = output.offset().wrapping_add(output.ty.bytes());
        self.arena.get(output.offset()..end).unwrap_or_default()
    }
}

/// An input to fill.
pub struct Input<'s> {
    port: Port,
    bytes: &'s mut [u8],
}

impl<'s> Input<'s> {
    /// Dtype, shape and quantization.
    pub fn port(&self) -> &Port {
        &self.port
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
        if self.port.ty.dtype != T::DTYPE {
            return Err(Error::WrongDType);
        }
        cast_mut(self.bytes).ok_or(Error::Alignment)
    }
}
