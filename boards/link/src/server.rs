//! The board's end: requests in, answers out, one byte at a time.

use dunlin::{Model, Session};

use crate::frame::{FRAME_MAX_BYTES, Receiver};
use crate::message::{
    self, DATA_MAX_BYTES, Identity, ModelIdentity, Origin, PortType, Problem, Refusal, Reply, Request,
    Transfer,
};
use crate::slots::{self, RECORD_BYTES, Slot};

/// Steps that are timed one by one. Those behind them are part of the whole only.
const N_TIMED_STEPS: usize = 96;

/// A clock that never goes back.
pub trait Clock {
    /// How fast it ticks, in Hz.
    fn ticks_per_second(&self) -> u32;
    /// Ticks since some time in the past.
    fn ticks(&mut self) -> u64;
}

/// Who the board is.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// The name of its crate without `qemu-`.
    pub name: &'static str,
    /// Its processor core.
    pub core: &'static str,
}

/// What only the owner of the memory can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The store begins with a whole model of this length: it is to be used, or to be refused by a call of
    /// [`answer`].
    Switch {
        /// The request's sequence number.
        seq: u32,
        /// The model's length.
        n_bytes: usize,
        /// It is not in the store but in the spare slot.
        stored: bool,
    },
    /// The model in RAM is to be dropped: there is to be room for another one.
    Unload,
}

/// A transfer, and what became of it.
#[derive(Clone, Copy)]
struct Progress {
    id: u32,
    what: Transfer,
    received_bytes: usize,
    /// Ticks of the run, once it is done; before that, of the rows that have arrived.
    ticks: u64,
    done: bool,
}

/// Where models that are transferred go.
pub struct Memory<'s> {
    /// RAM; empty while there is a model in it.
    pub store: &'s mut [u8],
    /// Flash that is not in use.
    pub spare: Option<&'s mut dyn Slot>,
}

/// Serves one model, or none.
pub struct Server<'s, 'm, 'a> {
    receiver: Receiver,
    state: State<'s, 'm, 'a>,
}

struct State<'s, 'm, 'a> {
    board: Board,
    clock: &'s mut dyn Clock,
    /// The model's session, or why there is none.
    session: Result<&'s mut Session<'m, 'a>, Refusal>,
    memory: Memory<'s>,
    origin: Origin,
    progress: Option<Progress>,
    step_ticks: [u32; N_TIMED_STEPS],
}

impl<'s, 'm, 'a> Server<'s, 'm, 'a> {
    /// Serves `session`, whose model is from `origin`, or says why there is none; models are transferred into `memory`.
    pub fn new(
        board: Board,
        clock: &'s mut dyn Clock,
        session: Result<&'s mut Session<'m, 'a>, Refusal>,
        memory: Memory<'s>,
        origin: Origin,
    ) -> Self {
        let step_ticks = [0; N_TIMED_STEPS];
        let state = State { board, clock, session, memory, origin, progress: None, step_ticks };
        Server { receiver: Receiver::new(), state }
    }

    /// Takes a byte from the line, and answers with `send` the request that it completes, if there is one.
    pub fn push(&mut self, byte: u8, send: &mut dyn FnMut(&[u8])) -> Option<Event> {
        let packet = self.receiver.push(byte)?;
        self.state.packet(packet, send)
    }
}

/// Answers a request.
// Its buffers are on the stack for no longer than it runs, which inlined they would be.
#[inline(never)]
pub fn answer(seq: u32, reply: &Reply, send: &mut dyn FnMut(&[u8])) {
    let mut frame = [0; FRAME_MAX_BYTES];
    // All replies fit; see the tests of `message`.
    if let Some(bytes) = message::encode(seq, reply, &mut frame) {
        send(bytes);
    }
}

impl<'m, 'a> State<'_, 'm, 'a> {
    fn packet(&mut self, packet: &[u8], send: &mut dyn FnMut(&[u8])) -> Option<Event> {
        let (seq, request) = match message::decode::<Request>(packet) {
            Ok(message) => message,
            // The answer's version tells the host what it needs to know.
            Err(Problem::Version(_) | Problem::Malformed) => {
                answer(0, &Reply::Refused(Refusal::Unreadable), send);
                return None;
            }
        };
        if let Request::Output { id, offset } = request {
            let reply = self.output(id, offset as usize).map_or_else(Reply::Refused, Reply::Output);
            answer(seq, &reply, send);
            return None;
        }
        let reply = match request {
            Request::Identify => Ok(Reply::Identity(self.identity())),
            Request::Port { output, index } => self.port(output, index as usize),
            Request::Begin { what: Transfer::Model { .. } | Transfer::Stored { .. }, .. }
                if self.origin == Origin::Ram =>
            {
                answer(seq, &Reply::Refused(Refusal::Again), send);
                return Some(Event::Unload);
            }
            Request::Begin { id, what } => self.begin(id, what),
            Request::Part { id, offset, data } => self.part(id, offset as usize, data),
            Request::Run { id } => self.run(id),
            Request::StepTicks { id, step } => self.ticks_of(id, step as usize),
            Request::Switch { id } => match self.switch(id) {
                Ok((n_bytes, stored)) => return Some(Event::Switch { seq, n_bytes, stored }),
                Err(refusal) => Err(refusal),
            },
            Request::Output { .. } => return None,
        };
        answer(seq, &reply.unwrap_or_else(Reply::Refused), send);
        None
    }

    fn identity(&self) -> Identity<'m> {
        let model = match &self.session {
            Ok(session) => Some(identity_of(session.model(), self.origin)),
            Err(_) => None,
        };
        Identity {
            board: self.board.name,
            core: self.board.core,
            ticks_per_second: self.clock.ticks_per_second(),
            free_bytes: self.memory.store.len() as u32,
            flash_bytes: self.flash_bytes() as u32,
            model,
        }
    }

    /// What the spare slot could hold.
    fn flash_bytes(&self) -> usize {
        self.memory.spare.as_deref().map_or(0, slots::capacity)
    }

    fn port(&self, output: bool, index: usize) -> Result<Reply<'static>, Refusal> {
        let model = self.session.as_ref().map_err(|refusal| *refusal)?.model();
        let port = if output { model.output(index) } else { model.input(index) };
        let port = port.map_err(|_| Refusal::NoSuchIndex)?;
        let mut dims = [1; 4];
        let shape = port.ty.shape.dims();
        dims.iter_mut().zip(shape).for_each(|(to, from)| *to = *from);
        Ok(Reply::Port(PortType {
            dtype: port.ty.dtype as u8,
            rank: shape.len() as u8,
            dims,
            scale: port.scale,
            zero_point: port.zero_point,
        }))
    }

    fn begin(&mut self, id: u32, what: Transfer) -> Result<Reply<'static>, Refusal> {
        if let Some(progress) = &self.progress
            && (progress.id, progress.what) == (id, what)
        {
            return Ok(Reply::Received { n_bytes: progress.received_bytes as u32 });
        }
        match what {
            Transfer::Model { n_bytes } if n_bytes as usize > self.memory.store.len() => {
                return Err(Refusal::NoRoom { free_bytes: self.memory.store.len() as u32 });
            }
            Transfer::Stored { n_bytes } if n_bytes as usize > self.flash_bytes() => {
                return Err(Refusal::NoRoomInFlash { flash_bytes: self.flash_bytes() as u32 });
            }
            Transfer::Model { .. } | Transfer::Stored { .. } => {}
            Transfer::Inputs { model } => {
                let session = self.session.as_mut().map_err(|refusal| *refusal)?;
                if session.model().header().checksum != model {
                    return Err(Refusal::OtherModel);
                }
                if session.model().fed_input().is_some() && session.model().n_inputs() > 1 {
                    return Err(Refusal::Rows);
                }
                session.restart();
            }
        }
        self.step_ticks.fill(0);
        self.progress = Some(Progress { id, what, received_bytes: 0, ticks: 0, done: false });
        Ok(Reply::Received { n_bytes: 0 })
    }

    fn part(&mut self, id: u32, offset: usize, data: &[u8]) -> Result<Reply<'static>, Refusal> {
        let mut progress = self.progress(id)?;
        let received_bytes = progress.received_bytes;
        let reply = |n_bytes: usize| Ok(Reply::Received { n_bytes: n_bytes as u32 });
        let end = offset.saturating_add(data.len());
        if end <= received_bytes {
            return reply(received_bytes);
        }
        if offset != received_bytes || end > self.transfer_bytes(progress.what)? {
            return Err(Refusal::WrongPart { received_bytes: received_bytes as u32 });
        }
        match progress.what {
            Transfer::Model { .. } => {
                let place = self.memory.store.get_mut(offset..end);
                place.ok_or(Refusal::NoRoom { free_bytes: 0 })?.copy_from_slice(data);
            }
            Transfer::Stored { .. } => {
                if !offset.is_multiple_of(RECORD_BYTES) {
                    return Err(Refusal::WrongPart { received_bytes: received_bytes as u32 });
                }
                let spare = self.memory.spare.as_deref_mut();
                let spare = spare.ok_or(Refusal::NoRoomInFlash { flash_bytes: 0 })?;
                slots::write(spare, offset, data).map_err(|slots::Failed| Refusal::FlashFailed)?;
            }
            Transfer::Inputs { .. } => {
                let session = self.session.as_mut().map_err(|refusal| *refusal)?;
                let mut timer = Timer { clock: self.clock, step_ticks: &mut self.step_ticks };
                progress.ticks += write_inputs(session, offset, data, &mut timer).map_err(refused)?;
            }
        }
        progress.received_bytes = end;
        self.progress = Some(progress);
        reply(end)
    }

    fn run(&mut self, id: u32) -> Result<Reply<'static>, Refusal> {
        let mut progress = self.complete(id)?;
        if let Transfer::Model { .. } | Transfer::Stored { .. } = progress.what {
            return Err(Refusal::OtherTransfer);
        }
        if !progress.done {
            let session = self.session.as_mut().map_err(|refusal| *refusal)?;
            // A model that takes its input by rows has run by now.
            if session.model().fed_input().is_none() {
                let mut timer = Timer { clock: self.clock, step_ticks: &mut self.step_ticks };
                progress.ticks = timer.time(|timer| {
                    session.run_each(|step| timer.step(step));
                });
            }
            progress.done = true;
            self.progress = Some(progress);
        }
        Ok(Reply::Ran { ticks: progress.ticks })
    }

    fn output(&self, id: u32, offset: usize) -> Result<&[u8], Refusal> {
        let session = self.ran(id)?;
        let mut start = offset;
        for i in 0..session.model().n_outputs() {
            let bytes = session.output_bytes(i).map_err(refused)?;
            if let Some(part) = bytes.get(start..).filter(|part| !part.is_empty()) {
                return Ok(part.get(..DATA_MAX_BYTES).unwrap_or(part));
            }
            start = start.saturating_sub(bytes.len());
        }
        Ok(&[])
    }

    fn ticks_of(&self, id: u32, step: usize) -> Result<Reply<'static>, Refusal> {
        match self.ran(id)?.model().n_steps() {
            n if step < n => Ok(Reply::Ticks(self.step_ticks.get(step).copied())),
            _ => Err(Refusal::NoSuchIndex),
        }
    }

    /// The length of the model that was transferred, and whether it lies in flash.
    fn switch(&self, id: u32) -> Result<(usize, bool), Refusal> {
        match self.complete(id)?.what {
            Transfer::Model { n_bytes } => Ok((n_bytes as usize, false)),
            Transfer::Stored { n_bytes } => Ok((n_bytes as usize, true)),
            Transfer::Inputs { .. } => Err(Refusal::OtherTransfer),
        }
    }

    /// The session, if this is its last run.
    fn ran(&self, id: u32) -> Result<&Session<'m, 'a>, Refusal> {
        if !self.progress(id)?.done {
            return Err(Refusal::NotRun);
        }
        self.session.as_deref().map_err(|refusal| *refusal)
    }

    fn progress(&self, id: u32) -> Result<Progress, Refusal> {
        self.progress.filter(|progress| progress.id == id).ok_or(Refusal::OtherTransfer)
    }

    fn complete(&self, id: u32) -> Result<Progress, Refusal> {
        let progress = self.progress(id)?;
        match progress.received_bytes == self.transfer_bytes(progress.what)? {
            true => Ok(progress),
            false => Err(Refusal::Incomplete { received_bytes: progress.received_bytes as u32 }),
        }
    }

    fn transfer_bytes(&self, what: Transfer) -> Result<usize, Refusal> {
        match what {
            Transfer::Model { n_bytes } | Transfer::Stored { n_bytes } => Ok(n_bytes as usize),
            Transfer::Inputs { .. } => {
                let model = self.session.as_ref().map_err(|refusal| *refusal)?.model();
                Ok((0..model.n_inputs())
                    .filter_map(|i| model.input(i).ok())
                    .map(|port| port.ty.bytes())
                    .sum())
            }
        }
    }
}

/// Times steps.
struct Timer<'t> {
    clock: &'t mut dyn Clock,
    step_ticks: &'t mut [u32; N_TIMED_STEPS],
}

impl Timer<'_> {
    fn time(&mut self, work: impl FnOnce(&mut Self)) -> u64 {
        let start = self.clock.ticks();
        work(self);
        self.clock.ticks().saturating_sub(start)
    }

    fn step(&mut self, step: &mut dunlin::session::Step) {
        let ticks = self.time(|_| step.run());
        if let Some(sum) = self.step_ticks.get_mut(step.index()) {
            *sum = sum.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
        }
    }
}

/// Writes bytes of all inputs, in order, from `offset` on. Of an input that arrives by rows, each row that becomes
/// complete is computed with; the ticks of that.
fn write_inputs(
    session: &mut Session,
    mut offset: usize,
    mut data: &[u8],
    timer: &mut Timer,
) -> Result<u64, dunlin::Error> {
    let mut ticks = 0;
    if session.model().fed_input().is_some() {
        while !data.is_empty() {
            // The first row may have calls before it.
            let start = timer.clock.ticks();
            let row = session.next_row_each(|step| timer.step(step))?.bytes_mut();
            ticks += timer.clock.ticks().saturating_sub(start);
            let at = offset.checked_rem(row.len()).unwrap_or(0);
            let n_bytes = data.len().min(row.len() - at);
            let (now, later) = data.split_at_checked(n_bytes).ok_or(dunlin::Error::WrongLength)?;
            row.get_mut(at..at + n_bytes).ok_or(dunlin::Error::WrongLength)?.copy_from_slice(now);
            let row_is_complete = at + n_bytes == row.len();
            (offset, data) = (offset + n_bytes, later);
            if row_is_complete {
                let mut done = Ok(false);
                ticks += timer.time(|timer| done = session.row_done_each(|step| timer.step(step)));
                done?;
            }
        }
        return Ok(ticks);
    }
    for i in 0..session.model().n_inputs() {
        let bytes = session.input_bytes_mut(i)?;
        let input_bytes = bytes.len();
        if let Some(place) = bytes.get_mut(offset..) {
            let n_bytes = data.len().min(place.len());
            let (now, later) = data.split_at_checked(n_bytes).ok_or(dunlin::Error::WrongLength)?;
            place.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            (offset, data) = (offset + n_bytes, later);
        }
        offset = offset.saturating_sub(input_bytes);
    }
    Ok(ticks)
}

fn identity_of<'m>(model: &Model<'m>, origin: Origin) -> ModelIdentity<'m> {
    let header = model.header();
    let bytes = |ports: usize, port: fn(&Model, usize) -> Result<dunlin::model::Port, dunlin::Error>| {
        (0..ports).filter_map(|i| port(model, i).ok()).map(|port| port.ty.bytes() as u32).sum()
    };
    ModelIdentity {
        name: message::cut(model.names().next().unwrap_or_default()),
        checksum: header.checksum,
        file_bytes: header.file_bytes,
        arena_bytes: header.arena_bytes,
        input_bytes: bytes(model.n_inputs(), |model, i| model.input(i)),
        output_bytes: bytes(model.n_outputs(), |model, i| model.output(i)),
        n_inputs: model.n_inputs() as u32,
        n_outputs: model.n_outputs() as u32,
        n_steps: model.n_steps() as u32,
        origin,
    }
}

fn refused(error: dunlin::Error) -> Refusal {
    Refusal::Model(error as u8)
}
