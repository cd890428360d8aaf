//! Keywords from sound: blocks of samples, the fixed-point front end, a network, and a decision that is smoothed.

use core::convert::Infallible;

use embedded_io::Read;
use heapless::HistoryBuf;

use dunlin::Session;
use dunlin::frontend::{self, Config, FrontEnd};

use crate::{Decision, input};

/// Samples that are read at a time, at most: 8 ms of 8,000 a second.
const BLOCK_SAMPLES: usize = 64;

/// A source of sound, block by block: I2S, a PDM microphone's filter, an ADC.
///
/// A closure over a driver is one, and so are the samples on a line ([`Samples`]).
pub trait Microphone {
    /// What its driver says when it does not work.
    type Error;

    /// Writes new samples, signed, the oldest first, to the start of `pcm`, waiting for at least one; how many. 0 if
    /// there will be no more.
    ///
    /// # Errors
    /// If the driver does not work.
    fn read(&mut self, pcm: &mut [i16]) -> Result<usize, Self::Error>;
}

impl<E, F: FnMut(&mut [i16]) -> Result<usize, E>> Microphone for F {
    type Error = E;

    fn read(&mut self, pcm: &mut [i16]) -> Result<usize, E> {
        self(pcm)
    }
}

/// Samples of 16 bits, little-endian, from a line: what I2S drivers with bytes, codecs and sound files deliver.
pub struct Samples<L> {
    line: L,
    /// The first byte of a sample whose second one has not come.
    low: Option<u8>,
}

impl<L: Read> Samples<L> {
    /// The samples that come from this line.
    pub fn new(line: L) -> Self {
        Samples { line, low: None }
    }
}

impl<L: Read> Microphone for Samples<L> {
    type Error = L::Error;

    fn read(&mut self, pcm: &mut [i16]) -> Result<usize, L::Error> {
        let mut n_samples = 0;
        let mut bytes = [0; 2 * BLOCK_SAMPLES];
        let n_wanted = (2 * pcm.len()).min(bytes.len() - 1);
        // A single byte is no sample yet.
        while n_samples == 0 && n_wanted > 0 {
            let wanted = bytes.get_mut(..n_wanted).unwrap_or_default();
            let n_read = self.line.read(wanted)?;
            if n_read == 0 {
                break;
            }
            for &byte in wanted.iter().take(n_read) {
                match self.low.take() {
                    None => self.low = Some(byte),
                    Some(low) => {
                        if let Some(place) = pcm.get_mut(n_samples) {
                            *place = i16::from_le_bytes([low, byte]);
                            n_samples += 1;
                        }
                    }
                }
            }
        }
        Ok(n_samples)
    }
}

/// When the network runs, and when what it finds is a word that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The network runs at every so many rows of features.
    pub stride_rows: usize,
    /// The mean score from which on a class is heard.
    pub threshold: f32,
    /// So many runs after a word no other is heard: about as long as a word stays in the window.
    pub pause_runs: usize,
}

/// Why there is no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The microphone does not work.
    Microphone(E),
    /// The sound has ended.
    Ended,
    /// There is no such front end.
    FrontEnd(frontend::Error),
    /// The model's input is not the window of features or its output not the classes, or they are neither f32 nor int8.
    Model(dunlin::Error),
}

impl<E> From<dunlin::Error> for Error<E> {
    fn from(error: dunlin::Error) -> Error<E> {
        Error::Model(error)
    }
}

/// Listens for words. The last `WINDOW` features are the model's input (`[1, rows, features, 1]`, or any shape with as
/// many elements), its output has `CLASSES` scores, of which the mean over the last `RUNS` runs decides.
///
/// Source of the smoothing: G. Chen, C. Parada, G. Heigold, "Small-footprint keyword spotting using deep neural
/// networks", ICASSP 2014, section 2.3.
pub struct Keyword<'m, M, const WINDOW: usize, const CLASSES: usize, const RUNS: usize> {
    microphone: M,
    front_end: FrontEnd<'m, i32>,
    /// Samples that the front end has not taken: from where, and up to where.
    block: [i16; BLOCK_SAMPLES],
    taken: usize,
    filled: usize,
    window: HistoryBuf<i16, WINDOW>,
    n_new_rows: usize,
    scores: HistoryBuf<[f32; CLASSES], RUNS>,
    /// Runs since a word was heard.
    n_quiet: usize,
    settings: Settings,
}

impl<'m, M: Microphone, const WINDOW: usize, const CLASSES: usize, const RUNS: usize>
    Keyword<'m, M, WINDOW, CLASSES, RUNS>
{
    /// Listens to `microphone`, whose sample rate is that of `front_end`; `memory` is the front end's
    /// ([`Config::memory_bytes`]).
    ///
    /// # Errors
    /// [`Error::FrontEnd`].
    pub fn new(
        microphone: M,
        front_end: Config,
        memory: &'m mut [u8],
        settings: Settings,
    ) -> Result<Self, Error<Infallible>> {
        Ok(Keyword {
            microphone,
            front_end: FrontEnd::new(front_end, memory).map_err(Error::FrontEnd)?,
            block: [0; BLOCK_SAMPLES],
            taken: 0,
            filled: 0,
            window: HistoryBuf::new(),
            n_new_rows: 0,
            scores: HistoryBuf::new(),
            n_quiet: settings.pause_runs,
            settings,
        })
    }

    /// Takes a block of samples, or what is left of one; the word that was heard with it, if there was one. To be called
    /// again and again.
    ///
    /// # Errors
    /// If the microphone does not work, the sound has ended, or the model does not fit.
    pub fn next(&mut self, session: &mut Session) -> Result<Option<Decision>, Error<M::Error>> {
        if !self.next_row()? {
            return Ok(None);
        }
        self.n_new_rows += 1;
        if !self.window.is_full() || self.n_new_rows < self.settings.stride_rows {
            return Ok(None);
        }
        self.n_new_rows = 0;
        input::write_features(session, 0, self.window.as_slices())?;
        let mut scores = [0.0; CLASSES];
        input::read(session.run(), 0, &mut scores)?;
        self.scores.write(scores);
        Ok(self.decide())
    }

    /// Whether a row of features has come.
    fn next_row(&mut self) -> Result<bool, Error<M::Error>> {
        if self.taken == self.filled {
            let n_read = self.microphone.read(&mut self.block).map_err(Error::Microphone)?;
            if n_read == 0 {
                return Err(Error::Ended);
            }
            (self.taken, self.filled) = (0, n_read.min(BLOCK_SAMPLES));
        }
        let mut pcm = self.block.get(self.taken..self.filled).unwrap_or_default();
        let row = self.front_end.next_row(&mut pcm);
        self.taken = self.filled - pcm.len();
        row.iter().for_each(|row| self.window.extend_from_slice(row));
        Ok(row.is_some())
    }

    fn decide(&mut self) -> Option<Decision> {
        self.n_quiet = self.n_quiet.saturating_add(1);
        if !self.scores.is_full() || self.n_quiet <= self.settings.pause_runs {
            return None;
        }
        let sum = |class: usize| self.scores.iter().filter_map(|scores| scores.get(class)).sum::<f32>();
        let decision = input::largest((0..CLASSES).map(|class| sum(class) / RUNS as f32))?;
        let is_heard = decision.score >= self.settings.threshold;
        if is_heard {
            self.n_quiet = 0;
        }
        is_heard.then_some(decision)
    }

    /// The microphone, for others.
    pub fn release(self) -> M {
        self.microphone
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use dunlin::ops::{FullyConnected, bounds::Bounds};
    use dunlin::{Arena, DType, Model, ops};
    use dunlin_converter::program::AlignedBytes;
    use dunlin_converter::{Data, Graph, Program};
    use embedded_io::{ErrorKind, ErrorType};

    use super::*;

    const CONFIG: Config = Config::SPEECH_8_KHZ;
    const N_FEATURES: usize = 10;
    const N_ROWS: usize = 4;
    const N: usize = N_ROWS * N_FEATURES;

    /// Two outputs: the mean of the second coefficient, which is positive for low sounds, and its negative.
    fn pitch() -> Program {
        let mut g = Graph::new("pitch");
        let x = g.input("x", &[1, N]).unwrap();
        let row = |w: f32| (0..N).map(move |i| if i % N_FEATURES == 1 { w } else { 0.0 });
        let weights = row(1.0 / N_ROWS as f32).chain(row(-1.0 / N_ROWS as f32)).collect();
        let w = g.constant("w", &[2, N], Data::F32(weights)).unwrap();
        let y = g.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
        g.mark_output(y);
        Program::compile(&g).unwrap()
    }

    fn tone(hz: f64, n_samples: usize) -> Vec<i16> {
        let phase = |i: usize| i as f64 * hz / 8000.0 * core::f64::consts::TAU;
        (0..n_samples).map(|i| (8000.0 * phase(i).sin()) as i16).collect()
    }

    /// A microphone that hands over what it heard in blocks of all lengths.
    fn microphone(pcm: &[i16]) -> impl Microphone<Error = ErrorKind> {
        let (mut rest, mut n_calls) = (pcm, 0);
        move |block: &mut [i16]| {
            n_calls += 1;
            let (now, later) = rest.split_at((n_calls % 60 + 1).min(block.len()).min(rest.len()));
            block[..now.len()].copy_from_slice(now);
            rest = later;
            Ok(now.len())
        }
    }

    /// What is heard until the sound ends, and at which sample.
    fn heard<M: Microphone>(mut keyword: Keyword<M, N, 2, 3>, session: &mut Session) -> Vec<usize>
    where
        M::Error: core::fmt::Debug,
    {
        let mut classes = Vec::new();
        loop {
            match keyword.next(session) {
                Ok(decision) => classes.extend(decision.map(|decision| decision.class)),
                Err(Error::Ended) => return classes,
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn with_session<R>(program: &Program, work: impl FnOnce(&mut Session) -> R) -> R {
        let model = Model::check(program.bytes(), ops::ALL).unwrap();
        let mut arena = AlignedBytes::zeroed(model.arena_bytes());
        work(&mut Session::new(&model, &mut arena).unwrap())
    }

    /// Half a second each of a low and a high tone.
    fn two_tones() -> Vec<i16> {
        [tone(300.0, 4000), tone(3000.0, 4000)].concat()
    }

    #[test]
    fn each_sound_is_heard_once() {
        let settings = Settings { stride_rows: 2, threshold: 1.0, pause_runs: 8 };
        let pcm = two_tones();
        let heard = with_session(&pitch(), |session| {
            let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
            heard(Keyword::new(microphone(&pcm), CONFIG, &mut memory, settings).unwrap(), session)
        });
        // Of 49 rows the first decision needs 8 (three windows of four); then one run of nine at every second row may
        // hear something: at row 26, which is the first of the high tone with three of the low one, and at row 44.
        assert_eq!(heard, [0, 0, 1]);
        let deaf = Settings { threshold: f32::MAX, ..settings };
        let heard = with_session(&pitch(), |session| {
            let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
            self::heard(Keyword::new(microphone(&pcm), CONFIG, &mut memory, deaf).unwrap(), session)
        });
        assert_eq!(heard, [0; 0]);
    }

    /// The mean of `RUNS` runs decides: one loud one among quiet ones does not reach what it reaches alone.
    #[test]
    fn scores_are_smoothed() {
        let settings = Settings { stride_rows: 1, threshold: 2.0, pause_runs: 0 };
        let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
        let mut keyword = Keyword::<_, N, 2, 3>::new(microphone(&[]), CONFIG, &mut memory, settings).unwrap();
        let mut decide = |scores: [f32; 2]| {
            keyword.scores.write(scores);
            keyword.decide()
        };
        assert_eq!(decide([9.0, 0.0]), None, "too few runs");
        assert_eq!(decide([0.0, 0.0]), None, "too few runs");
        assert_eq!(decide([0.0, 1.0]), Some(Decision { class: 0, score: 3.0 }));
        assert_eq!(decide([0.0, 1.0]), None, "below the threshold");
        assert_eq!(decide([0.0, 4.0]), Some(Decision { class: 1, score: 2.0 }));
    }

    /// A line whose reads end in the middle of samples.
    struct Line<'a>(&'a [u8], usize);

    impl ErrorType for Line<'_> {
        type Error = ErrorKind;
    }

    impl Read for Line<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
            self.1 = self.1 % 7 + 1;
            let n_bytes = self.1.min(bytes.len());
            self.0.read(&mut bytes[..n_bytes]).map_err(|_| ErrorKind::Other)
        }
    }

    #[test]
    fn samples_on_a_line_are_those_of_a_closure() {
        let pcm = two_tones();
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut samples = Samples::new(Line(&bytes, 0));
        let mut found = Vec::new();
        loop {
            let mut block = [0; 5];
            match samples.read(&mut block).unwrap() {
                0 => break,
                n => found.extend_from_slice(&block[..n]),
            }
        }
        assert_eq!(found, pcm);
        assert_eq!(Samples::new(Line(&[1, 2, 3], 0)).read(&mut []), Ok(0));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let settings = Settings { stride_rows: 1, threshold: 0.0, pause_runs: 0 };
        let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
        let error = Keyword::<_, N, 2, 1>::new(microphone(&[]), CONFIG, &mut memory[..8], settings).err();
        assert_eq!(error, Some(Error::FrontEnd(frontend::Error::MemoryTooSmall)));

        let broken = |_: &mut [i16]| Err(ErrorKind::Interrupted);
        let mut keyword = Keyword::<_, N, 2, 1>::new(broken, CONFIG, &mut memory, settings).unwrap();
        let error = with_session(&pitch(), |session| keyword.next(session));
        assert_eq!(error, Err(Error::Microphone(ErrorKind::Interrupted)));

        // A window of another length than the model's input, and more classes than it has.
        let pcm = tone(440.0, 2000);
        let first_error = |error: &mut dyn FnMut() -> Result<Option<Decision>, Error<ErrorKind>>| {
            (0..1000).find_map(|_| error().err())
        };
        with_session(&pitch(), |session| {
            let mut keyword =
                Keyword::<_, { N - 1 }, 2, 1>::new(microphone(&pcm), CONFIG, &mut memory, settings).unwrap();
            let error = first_error(&mut || keyword.next(session));
            assert_eq!(error, Some(Error::Model(dunlin::Error::WrongLength)));
            let mut keyword =
                Keyword::<_, N, 3, 1>::new(microphone(&pcm), CONFIG, &mut memory, settings).unwrap();
            let error = first_error(&mut || keyword.next(session));
            assert_eq!(error, Some(Error::Model(dunlin::Error::WrongLength)));
            assert_eq!(session.model().input(0).unwrap().ty.dtype, DType::F32);
        });
    }
}
