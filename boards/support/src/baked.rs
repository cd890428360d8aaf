//! The firmware with one model in flash, an arena of exactly its size, and only its operators.

use dunlin::{Entry, Error, Model, Session};

use crate::{
    counter::counted,
    fault::fail_with,
    link::Link,
    log,
    semihosting::{self, File, Mode},
    stack,
};

/// Runs `model` on each sample of the host's input (the bytes of all input tensors, in order) and writes the bytes of
/// all output tensors, in order, until the input ends. Then it writes the stack's high-water marks in the initialization
/// and in the runs to the file `stack` (two little-endian numbers of 4 bytes) and exits.
///
/// Counted regions: the initialization (check and session), then of each sample one for each call of a step if `STEPS`,
/// else one for what runs between two rows that arrive, or for all. `FED` says whether rows arrive: what only such models
/// need is not linked for others.
pub fn serve<const FED: bool, const STEPS: bool>(model: &[u8], ops: &[Entry], arena: &mut [u8]) -> ! {
    stack::paint();
    log::info!("model: {=usize} bytes, arena: {=usize} bytes", model.len(), arena.len());
    let mut link = Link::open();
    let mut checked = None;
    let started = counted(|| {
        let model = checked.insert(Model::check(model, ops)?);
        Session::new(model, arena)
    });
    let init_stack_bytes = stack::used_bytes();
    stack::paint();
    let result = started.and_then(|mut session| run_samples::<FED, STEPS>(&mut session, &mut link));
    match result {
        Ok(n_samples) => log::info!("{=u32} samples", n_samples),
        Err(error) => fail_with(error),
    }
    write_stack([init_stack_bytes, stack::used_bytes()]);
    semihosting::exit()
}

/// A measurement that the host does not take is not worth a failure.
fn write_stack(high_water_bytes: [usize; 2]) {
    if let Some(mut file) = File::open(c"stack", Mode::Write) {
        for bytes in high_water_bytes {
            file.write(&(bytes as u32).to_le_bytes());
        }
    }
}

/// Runs a session, or what a row that has just arrived makes possible; true if the outputs are there.
fn run<const FED: bool, const STEPS: bool>(session: &mut Session) -> Result<bool, Error> {
    match (FED, STEPS) {
        (true, true) => session.row_done_each(|step| counted(|| step.run())),
        (true, false) => counted(|| session.row_done()),
        (false, true) => {
            session.run_each(|step| counted(|| step.run()));
            Ok(true)
        }
        (false, false) => {
            counted(|| {
                session.run();
            });
            Ok(true)
        }
    }
}

fn run_samples<const FED: bool, const STEPS: bool>(
    session: &mut Session,
    link: &mut Link,
) -> Result<u32, Error> {
    let mut n_samples = 0;
    while read_inputs::<FED>(session, link)? {
        while !run::<FED, STEPS>(session)? {
            link.read_all(session.next_row()?.bytes_mut());
        }
        for i in 0..session.model().n_outputs() {
            link.write(session.output_bytes(i)?);
        }
        n_samples += 1;
    }
    Ok(n_samples)
}

/// Reads what is there before the run: all inputs, or the first row of the one that arrives by rows. False where the
/// samples have ended.
fn read_inputs<const FED: bool>(session: &mut Session, link: &mut Link) -> Result<bool, Error> {
    if FED {
        return match session.model().n_inputs() {
            1 => Ok(link.read(session.next_row()?.bytes_mut())),
            _ => Err(Error::Rows), // the host's samples have no order of rows and other inputs
        };
    }
    for i in 0..session.model().n_inputs() {
        let bytes = session.input_bytes_mut(i)?;
        if i > 0 {
            link.read_all(bytes);
        } else if !link.read(bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}
