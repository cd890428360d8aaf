//! Running and timing a model on a board at the other end of a line.

use std::process::Command;
use std::time::Duration;

use dunlin::Model;
use dunlin_link::Origin;
use serde::Serialize;

use super::super::{
    Error, Result,
    boards::{self, Board},
    emulator,
    firmware::{self, Line, Program},
    flash,
};
use super::{Client, Identity, Update, port};
use crate::report::ModelReport;
use crate::samples::{self, Samples};

/// The port that stands for the board's emulator.
pub const EMULATOR: &str = "emulator";

/// The port that stands for the line through the board's debug probe.
pub const RTT: &str = "rtt";

/// How long a board may take for an answer: the longest is a run.
const LIMIT: Duration = Duration::from_secs(120);

/// Where a board is, and what may be done with it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name, if the user says it; a board at a port can be asked.
    pub board: Option<String>,
    /// Its port; without one, the emulator of the board.
    pub port: Option<String>,
    /// Bits per second of a serial port.
    pub baud: u32,
    /// The debug probe, where there are several.
    pub probe: Option<String>,
    /// Transfer the model to there where the board has another one.
    pub update: Option<Update>,
}

/// A board that runs the model.
pub struct Connection {
    /// The line.
    pub client: Client<'static>,
    /// Who is there.
    pub identity: Identity,
    /// Whether it is an emulator of ours, whose clock counts instructions.
    pub emulated: bool,
}

/// What a board made of samples.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The bytes of all outputs of all runs.
    pub outputs: Vec<u8>,
    /// Ticks of each run.
    pub ticks: Vec<u64>,
}

/// How long a model takes on a board.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Who ran it, and what.
    pub identity: Identity,
    /// Where.
    pub port: String,
    /// Ticks of one inference: the fewest of all runs.
    pub ticks: u64,
    /// The same in microseconds; absent for an emulator, which has no time.
    pub microseconds: Option<f64>,
    /// In an emulator, the instructions of one inference, to the nearest tick.
    pub instructions: Option<u64>,
    /// The steps, in order.
    pub operators: Vec<StepTiming>,
}

/// How long a step takes.
#[derive(Clone, Debug, Serialize)]
pub struct StepTiming {
    /// Its number, from 0.
    pub index: usize,
    /// The operator.
    pub operator: String,
    /// Dimensions of its first output.
    pub output_shape: Vec<u32>,
    /// Multiply-accumulates; 0 for operators that are not counted in MACs.
    pub macs: u64,
    /// Ticks in one run; absent behind the steps that the board times one by one.
    pub ticks: Option<u32>,
}

/// Connects to the board of this place, and sees to it that it runs `model` (the bytes of its file are `file`). An
/// emulated board gets its firmware here; others have theirs from `dunlin flash`.
///
/// # Errors
/// If there is no such board or port, or the board runs another model and `update` is not allowed.
pub fn connect(place: &Place, file: &[u8], model: &Model) -> Result<Connection> {
    let board = match &place.board {
        Some(name) => {
            let boards = boards::discover(&super::super::home()?)?;
            Some(boards::find(&boards, name)?.clone())
        }
        None => None,
    };
    let port_name = match (&place.port, &board) {
        (Some(port), _) => port.as_str(),
        (None, Some(board)) if board.is_emulated() => EMULATOR,
        (None, board) => {
            let name = board.as_ref().map_or("the board", |board| &board.name);
            return Err(Error::Missing {
                what: format!("the port of {name}"),
                advice: "say where it is connected: --port /dev/ttyACM0, --port COM3, --port rtt, --port \
                         tcp:localhost:1234"
                    .into(),
            });
        }
    };
    let emulated = port_name == EMULATOR;
    let port: Box<dyn port::Port> = match (port_name, &board) {
        (EMULATOR, Some(board)) => Box::new(start_emulator(board, file, model)?),
        (RTT, Some(board)) => Box::new(start_probe(board, place.probe.as_deref())?),
        (EMULATOR | RTT, None) => {
            return Err(Error::Missing {
                what: "the board to emulate, or to reach through a probe".into(),
                advice: "name it with --board, such as --board cortex-m4 or --board microbit".into(),
            });
        }
        (name, _) => port::open(name, place.baud)?,
    };
    let mut client = Client::new(port, LIMIT);
    let identity = client.identify()?;
    let mut connection = Connection { client, identity, emulated };
    connection.check_board(board.as_ref())?;
    connection.see_to_model(file, model, place.update)?;
    Ok(connection)
}

/// Builds the firmware that serves the model over the board's UART, and starts it.
fn start_emulator(board: &Board, file: &[u8], model: &Model) -> Result<port::Program> {
    let home = super::super::home()?;
    let dir = super::super::baked::bake(&home, board, file, model)?;
    let firmware = firmware::build(&home, board, Program::Linked(&dir, Line::Serial), false)?;
    let mut command = emulator::command(board)?;
    command.args(["-serial", "stdio", "-kernel"]).arg(&firmware.path);
    port::Program::start(format!("the emulator of {}", board.name), &mut command)
}

/// Starts the program that carries the line over RTT.
fn start_probe(board: &Board, probe: Option<&str>) -> Result<port::Program> {
    if board.is_emulated() {
        return Err(Error::Missing {
            what: format!("a debug probe on {}", board.name),
            advice: "the board is emulated: leave --port out".into(),
        });
    }
    let mut command = Command::new(flash::program(&super::super::home()?)?);
    command.args(["line", "--chip", &board.chip]);
    if let Some(probe) = probe {
        command.args(["--probe", probe]);
    }
    port::Program::start(format!("the debug probe of {}", board.name), &mut command)
}

impl Connection {
    fn check_board(&self, board: Option<&Board>) -> Result<()> {
        match board {
            Some(board) if board.name != self.identity.board => Err(self.problem(format!(
                "the board there is {}, not {}: choose another --port, or leave --board out",
                self.identity.board, board.name
            ))),
            _ => Ok(()),
        }
    }

    fn see_to_model(&mut self, file: &[u8], model: &Model, update: Option<Update>) -> Result<()> {
        let checksum = model.header().checksum;
        let has =
            |identity: &Identity| identity.model.as_ref().is_some_and(|model| model.checksum == checksum);
        let is_to_stay = update == Some(Update::Flash);
        let stays = self.identity.model.as_ref().is_some_and(|model| model.origin != Origin::Ram);
        if has(&self.identity) && (stays || !is_to_stay) {
            return Ok(());
        }
        let Some(update) = update else {
            let other = match &self.identity.model {
                Some(other) => format!("the model {:?} (checksum {:08x})", other.name, other.checksum),
                None => "no model".to_owned(),
            };
            return Err(self.problem(format!(
                "{} runs {other}, not this one (checksum {checksum:08x}): `dunlin flash` it, or give --update to \
                 transfer it into RAM (--update=flash: to keep it)",
                self.identity.board
            )));
        };
        self.identity = self.client.load(file, update, &mut |_| {})?;
        match has(&self.identity) {
            true => Ok(()),
            false => {
                Err(self.problem("the board restarted while the model was transferred: try again".to_owned()))
            }
        }
    }

    fn problem(&self, problem: String) -> Error {
        Error::Link { port: self.client.port_name(), problem }
    }

    /// Runs all samples.
    ///
    /// # Errors
    /// If the board does not answer or restarts.
    pub fn run(&mut self, model: &Model, samples: &Samples) -> Result<Outcome> {
        let n_bytes = samples.bytes().len().checked_div(samples.len()).unwrap_or(0);
        let mut outcome = Outcome { outputs: Vec::new(), ticks: Vec::new() };
        for inputs in samples.bytes().chunks(n_bytes.max(1)) {
            let ran = self.client.run(model.header().checksum, inputs)?;
            outcome.outputs.extend(ran.outputs);
            outcome.ticks.push(ran.ticks);
        }
        Ok(outcome)
    }

    /// Times a run on one made-up sample, after it has given what it gives on this machine.
    ///
    /// # Errors
    /// As [`Connection::run`]; if the outputs differ from this machine's.
    pub fn time(&mut self, model: &Model) -> crate::Result<Timing> {
        let sample = Samples::random(model, 1, 0)?;
        let expected = samples::run(model, &sample)?;
        let ran = self.client.run(model.header().checksum, sample.bytes())?;
        if ran.outputs != expected {
            return Err(self.problem(DIFFERENT.to_owned()).into());
        }
        let step_ticks = self.client.step_ticks(ran.id, model.n_steps() as u32)?;
        let report = ModelReport::of(model)?;
        let operators = report.operators.iter().zip(step_ticks).map(|(step, ticks)| StepTiming {
            index: step.index,
            operator: step.operator.clone(),
            output_shape: step.output_shape.clone(),
            macs: step.macs,
            ticks,
        });
        let hz = f64::from(self.identity.ticks_per_second.max(1));
        Ok(Timing {
            operators: operators.collect(),
            port: self.client.port_name(),
            ticks: ran.ticks,
            microseconds: (!self.emulated).then(|| ran.ticks as f64 / hz * 1e6),
            // The emulator's time is one nanosecond an instruction.
            instructions: self.emulated.then(|| (ran.ticks as f64 / hz * 1e9) as u64),
            identity: self.identity.clone(),
        })
    }
}

/// A board that computes something else.
pub const DIFFERENT: &str =
    "the board and this machine compute different outputs: this is a bug in Dunlin, please report it";
