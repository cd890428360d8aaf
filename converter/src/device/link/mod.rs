//! The host's end of the line to a board: one code path for boards on a serial port and emulated ones.
//!
//! The protocol is `boards/link`'s. A request without an answer is asked again, after longer and longer pauses; a run
//! that a board's restart cut off is started anew.

pub mod port;
pub mod run;

use std::time::{Duration, Instant};

use dunlin_link::frame::{FRAME_MAX_BYTES, Receiver};
use dunlin_link::message::{self, DATA_MAX_BYTES, Problem};
use dunlin_link::{Origin, Refusal, Reply, Request, Transfer, VERSION};
use serde::Serialize;

use super::{Error, Result};
pub use port::Port;

/// How long the first answer to a request is waited for. Each further one may take twice as long, up to `LAST_WAIT`.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LAST_WAIT: Duration = Duration::from_secs(8);

/// How often a run or a transfer is begun again, after restarts of the board.
const N_TRIES: usize = 5;

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The name of its crate.
    pub board: String,
    /// Its processor core.
    pub core: String,
    /// How fast its clock ticks, in Hz.
    pub ticks_per_second: u32,
    /// Bytes of RAM for a model that is transferred.
    pub free_bytes: u32,
    /// Bytes of flash for a model that is to stay; 0 if the board has none.
    pub flash_bytes: u32,
    /// The model in use.
    pub model: Option<ModelIdentity>,
}

/// The model at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelIdentity {
    /// How its name begins.
    pub name: String,
    /// The checksum in its file.
    pub checksum: u32,
    /// Its file's length.
    pub file_bytes: u32,
    /// Its arena.
    pub arena_bytes: u32,
    /// Bytes of all inputs.
    pub input_bytes: u32,
    /// Bytes of all outputs.
    pub output_bytes: u32,
    /// How many steps it has.
    pub n_steps: u32,
    /// Where it lies: `Firmware`, `Stored` or `Ram`. One in RAM is lost when the board restarts.
    pub origin: Origin,
}

impl From<dunlin_link::Identity<'_>> for Identity {
    fn from(identity: dunlin_link::Identity) -> Identity {
        Identity {
            board: identity.board.to_owned(),
            core: identity.core.to_owned(),
            ticks_per_second: identity.ticks_per_second,
            free_bytes: identity.free_bytes,
            flash_bytes: identity.flash_bytes,
            model: identity.model.map(|model| ModelIdentity {
                name: model.name.to_owned(),
                checksum: model.checksum,
                file_bytes: model.file_bytes,
                arena_bytes: model.arena_bytes,
                input_bytes: model.input_bytes,
                output_bytes: model.output_bytes,
                n_steps: model.n_steps,
                origin: model.origin,
            }),
        }
    }
}

/// Where a model is transferred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Into RAM: it is lost when the board restarts.
    Ram,
    /// Into flash: it stays.
    Flash,
}

impl Update {
    fn origin(self) -> Origin {
        match self {
            Update::Ram => Origin::Ram,
            Update::Flash => Origin::Stored,
        }
    }
}

/// What a run made, and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The bytes of all outputs, in order.
    pub outputs: Vec<u8>,
    /// Of the whole run.
    pub ticks: u64,
    /// The run's number, for [`Client::step_ticks`].
    pub id: u32,
}

/// Why an answer is none: what the board says, or that it says nothing.
enum Failure {
    Refused(Refusal),
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

/// The host's end of a line.
pub struct Client<'p> {
    port: Box<dyn Port + 'p>,
    receiver: Receiver,
    seq: u32,
    transfer_id: u32,
    limit: Duration,
}

impl<'p> Client<'p> {
    /// Speaks over `port`; an answer may take up to `limit`.
    pub fn new(port: Box<dyn Port + 'p>, limit: Duration) -> Client<'p> {
        // Numbers that another host has used would be taken for its requests.
        let (seq, transfer_id) = (fastrand::u32(..), fastrand::u32(..));
        Client { port, receiver: Receiver::new(), seq, transfer_id, limit }
    }

    /// The port's name.
    pub fn port_name(&self) -> String {
        self.port.name()
    }

    /// Asks who is there.
    ///
    /// # Errors
    /// If nobody answers, or something else than Dunlin's firmware of this version.
    pub fn identify(&mut self) -> Result<Identity> {
        let reply = self.ask(&Request::Identify, |reply| match reply {
            Reply::Identity(identity) => Some(Identity::from(identity)),
            _ => None,
        });
        reply.map_err(|failure| self.error(failure))
    }

    /// Transfers the bytes of all inputs of one run to the board, whose model has this checksum, and runs it.
    ///
    /// # Errors
    /// If the board does not answer or cannot run it.
    pub fn run(&mut self, model_checksum: u32, inputs: &[u8]) -> Result<Ran> {
        self.again_after_restarts(|client| client.try_run(model_checksum, inputs))
    }

    /// Ticks of each step of the last run, which had the number `id`; `None` for steps that are not timed.
    ///
    /// # Errors
    /// If the board does not answer, or has restarted.
    pub fn step_ticks(&mut self, id: u32, n_steps: u32) -> Result<Vec<Option<u32>>> {
        let ask = |step| {
            self.ask(&Request::StepTicks { id, step }, |reply| match reply {
                Reply::Ticks(ticks) => Some(ticks),
                _ => None,
            })
        };
        let ticks: std::result::Result<Vec<_>, Failure> = (0..n_steps).map(ask).collect();
        ticks.map_err(|failure| self.error(failure))
    }

    /// Transfers a model, which the board then uses: from RAM until it restarts, from flash until it gets another.
    /// `progress` is told how many bytes are there.
    ///
    /// # Errors
    /// If the board does not answer, has no room, or refuses the model. It uses the one of before then.
    pub fn load(&mut self, file: &[u8], update: Update, progress: &mut dyn FnMut(usize)) -> Result<Identity> {
        let checksum = checksum(file);
        self.again_after_restarts(|client| client.try_load(file, update, progress)).or_else(|error| {
            match self.identify() {
                // The answer to the last request was lost, and the board has it.
                Ok(Identity { model: Some(model), .. })
                    if Some(model.checksum) == checksum && model.origin == update.origin() =>
                {
                    Ok(())
                }
                _ => Err(error),
            }
        })?;
        self.identify()
    }

    fn again_after_restarts<R>(
        &mut self,
        mut work: impl FnMut(&mut Client<'p>) -> std::result::Result<R, Failure>,
    ) -> Result<R> {
        let mut outcome = work(self);
        for _ in 1..N_TRIES {
            outcome = match outcome {
                // What was transferred is lost: the board has restarted, or serves another host, too.
                Err(Failure::Refused(
                    Refusal::OtherTransfer
                    | Refusal::WrongPart { .. }
                    | Refusal::Incomplete { .. }
                    | Refusal::NotRun
                    | Refusal::Again,
                )) => work(self),
                outcome => return outcome.map_err(|failure| self.error(failure)),
            };
        }
        outcome.map_err(|failure| self.error(failure))
    }

    fn try_run(&mut self, model: u32, inputs: &[u8]) -> std::result::Result<Ran, Failure> {
        let id = self.transfer(Transfer::Inputs { model }, inputs, &mut |_| {})?;
        let ticks = self.ask(&Request::Run { id }, |reply| match reply {
            Reply::Ran { ticks } => Some(ticks),
            _ => None,
        })?;
        let mut outputs = Vec::new();
        loop {
            let offset = outputs.len() as u32;
            let part = self.ask(&Request::Output { id, offset }, |reply| match reply {
                Reply::Output(bytes) => Some(bytes.to_vec()),
                _ => None,
            })?;
            match part.is_empty() {
                true => return Ok(Ran { outputs, ticks, id }),
                false => outputs.extend(part),
            }
        }
    }

    fn try_load(
        &mut self,
        file: &[u8],
        update: Update,
        progress: &mut dyn FnMut(usize),
    ) -> std::result::Result<(), Failure> {
        let n_bytes = u32::try_from(file.len())
            .map_err(|_| self.problem("a model of 4 GiB or more has no room anywhere".to_owned()))?;
        let what = match update {
            Update::Ram => Transfer::Model { n_bytes },
            Update::Flash => Transfer::Stored { n_bytes },
        };
        let id = self.transfer(what, file, progress)?;
        self.ask(&Request::Switch { id }, |reply| matches!(reply, Reply::Switched).then_some(()))
    }

    /// Sends bytes under a number of their own.
    fn transfer(
        &mut self,
        what: Transfer,
        bytes: &[u8],
        progress: &mut dyn FnMut(usize),
    ) -> std::result::Result<u32, Failure> {
        self.transfer_id = self.transfer_id.wrapping_add(1);
        let id = self.transfer_id;
        let received = |reply: Reply| match reply {
            Reply::Received { n_bytes } => Some(n_bytes),
            _ => None,
        };
        self.ask(&Request::Begin { id, what }, received)?;
        for (i, data) in bytes.chunks(DATA_MAX_BYTES).enumerate() {
            let offset = (i * DATA_MAX_BYTES) as u32;
            self.ask(&Request::Part { id, offset, data }, received)?;
            progress(offset as usize + data.len());
        }
        Ok(id)
    }

    /// Asks until the answer is there; `read` takes what it needs from it, or `None` if it is no answer to this.
    fn ask<R>(
        &mut self,
        request: &Request,
        read: impl Fn(Reply) -> Option<R>,
    ) -> std::result::Result<R, Failure> {
        self.seq = self.seq.wrapping_add(1);
        let mut frame = [0; FRAME_MAX_BYTES];
        let frame = message::encode(self.seq, request, &mut frame)
            .ok_or_else(|| self.problem("a request is longer than a packet".to_owned()))?;
        let (mut wait, mut waited) = (FIRST_WAIT, Duration::ZERO);
        while waited < self.limit {
            self.port.write(frame).map_err(|error| self.problem(format!("cannot be written: {error}")))?;
            if let Some(answer) = self.answer(wait, &read)? {
                return answer.map_err(Failure::Refused);
            }
            waited += wait;
            wait = (wait * 2).min(LAST_WAIT);
        }
        Err(Failure::Error(self.problem(format!(
            "no answer within {} s: is the board connected there and running Dunlin's firmware (`dunlin flash`)? Is \
             another program using the port?",
            waited.as_secs()
        ))))
    }

    /// The answer to the last request, if it comes in time.
    fn answer<R>(
        &mut self,
        wait: Duration,
        read: &impl Fn(Reply) -> Option<R>,
    ) -> Result<Option<std::result::Result<R, Refusal>>> {
        let end = Instant::now() + wait;
        let mut bytes = [0; 512];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let n_bytes = self
                .port
                .read(&mut bytes, left)
                .map_err(|error| self.problem(format!("cannot be read: {error}")))?;
            for &byte in &bytes[..n_bytes] {
                let Some(packet) = self.receiver.push(byte) else { continue };
                match message::decode::<Reply>(packet) {
                    Ok((seq, Reply::Refused(refusal))) if seq == self.seq => return Ok(Some(Err(refusal))),
                    Ok((seq, reply)) if seq == self.seq => {
                        if let Some(answer) = read(reply) {
                            return Ok(Some(Ok(answer)));
                        }
                    }
                    // A late answer to something that was asked again.
                    Ok(_) => {}
                    Err(Problem::Version(version)) => return Err(self.other_version(version)),
                    Err(Problem::Malformed) => {
                        return Err(self.problem("gives answers that this version does not know".to_owned()));
                    }
                }
            }
            if n_bytes == 0 || left.is_zero() {
                return Ok(None);
            }
        }
    }

    fn other_version(&self, version: u8) -> Error {
        self.problem(format!(
            "the firmware speaks version {version} of the protocol, and this program version {VERSION}: flash it again \
             with this program (`dunlin flash`)"
        ))
    }

    fn error(&self, failure: Failure) -> Error {
        match failure {
            Failure::Error(error) => error,
            Failure::Refused(refusal) => self.problem(explain(refusal)),
        }
    }

    fn problem(&self, problem: String) -> Error {
        Error::Link { port: self.port.name(), problem }
    }
}

/// The checksum in a `.dunlin` file.
fn checksum(file: &[u8]) -> Option<u32> {
    // Behind magic, version, rounding and fed; see runtime/FORMAT.md.
    file.get(8..12)?.try_into().ok().map(u32::from_le_bytes)
}

/// What a refusal means and what to do.
fn explain(refusal: Refusal) -> String {
    match refusal {
        Refusal::NoModel => {
            "the board has no model: `dunlin flash` one, or transfer it with --update".to_owned()
        }
        Refusal::Model(code) => format!(
            "the board's runtime refuses the model (error {code} of dunlin::Error{})",
            match code {
                code if code == dunlin::Error::OperatorMissing as u8 =>
                    ": its firmware holds only the operators of the model that it was flashed with",
                _ => "",
            }
        ),
        Refusal::OtherModel => {
            "the board does not run this model any more: it has restarted; transfer the model again"
                .to_owned()
        }
        Refusal::NoRoom { free_bytes } => format!(
            "the board has {free_bytes} bytes of RAM for a model and its arena, which are larger: `dunlin flash` puts \
             the model into flash"
        ),
        Refusal::NoRoomInFlash { flash_bytes: 0 } => {
            "the board keeps no flash for models: leave out `=flash` to transfer it into RAM, or `dunlin flash` it".to_owned()
        }
        Refusal::NoRoomInFlash { flash_bytes } => format!(
            "the board keeps {flash_bytes} bytes of flash for a model, and this one is larger: `dunlin flash` it"
        ),
        Refusal::FlashFailed => {
            "the board's flash does not take what is written; it still uses the model of before: try again; if it fails \
             again, the flash is worn out"
                .to_owned()
        }
        Refusal::Rows => {
            "the model takes one input by rows and others, too: it cannot be run over a line".to_owned()
        }
        Refusal::Unreadable | Refusal::NoSuchIndex => {
            "the board does not understand a request: flash it again with this program (`dunlin flash`)"
                .to_owned()
        }
        Refusal::OtherTransfer
        | Refusal::WrongPart { .. }
        | Refusal::Incomplete { .. }
        | Refusal::NotRun
        | Refusal::Again => format!(
            "the board lost what was transferred, {N_TRIES} times: it restarts, or another program uses the port"
        ),
    }
}
