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
/// Counted regions: the initialization (check and session), then those of each `run`.
pub fn serve(model: &[u8], ops: &[Entry], arena: &mut [u8], run: fn(&mut Session)) -> ! {
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
    let result = started.and_then(|mut session| run_samples(&mut session, &mut link, run));
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

/// A run as one counted region.
pub fn run(session: &mut Session) {
    counted(|| {
        session.run();
    });
}

/// A run with a counted region for each step.
pub fn run_by_steps(session: &mut Session) {
    session.run_each(|step| counted(|| step.run()));
}

fn run_samples(session: &mut Session, link: &mut Link, run: fn(&mut Session)) -> Result<u32, Error> {
    let mut n_samples = 0;
    while read_inputs(session, link)? {
        run(session);
        for i in 0..session.model().n_outputs() {
            link.write(session.output_bytes(i)?);
        }
        n_samples += 1;
    }
    Ok(n_samples)
}

/// False where the input has ended.
fn read_inputs(session: &mut Session, link: &mut Link) -> Result<bool, Error> {
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
