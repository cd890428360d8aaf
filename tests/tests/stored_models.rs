//! Models that are stored in a board's flash over the line: whatever is killed and whenever, the board has the old model
//! or the new one afterwards, whole.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;
use dunlin::{Model, ops};
use dunlin_converter::device::link::{Client, Port, Update};
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Graph, Program};
use dunlin_link::slots::Failed;
use dunlin_link::{Board, Clock, Device, Origin, Slot, Wire, serve};

/// An answer may take this long; no time passes where a line says that nothing comes.
const LIMIT: Duration = Duration::from_secs(600);
const SLOT_BYTES: usize = 2048;
const SECTOR_BYTES: usize = 256;
/// Updates over lines that corrupt.
const N_STREAMS: u64 = 3000;

/// Networks of one shape and several weights.
fn network(seed: u64) -> Program {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut g = Graph::new("layer");
    let x = g.input("x", &[1, 9]).unwrap();
    let weights = (0..81).map(|_| rng.f32() - 0.5).collect();
    let w = g.constant("w", &[9, 9], Data::F32(weights)).unwrap();
    let y = g.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
    g.mark_output(y);
    Program::compile(&g).unwrap()
}

fn checksum(program: &Program) -> u32 {
    program.model().unwrap().header().checksum
}

/// What power does: it goes at a byte of the flash, or of the line.
#[derive(Clone, Copy, Default)]
struct Power {
    /// So many bytes are still erased or written.
    flash_bytes: Option<usize>,
    /// So many bytes still go over the line, both ways together.
    line_bytes: Option<usize>,
    is_off: bool,
}

fn spend(left: &mut Option<usize>) -> bool {
    match left {
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
        None => true,
    }
}

/// What becomes of a byte on its way.
type Faults = Box<dyn FnMut(u8, &mut VecDeque<u8>) + Send>;

struct Line {
    to_board: VecDeque<u8>,
    to_host: VecDeque<u8>,
    faults: Option<Faults>,
    power: Power,
    /// The board has taken all bytes and waits for more.
    is_idle: bool,
    host_is_gone: bool,
    n_bytes: usize,
}

impl Line {
    /// Whether the power is still on after a byte more.
    fn carry(&mut self) -> bool {
        self.n_bytes += 1;
        if !spend(&mut self.power.line_bytes) {
            self.power.is_off = true;
        }
        !self.power.is_off
    }
}

/// Either end of a line between host and a board in a thread, without time: the host waits for nothing but for the board
/// to be idle.
#[derive(Clone)]
struct End(Arc<(Mutex<Line>, Condvar)>);

impl End {
    fn new(power: Power, faults: Option<Faults>) -> End {
        let (to_board, to_host) = (VecDeque::new(), VecDeque::new());
        let line = Line { to_board, to_host, faults, power, is_idle: false, host_is_gone: false, n_bytes: 0 };
        End(Arc::new((Mutex::new(line), Condvar::new())))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.0.lock().unwrap()
    }

    fn wait_until(&self, is_met: impl Fn(&Line) -> bool) -> MutexGuard<'_, Line> {
        self.0.1.wait_while(self.line(), |line| !is_met(line)).unwrap()
    }
}

impl Wire for End {
    fn read(&mut self) -> Option<u8> {
        let mut line = self.line();
        line.is_idle = line.to_board.is_empty();
        drop(line);
        self.0.1.notify_all();
        let mut line =
            self.wait_until(|line| line.power.is_off || line.host_is_gone || !line.to_board.is_empty());
        line.is_idle = false;
        match line.power.is_off {
            true => None,
            false => line.to_board.pop_front(),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let line = &mut *self.line();
        for &byte in bytes {
            if line.carry() {
                match &mut line.faults {
                    Some(faults) => faults(byte, &mut line.to_host),
                    None => line.to_host.push_back(byte),
                }
            }
        }
    }
}

/// The host's end; the board's line ends with it.
struct HostEnd(End);

impl Drop for HostEnd {
    fn drop(&mut self) {
        self.0.line().host_is_gone = true;
        self.0.0.1.notify_all();
    }
}

impl Port for HostEnd {
    fn name(&self) -> String {
        "the line".to_owned()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut guard = self.0.line();
        let line = &mut *guard;
        for &byte in bytes {
            if line.carry() {
                match &mut line.faults {
                    Some(faults) => faults(byte, &mut line.to_board),
                    None => line.to_board.push_back(byte),
                }
            }
        }
        line.is_idle &= line.to_board.is_empty();
        drop(guard);
        self.0.0.1.notify_all();
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], _: Duration) -> io::Result<usize> {
        let mut line = self.0.wait_until(|line| line.power.is_off || line.is_idle);
        if line.power.is_off {
            return Err(io::Error::other("the board is gone"));
        }
        let n_bytes = bytes.len().min(line.to_host.len());
        bytes.iter_mut().zip(line.to_host.drain(..n_bytes)).for_each(|(to, from)| *to = from);
        Ok(n_bytes)
    }
}

/// A slot of NOR flash, with the power that it needs.
struct Flash {
    bytes: AlignedBytes,
    line: End,
}

impl Flash {
    /// The power goes in the middle of what happens to a byte: it may become anything.
    fn change(&mut self, at: usize, to: u8) -> Result<(), Failed> {
        let mut line = self.line.line();
        if line.power.is_off {
            return Err(Failed);
        }
        if spend(&mut line.power.flash_bytes) {
            self.bytes[at] = to;
            return Ok(());
        }
        line.power.is_off = true;
        self.bytes[at] = fastrand::u8(..);
        Err(Failed)
    }
}

impl Slot for Flash {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn sector_bytes(&self) -> usize {
        SECTOR_BYTES
    }

    fn erase(&mut self, offset: usize) -> Result<(), Failed> {
        assert_eq!(offset % SECTOR_BYTES, 0);
        (offset..offset + SECTOR_BYTES).try_for_each(|at| self.change(at, 0xff))
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Failed> {
        for (at, &byte) in (offset..).zip(bytes) {
            assert_eq!(self.bytes[at], 0xff, "byte {at} is not erased");
            self.change(at, byte)?;
        }
        Ok(())
    }
}

struct Counter(u64);

impl Clock for Counter {
    fn ticks_per_second(&self) -> u32 {
        1000
    }

    fn ticks(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A board without power: what it keeps.
struct Unit {
    firmware: Option<Program>,
    flash: [AlignedBytes; 2],
    ram_bytes: usize,
}

impl Unit {
    fn new(firmware: Option<Program>) -> Unit {
        // What flash holds that was used for something else.
        let flash = [(); 2].map(|()| AlignedBytes::from(&[0x5a; SLOT_BYTES][..]));
        Unit { firmware, flash, ram_bytes: 4096 }
    }

    /// Switches the board on, with a host at its line; it is there again when the host is gone, or the power.
    fn start(self, power: Power, faults: Option<Faults>) -> (Client<'static>, End, JoinHandle<Unit>) {
        let end = End::new(power, faults);
        let mut wire = end.clone();
        let board = spawn(move || {
            let Unit { firmware, flash, ram_bytes } = self;
            let [mut first, mut second] = flash.map(|bytes| Flash { bytes, line: wire.clone() });
            let model = firmware.as_ref().map(|program| AlignedBytes::from(program.bytes()));
            let arena_bytes =
                model.as_ref().map_or(0, |file| Model::check(file, ops::ALL).unwrap().arena_bytes());
            let (mut arena, mut ram) = (AlignedBytes::zeroed(arena_bytes), vec![0; ram_bytes]);
            let device = Device {
                board: Board { name: "test", core: "none" },
                clock: &mut Counter(0),
                ops: ops::ALL,
                model: model.as_deref(),
                arena: &mut arena,
                ram: &mut ram,
                slots: Some([&mut first, &mut second]),
            };
            serve(device, &mut wire);
            Unit { firmware, flash: [first.bytes, second.bytes], ram_bytes }
        });
        (Client::new(Box::new(HostEnd(end.clone())), LIMIT), end, board)
    }

    /// What the board runs after a restart, with the outputs that it must have; the board again.
    fn running(self, candidates: &[&Program]) -> (Option<(u32, Origin)>, Unit) {
        let (mut client, _, board) = self.start(Power::default(), None);
        let model = client.identify().unwrap().model;
        let running = model.map(|model| (model.checksum, model.origin));
        if let Some((checksum_there, _)) = running {
            let program = candidates.iter().find(|program| checksum(program) == checksum_there);
            let model = program.expect("one of the candidates runs").model().unwrap();
            let sample = Samples::random(&model, 1, 3).unwrap();
            let ran = client.run(checksum_there, sample.bytes()).unwrap();
            assert_eq!(ran.outputs, samples::run(&model, &sample).unwrap());
        }
        drop(client);
        (running, board.join().unwrap())
    }

    fn update(self, program: &Program, power: Power) -> (Result<(), String>, usize, Unit) {
        let (mut client, end, board) = self.start(power, None);
        let loaded = client.load(program.bytes(), Update::Flash, &mut |_| {});
        let n_bytes = end.line().n_bytes;
        drop(client);
        (loaded.map(drop).map_err(|error| error.to_string()), n_bytes, board.join().unwrap())
    }
}

#[test]
fn a_stored_model_survives_restarts_and_gives_way_to_the_next() {
    let [first, second, third, fourth] = [1, 2, 3, 4].map(network);
    let all = [&first, &second, &third, &fourth];
    for firmware in [None, Some(network(1))] {
        let at_first = firmware.as_ref().map(|program| (checksum(program), Origin::Firmware));
        let (running, mut board) = Unit::new(firmware).running(&all);
        assert_eq!(running, at_first);
        for program in [&second, &third, &second, &fourth, &fourth] {
            let (loaded, _, after) = board.update(program, Power::default());
            loaded.unwrap();
            let (running, after) = after.running(&all);
            assert_eq!(running, Some((checksum(program), Origin::Stored)));
            board = after;
        }
        // One in RAM is used until the restart, and may be stored from there.
        let (mut client, _, thread) = board.start(Power::default(), None);
        let identity = client.load(second.bytes(), Update::Ram, &mut |_| {}).unwrap();
        assert_eq!(identity.model.map(|model| model.origin), Some(Origin::Ram));
        assert_eq!(identity.flash_bytes as usize, SLOT_BYTES - 32);
        drop(client);
        let (running, board) = thread.join().unwrap().running(&all);
        assert_eq!(running, Some((checksum(&fourth), Origin::Stored)));
        let (mut client, _, thread) = board.start(Power::default(), None);
        client.load(second.bytes(), Update::Ram, &mut |_| {}).unwrap();
        let identity = client.load(third.bytes(), Update::Flash, &mut |_| {}).unwrap();
        assert_eq!(identity.model.map(|model| model.checksum), Some(checksum(&third)));
        drop(client);
        let (running, _) = thread.join().unwrap().running(&all);
        assert_eq!(running, Some((checksum(&third), Origin::Stored)));
    }
}

#[test]
fn another_firmware_does_not_use_what_this_one_stored() {
    let [firmware, stored] = [1, 2].map(network);
    let (loaded, _, board) = Unit::new(Some(network(1))).update(&stored, Power::default());
    loaded.unwrap();
    let (running, board) = board.running(&[&firmware, &stored]);
    assert_eq!(running, Some((checksum(&stored), Origin::Stored)));
    let reflashed = Unit { firmware: Some(network(5)), ..board };
    let (running, _) = reflashed.running(&[&network(5), &stored]);
    assert_eq!(running, Some((checksum(&network(5)), Origin::Firmware)));
}

/// A board with a stored model, on which an update to another one is tried again and again.
struct Trial {
    old: Program,
    new: Program,
    flash: [Vec<u8>; 2],
}

impl Trial {
    fn new() -> Trial {
        let [old, new] = [2, 3].map(network);
        let (loaded, _, board) = Unit::new(Some(network(1))).update(&old, Power::default());
        loaded.unwrap();
        Trial { old, new, flash: board.flash.map(|slot| slot.to_vec()) }
    }

    fn board(&self) -> Unit {
        let flash = self.flash.each_ref().map(|slot| AlignedBytes::from(&slot[..]));
        Unit { flash, ..Unit::new(Some(network(1))) }
    }

    /// The power goes during the update: whether the new model was stored. Then the update is done.
    fn interrupted(&self, power: Power) -> bool {
        let (loaded, _, board) = self.board().update(&self.new, power);
        let (running, board) = board.running(&[&self.old, &self.new]);
        let [old, new] = [&self.old, &self.new].map(|program| Some((checksum(program), Origin::Stored)));
        assert!(running == new || (running == old && loaded.is_err()), "{running:?} after {loaded:?}");
        let was_stored = running == new;
        let (loaded, _, board) = board.update(&self.new, Power::default());
        loaded.unwrap();
        assert_eq!(board.running(&[&self.new]).0, new);
        was_stored
    }
}

#[test]
fn power_that_goes_at_any_byte_of_the_flash_leaves_the_old_model_or_the_new_one() {
    let trial = Trial::new();
    let n_file_bytes = trial.new.bytes().len();
    // Sectors are erased, then written, the record last.
    let n_bytes = (32 + n_file_bytes).next_multiple_of(SECTOR_BYTES) + 32 + n_file_bytes.next_multiple_of(32);
    let n_stored = (0..n_bytes)
        .filter(|&bytes| trial.interrupted(Power { flash_bytes: Some(bytes), ..Power::default() }))
        .count();
    // The record's last bytes are those of erased flash.
    assert!(n_stored <= 12, "{n_stored} of {n_bytes}");
    assert!(trial.interrupted(Power { flash_bytes: Some(n_bytes), ..Power::default() }));
}

#[test]
fn a_board_or_host_that_is_killed_at_any_byte_of_the_line_leaves_the_old_model_or_the_new_one() {
    let trial = Trial::new();
    let (loaded, n_bytes, _) = trial.board().update(&trial.new, Power::default());
    loaded.unwrap();
    assert!(n_bytes > trial.new.bytes().len(), "{n_bytes}");
    let mut n_stored = 0;
    for bytes in 0..n_bytes {
        let power = Power { line_bytes: Some(bytes), ..Power::default() };
        n_stored += usize::from(trial.interrupted(power));
    }
    // From the end of the last request on.
    assert!((10..200).contains(&n_stored), "{n_stored} of {n_bytes}");
}

/// Each byte is lost, changed, repeated or followed by noise with this probability.
fn faults(seed: u64, probability: f64) -> Faults {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move |byte, line| {
        if rng.f64() >= probability {
            return line.push_back(byte);
        }
        match rng.u8(..4) {
            0 => {}
            1 => line.push_back(byte ^ rng.u8(1..)),
            2 => line.extend([byte; 2]),
            _ => line.extend([byte, rng.u8(..)]),
        }
    })
}

#[test]
fn corrupted_updates_end_in_the_new_model_or_an_error() {
    let [old, new] = [1, 2].map(network);
    let mut n_stored = 0;
    for seed in 0..N_STREAMS {
        let faults = faults(seed, (seed % 100) as f64 / 10_000.0);
        let (mut client, _, thread) = Unit::new(Some(network(1))).start(Power::default(), Some(faults));
        let loaded = client.load(new.bytes(), Update::Flash, &mut |_| {});
        drop(client);
        let (running, _) = thread.join().unwrap().running(&[&old, &new]);
        match loaded {
            Ok(_) => {
                assert_eq!(running, Some((checksum(&new), Origin::Stored)), "seed {seed}");
                n_stored += 1;
            }
            Err(error) => assert!(error.to_string().contains("no answer within"), "seed {seed}: {error}"),
        }
    }
    assert!(n_stored > N_STREAMS / 2, "{n_stored} of {N_STREAMS}");
}

#[test]
fn what_cannot_be_stored_is_refused_and_changes_nothing() {
    let firmware = network(1);
    let (mut client, _, thread) = Unit::new(Some(network(1))).start(Power::default(), None);
    let mut refused = |file: &[u8]| {
        let error = client.load(file, Update::Flash, &mut |_| {}).unwrap_err().to_string();
        assert_eq!(client.identify().unwrap().model.map(|model| model.checksum), Some(checksum(&firmware)));
        error
    };
    let error = refused(&[0; SLOT_BYTES]);
    assert!(error.contains("keeps 2016 bytes of flash"), "{error}");
    let mut damaged = network(2).bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let error = refused(&damaged);
    assert!(error.contains(&format!("error {}", dunlin::Error::Checksum as u8)), "{error}");
    drop(client);
    let (running, _) = thread.join().unwrap().running(&[&firmware]);
    assert_eq!(running, Some((checksum(&firmware), Origin::Firmware)));
}
