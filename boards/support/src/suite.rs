//! The firmware that runs whatever models the host sends, with all operators.
//!
//! Its input is a sequence of cases, all numbers 4 bytes and little-endian:
//!
//! | field | |
//! |---|---|
//! | number | length of the model, or [`FAULT`], or [`sound::SOUND`] and what its module says |
//! | bytes | the model |
//! | number | length of the inputs |
//! | bytes | all input tensors, in order |
//!
//! and for each it writes a status (0, the code of a [`dunlin::Error`], [`NO_ROOM`] or [`WRONG_INPUT`]), the length of
//! the outputs, and the bytes of all output tensors, in order. Counted regions: for each case that has room the
//! initialization (check and session), then, if that succeeds and the input fits, the run.

use dunlin::{Error, Model, Session};

use crate::{counter::counted, fault, link::Link, log, semihosting, sound, stack};

/// Instead of a length: fault. The host sees so that a fault ends with failure and a log.
pub const FAULT: u32 = u32::MAX;
/// Status: the board's RAM does not hold the model. (Where it does not hold the arena, the runtime says so.)
pub const NO_ROOM: u32 = u32::MAX;
/// Status: the inputs' length is not that of the model's input tensors.
pub const WRONG_INPUT: u32 = u32::MAX - 1;

/// Why a case has no outputs: its status.
struct Refusal(u32);

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal(error as u32)
    }
}

/// Runs the host's cases until the input ends; see the module.
pub fn serve() -> ! {
    // SAFETY: the only call.
    let ram = unsafe { stack::free_ram() };
    let n_unaligned = ram.as_ptr().align_offset(16).min(ram.len());
    let ram = ram.split_at_mut(n_unaligned).1;
    let mut link = Link::open();
    let mut n_cases = 0u32;
    while let Some(model_bytes) = link.read_u32() {
        if model_bytes == FAULT {
            fault::provoke();
        }
        if model_bytes == sound::SOUND {
            sound::run_case(&mut link, ram);
            continue;
        }
        if let Err(Refusal(status)) = run_case(&mut link, ram, model_bytes as usize) {
            link.write_u32(status);
            link.write_u32(0);
        }
        n_cases += 1;
    }
    log::info!("{=u32} cases in {=usize} bytes of RAM", n_cases, ram.len());
    semihosting::exit()
}

/// Reads, runs and answers one case, or says why it has no answer; reads the whole case in any event.
fn run_case(link: &mut Link, ram: &mut [u8], model_bytes: usize) -> Result<(), Refusal> {
    let Some((model, arena)) = split(ram, model_bytes) else {
        link.skip(model_bytes);
        skip_inputs(link);
        return Err(Refusal(NO_ROOM));
    };
    link.read_all(model);
    let mut checked = None;
    let started = counted(|| {
        let model = checked.insert(Model::check(model, dunlin::ops::ALL)?);
        Session::new(model, arena)
    });
    match started {
        Ok(mut session) => run_session(link, &mut session),
        Err(error) => {
            skip_inputs(link);
            Err(error.into())
        }
    }
}

fn run_session(link: &mut Link, session: &mut Session) -> Result<(), Refusal> {
    let n_given = read_length(link);
    let mut n_wanted = 0;
    for i in 0..session.model().n_inputs() {
        n_wanted += session.model().input(i)?.ty.bytes();
    }
    if n_given != n_wanted {
        link.skip(n_given);
        return Err(Refusal(WRONG_INPUT));
    }
    let fed = session.model().fed_input();
    for i in (0..session.model().n_inputs()).filter(|&i| Some(i) != fed) {
        link.read_all(session.input_bytes_mut(i)?);
    }
    match fed {
        None => counted(|| {
            session.run();
        }),
        // The rows come from the host in between: all that is counted here.
        Some(_) => counted(|| {
            loop {
                match session.next_row() {
                    Ok(row) => link.read_all(row.bytes_mut()),
                    Err(error) => return Err(error),
                }
                if session.row_done()? {
                    return Ok(());
                }
            }
        })?,
    }
    let mut n_output_bytes = 0;
    for i in 0..session.model().n_outputs() {
        n_output_bytes += session.output_bytes(i)?.len();
    }
    link.write_u32(0);
    link.write_u32(n_output_bytes as u32);
    for i in 0..session.model().n_outputs() {
        link.write(session.output_bytes(i)?);
    }
    Ok(())
}

/// The places of a model of this length and of its arena, both aligned; `None` without room for the model.
fn split(ram: &mut [u8], model_bytes: usize) -> Option<(&mut [u8], &mut [u8])> {
    let (model, arena) = ram.split_at_mut_checked(model_bytes.checked_next_multiple_of(16)?)?;
    Some((model.get_mut(..model_bytes)?, arena))
}

fn skip_inputs(link: &mut Link) {
    let n_bytes = read_length(link);
    link.skip(n_bytes);
}

fn read_length(link: &mut Link) -> usize {
    match link.read_u32() {
        Some(n_bytes) => n_bytes as usize,
        None => fault::fail("the input ends too early"),
    }
}
