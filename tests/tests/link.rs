//! Host and board over lines that lose, repeat and corrupt bytes, and with ends that stop at any byte.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;
use dunlin::{Entry, Model, Session, ops};
use dunlin_converter::device::link::{Client, Port, Update};
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Graph, Program};
use dunlin_link::frame::{self, CHECKED_MAX_BYTES, FRAME_MAX_BYTES, encode};
use dunlin_link::message::decode;
use dunlin_link::{Board, Clock, Device, Memory, Origin, Reply, Server, VERSION, Wire, serve};
use dunlin_tests::convnet::convnet_by_rows;

/// Streams that are corrupted, each both ways.
const N_STREAMS: usize = 100_000;
/// An answer may take this long; no time passes where a line says that nothing comes.
const LIMIT: Duration = Duration::from_secs(600);
const BOARD: Board = Board { name: "test", core: "none" };

/// Two layers: the arena's plan puts what the second makes over the input, so a run that is run again is wrong.
fn network(seed: u64) -> Program {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut g = Graph::new("two layers");
    let mut x = g.input("x", &[1, 20]).unwrap();
    for (i, [n_out, n_in]) in [[9, 20], [20, 9]].into_iter().enumerate() {
        let weights = (0..n_out * n_in).map(|_| rng.f32() - 0.5).collect();
        let w = g.constant(&format!("w{i}"), &[n_out, n_in], Data::F32(weights)).unwrap();
        x = g.apply(&format!("y{i}"), FullyConnected::new(Bounds::None), &[x, w]).unwrap();
    }
    g.mark_output(x);
    Program::compile(&g).unwrap()
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

/// A board that has just started. What it holds is never freed: there are a few thousand of them.
fn start(model: &'static Model<'static>) -> Server<'static, 'static, 'static> {
    let arena = Box::leak(Box::new(AlignedBytes::zeroed(model.arena_bytes())));
    let session = Box::leak(Box::new(Session::new(model, arena).unwrap()));
    Server::new(
        BOARD,
        Box::leak(Box::new(Counter(0))),
        Ok(session),
        Memory { store: &mut [], spare: None },
        Origin::Firmware,
    )
}

fn leak(program: &Program) -> &'static Model<'static> {
    let bytes: &'static AlignedBytes = Box::leak(Box::new(AlignedBytes::from(program.bytes())));
    Box::leak(Box::new(Model::check(bytes, ops::ALL).unwrap()))
}

/// What becomes of a byte on its way.
type Faults = Box<dyn FnMut(u8, &mut Vec<u8>)>;

/// A line with a board at its end, which answers at once.
struct Line {
    board: Server<'static, 'static, 'static>,
    to_host: VecDeque<u8>,
    faults: Faults,
    /// Bytes that have gone either way.
    n_bytes: usize,
    /// The board restarts at this byte.
    restart_at: Option<usize>,
    /// The host stops at this byte.
    stop_at: Option<usize>,
    model: &'static Model<'static>,
}

impl Line {
    fn new(model: &'static Model<'static>) -> Line {
        let faults = Box::new(|byte, line: &mut Vec<u8>| line.push(byte));
        let (restart_at, stop_at) = (None, None);
        Line { board: start(model), to_host: VecDeque::new(), faults, n_bytes: 0, restart_at, stop_at, model }
    }

    /// A byte goes on the line: whether it arrives.
    fn count(&mut self) -> bool {
        let restarts = self.restart_at == Some(self.n_bytes);
        self.n_bytes += 1;
        if restarts {
            self.board = start(self.model);
        }
        !restarts
    }
}

/// The host's end of a line that others may use after it.
struct End<'l>(&'l RefCell<Line>);

impl Port for End<'_> {
    fn name(&self) -> String {
        "the line".to_owned()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let line = &mut *self.0.borrow_mut();
        for &byte in bytes {
            if line.stop_at == Some(line.n_bytes) {
                return Err(io::Error::other("stopped"));
            }
            let mut arriving = Vec::new();
            (line.faults)(byte, &mut arriving);
            for byte in arriving {
                let mut answer = Vec::new();
                if line.count() {
                    line.board.push(byte, &mut |bytes| answer.extend_from_slice(bytes));
                }
                for byte in answer {
                    let mut arriving = Vec::new();
                    (line.faults)(byte, &mut arriving);
                    // A restart ends an answer, too.
                    match line.count() {
                        true => line.to_host.extend(arriving),
                        false => break,
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], _: Duration) -> io::Result<usize> {
        let line = &mut *self.0.borrow_mut();
        let n_bytes = bytes.len().min(line.to_host.len());
        bytes.iter_mut().zip(line.to_host.drain(..n_bytes)).for_each(|(to, from)| *to = from);
        Ok(n_bytes)
    }
}

struct Work {
    model: &'static Model<'static>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

fn work() -> Work {
    let model = leak(&network(1));
    let samples = Samples::random(model, 1, 7).unwrap();
    let outputs = samples::run(model, &samples).unwrap();
    Work { model, inputs: samples.bytes().to_vec(), outputs }
}

impl Work {
    fn run(&self, line: &RefCell<Line>) -> Result<Vec<u8>, String> {
        let mut client = Client::new(Box::new(End(line)), LIMIT);
        let ran =
            client.run(self.model.header().checksum, &self.inputs).map_err(|error| error.to_string())?;
        Ok(ran.outputs)
    }
}

#[test]
fn a_clean_line_carries_a_run() {
    let work = work();
    let line = RefCell::new(Line::new(work.model));
    let mut client = Client::new(Box::new(End(&line)), LIMIT);
    let identity = client.identify().unwrap();
    let model = identity.model.unwrap();
    assert_eq!((identity.board.as_str(), model.name.as_str(), model.n_steps), ("test", "two layers", 2));
    assert_eq!((model.input_bytes, model.output_bytes), (80, 80));
    let ran = client.run(model.checksum, &work.inputs).unwrap();
    assert_eq!(ran.outputs, work.outputs);
    assert_eq!(client.step_ticks(ran.id, 2).unwrap(), [Some(1), Some(1)]);
    let error = client.run(model.checksum + 1, &work.inputs).unwrap_err().to_string();
    assert!(error.contains("transfer the model again"), "{error}");
    let error = client.run(model.checksum, &work.inputs[1..]).unwrap_err().to_string();
    assert!(error.contains("lost what was transferred"), "{error}");
}

#[test]
fn what_runs_over_its_input_is_not_run_again() {
    let work = work();
    let mut arena = AlignedBytes::zeroed(work.model.arena_bytes());
    let mut session = Session::new(work.model, &mut arena).unwrap();
    session.input_bytes_mut(0).unwrap().copy_from_slice(&work.inputs);
    assert_eq!(session.run().output_bytes(0).unwrap(), work.outputs);
    assert_ne!(session.run().output_bytes(0).unwrap(), work.outputs, "the tests below could not see it");
}

/// A line to firmware of another version of the protocol.
struct OtherVersion(VecDeque<u8>);

impl Port for OtherVersion {
    fn name(&self) -> String {
        "the line".to_owned()
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        let mut packet = [0; CHECKED_MAX_BYTES];
        packet[0] = VERSION + 1;
        self.0.extend(encode(&mut packet, 9, &mut [0; FRAME_MAX_BYTES]).unwrap());
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], _: Duration) -> io::Result<usize> {
        let n_bytes = bytes.len().min(self.0.len());
        bytes.iter_mut().zip(self.0.drain(..n_bytes)).for_each(|(to, from)| *to = from);
        Ok(n_bytes)
    }
}

#[test]
fn another_version_of_the_protocol_is_refused_by_both_ends() {
    let error =
        Client::new(Box::new(OtherVersion(VecDeque::new())), LIMIT).identify().unwrap_err().to_string();
    assert!(error.contains(&format!("version {} of the protocol", VERSION + 1)), "{error}");
    assert!(error.contains("dunlin flash"), "{error}");

    let line = RefCell::new(Line::new(work().model));
    let mut packet = [0; CHECKED_MAX_BYTES];
    packet[0] = VERSION + 1;
    End(&line).write(encode(&mut packet, 9, &mut [0; FRAME_MAX_BYTES]).unwrap()).unwrap();
    let mut receiver = frame::Receiver::new();
    let answers: Vec<_> = std::mem::take(&mut line.borrow_mut().to_host)
        .into_iter()
        .filter_map(|byte| decode::<Reply>(receiver.push(byte)?).ok().map(|(_, reply)| format!("{reply:?}")))
        .collect();
    assert_eq!(answers, ["Refused(Unreadable)"]);
}

/// Each byte is lost, changed, repeated or followed by noise with this probability.
fn faults(seed: u64, probability: f64) -> Faults {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move |byte, line| {
        if rng.f64() >= probability {
            return line.push(byte);
        }
        match rng.u8(..4) {
            0 => {}
            1 => line.push(byte ^ rng.u8(1..)),
            2 => line.extend([byte; 2]),
            _ => line.extend([byte, rng.u8(..)]),
        }
    })
}

#[test]
fn corrupted_streams_end_in_the_right_outputs_or_an_error() {
    let work = work();
    let line = RefCell::new(Line::new(work.model));
    let mut n_right = 0;
    for seed in 0..N_STREAMS as u64 {
        // From none to one byte in twenty: then hardly one request in fifty arrives whole and is answered.
        line.borrow_mut().faults = faults(seed, (seed % 100) as f64 / 2000.0);
        match work.run(&line) {
            Ok(outputs) => {
                assert_eq!(outputs, work.outputs, "seed {seed}");
                n_right += 1;
            }
            Err(error) => assert!(error.contains("no answer within"), "seed {seed}: {error}"),
        }
    }
    assert!(n_right > N_STREAMS / 2, "{n_right} of {N_STREAMS} streams came through");
    line.borrow_mut().faults = Box::new(|byte, line| line.push(byte));
    assert_eq!(work.run(&line), Ok(work.outputs.clone()), "clean again, it works again");
}

#[test]
fn noise_is_survived_by_both_ends() {
    let work = work();
    let line = RefCell::new(Line::new(work.model));
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..2000 {
        let noise: Vec<u8> = (0..rng.usize(..500)).map(|_| rng.u8(..)).collect();
        let mut end = End(&line);
        end.write(&noise).unwrap();
        line.borrow_mut().to_host.extend(noise);
        assert_eq!(work.run(&line).as_ref(), Ok(&work.outputs));
    }
}

#[test]
fn a_board_that_restarts_at_any_byte_costs_nothing_but_the_run() {
    let work = work();
    let line = RefCell::new(Line::new(work.model));
    work.run(&line).unwrap();
    let n_bytes = line.borrow().n_bytes;
    assert!(n_bytes > 250, "{n_bytes} bytes");
    for restart_at in 0..n_bytes {
        let line = RefCell::new(Line { restart_at: Some(restart_at), ..Line::new(work.model) });
        assert_eq!(work.run(&line).as_ref(), Ok(&work.outputs), "restarted at byte {restart_at}");
    }
}

#[test]
fn a_host_that_stops_at_any_byte_leaves_the_board_to_the_next() {
    let work = work();
    let line = RefCell::new(Line::new(work.model));
    work.run(&line).unwrap();
    let n_bytes = line.borrow().n_bytes;
    let mut n_stopped = 0;
    for stop_at in 0..n_bytes {
        let line = RefCell::new(Line { stop_at: Some(stop_at), ..Line::new(work.model) });
        n_stopped += usize::from(work.run(&line).is_err());
        line.borrow_mut().stop_at = None;
        assert_eq!(work.run(&line).as_ref(), Ok(&work.outputs), "stopped at byte {stop_at}");
    }
    assert!(n_stopped > 100, "{n_stopped} stops");
}

#[test]
fn a_model_that_takes_rows_starts_anew_with_the_first() {
    let model = leak(&convnet_by_rows(true).unwrap());
    assert!(model.fed_input().is_some());
    let samples = Samples::random(model, 1, 7).unwrap();
    let outputs = samples::run(model, &samples).unwrap();
    let work = Work { model, inputs: samples.bytes().to_vec(), outputs };
    let line = RefCell::new(Line::new(work.model));
    assert_eq!(work.run(&line).as_ref(), Ok(&work.outputs));
    let n_bytes = line.borrow().n_bytes;
    for stop_at in (0..n_bytes).step_by(n_bytes / 20) {
        let stopping = RefCell::new(Line { stop_at: Some(stop_at), ..Line::new(work.model) });
        // Near the end the host has nothing more to say: then it does not stop.
        let _ = work.run(&stopping);
        stopping.borrow_mut().stop_at = None;
        assert_eq!(work.run(&stopping).as_ref(), Ok(&work.outputs), "the host stopped at byte {stop_at}");
        let restarting = RefCell::new(Line { restart_at: Some(stop_at), ..Line::new(work.model) });
        assert_eq!(
            work.run(&restarting).as_ref(),
            Ok(&work.outputs),
            "the board restarted at byte {stop_at}"
        );
    }
}

/// Both directions of a line to a board in a thread.
struct Channel(Sender<u8>, Receiver<u8>);

impl Wire for Channel {
    fn read(&mut self) -> Option<u8> {
        self.1.recv().ok()
    }

    fn write(&mut self, bytes: &[u8]) {
        // The host may have gone.
        bytes.iter().for_each(|&byte| _ = self.0.send(byte));
    }
}

impl Port for Channel {
    fn name(&self) -> String {
        "the thread".to_owned()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|&byte| self.0.send(byte).map_err(io::Error::other))
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        match self.1.recv_timeout(wait) {
            Ok(byte) => {
                bytes[0] = byte;
                Ok(1)
            }
            Err(RecvTimeoutError::Timeout) => Ok(0),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// A board in a thread, which ends with its client.
fn in_thread(flash: Option<&Program>, ram_bytes: usize, ops: &'static [Entry]) -> Client<'static> {
    let flash = flash.map(|program| AlignedBytes::from(program.bytes()));
    let (to_board, from_host) = channel();
    let (to_host, from_board) = channel();
    std::thread::spawn(move || {
        let arena_bytes = flash.as_ref().map_or(0, |file| Model::check(file, ops).unwrap().arena_bytes());
        let (mut arena, mut ram) = (AlignedBytes::zeroed(arena_bytes), vec![0; ram_bytes]);
        let (arena, ram, clock) = (&mut arena[..], &mut ram[..], &mut Counter(0));
        let device = Device { board: BOARD, clock, ops, model: flash.as_deref(), arena, ram, slots: None };
        serve(device, &mut Channel(to_host, from_host));
    });
    Client::new(Box::new(Channel(to_board, from_board)), LIMIT)
}

/// Transfers a program, runs it, and compares.
fn load_and_run(client: &mut Client, program: &Program) {
    let mut seen = 0;
    let identity = client.load(program.bytes(), Update::Ram, &mut |n_bytes| seen = n_bytes).unwrap();
    let model = program.model().unwrap();
    let there = identity.model.unwrap();
    assert_eq!(
        (there.checksum, there.origin, seen),
        (model.header().checksum, Origin::Ram, program.bytes().len())
    );
    let samples = Samples::random(&model, 1, 2).unwrap();
    let ran = client.run(there.checksum, samples.bytes()).unwrap();
    assert_eq!(ran.outputs, samples::run(&model, &samples).unwrap());
}

#[test]
fn models_are_transferred_one_after_another() {
    let [first, second, third] = [1, 2, 3].map(network);
    for flash in [None, Some(&first)] {
        let mut client = in_thread(flash, 4096, ops::ALL);
        assert_eq!(client.identify().unwrap().model.is_some(), flash.is_some());
        load_and_run(&mut client, &second);
        load_and_run(&mut client, &third);
    }
}

#[test]
fn models_that_cannot_be_used_are_refused_and_change_nothing() {
    let (flash, other) = (network(1), network(2));
    let checksum = flash.model().unwrap().header().checksum;
    let refusal = |client: &mut Client, file: &[u8]| {
        let error = client.load(file, Update::Ram, &mut |_| {}).unwrap_err().to_string();
        assert_eq!(client.identify().unwrap().model.map(|model| model.checksum), Some(checksum));
        error
    };
    let mut client = in_thread(Some(&flash), 256, ops::ALL);
    let error = refusal(&mut client, other.bytes());
    assert!(error.contains("bytes of RAM") && error.contains("dunlin flash"), "{error}");

    let mut client = in_thread(Some(&flash), 4096, ops::ALL);
    let mut damaged = other.bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let error = refusal(&mut client, &damaged);
    assert!(error.contains(&format!("error {}", dunlin::Error::Checksum as u8)), "{error}");
    load_and_run(&mut client, &other);

    let error =
        in_thread(None, 4096, &[]).load(other.bytes(), Update::Ram, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("only the operators of the model"), "{error}");
}
