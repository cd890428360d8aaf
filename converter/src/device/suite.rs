//! Running many models on one emulated board, in one start of the firmware with all operators.
//!
//! The format of what is sent and answered is described in `boards/support/src/suite.rs`.

use std::path::Path;

use dunlin_timing::Tally;

use super::{
    Error, Result,
    boards::Board,
    emulator::{self, Options},
    firmware::Firmware,
};

/// Instead of a model's length: the firmware is to fault.
const FAULT: u32 = u32::MAX;
/// Statuses beside 0 and the runtime's error codes.
const NO_ROOM: u32 = u32::MAX;
const WRONG_INPUT: u32 = u32::MAX - 1;
const ARENA_TOO_SMALL: u32 = dunlin::Error::ArenaTooSmall as u32;

/// A model with its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The `.dunlin` file.
    pub model: &'a [u8],
    /// The bytes of all input tensors, in order.
    pub inputs: &'a [u8],
}

/// What the board made of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bytes of all output tensors, in order, and the counts of instructions, if they were counted.
    Ran {
        /// The outputs.
        outputs: Vec<u8>,
        /// Of the check and the making of a session.
        init_instructions: Option<u64>,
        /// Of the run.
        run_instructions: Option<u64>,
    },
    /// The runtime refuses the model; the code of the [`dunlin::Error`].
    Refused(u32),
    /// The inputs' length is not that of the model's input tensors.
    WrongInput,
    /// The model and its arena are larger than the board's RAM.
    NoRoom,
}

/// Runs all cases; the answers are in their order.
pub fn run(
    home: &Path,
    board: &Board,
    firmware: &Firmware,
    cases: &[Case],
    options: Options,
) -> Result<Vec<Answer>> {
    let mut input = Vec::new();
    for bytes in cases.iter().flat_map(|case| [case.model, case.inputs]) {
        let n_bytes = u32::try_from(bytes.len()).ok().filter(|&n_bytes| n_bytes < FAULT);
        input.extend(n_bytes.ok_or_else(|| malformed(board, "4 GiB or more for one case"))?.to_le_bytes());
        input.extend(bytes);
    }
    let emulation = emulator::run(home, board, firmware, &input, options)?;
    let regions = emulation.counts.as_ref().map(|counts| counts.regions.iter());
    let mut answers = Answers { board, rest: &emulation.output, regions };
    cases.iter().map(|_| answers.next()).collect()
}

/// An input on which the firmware faults.
pub fn fault_input() -> [u8; 4] {
    FAULT.to_le_bytes()
}

/// The board's output and counts, taken apart from the front.
struct Answers<'a> {
    board: &'a Board,
    rest: &'a [u8],
    regions: Option<std::slice::Iter<'a, Tally>>,
}

impl Answers<'_> {
    fn next(&mut self) -> Result<Answer> {
        let status = self.number()?;
        let n_bytes = self.number()? as usize;
        let (outputs, rest) = self.rest.split_at_checked(n_bytes).ok_or_else(|| self.too_short())?;
        self.rest = rest;
        if status == NO_ROOM {
            return Ok(Answer::NoRoom);
        }
        let init_instructions = self.count()?;
        Ok(match status {
            0 => {
                Answer::Ran { outputs: outputs.to_vec(), init_instructions, run_instructions: self.count()? }
            }
            WRONG_INPUT => Answer::WrongInput,
            // The arena is all the RAM that is left.
            ARENA_TOO_SMALL => Answer::NoRoom,
            code => Answer::Refused(code),
        })
    }

    fn number(&mut self) -> Result<u32> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or_else(|| self.too_short())?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    fn count(&mut self) -> Result<Option<u64>> {
        let Some(regions) = &mut self.regions else { return Ok(None) };
        let count =
            regions.next().ok_or_else(|| malformed(self.board, "fewer counted regions than cases"))?;
        Ok(Some(count.instructions()))
    }

    fn too_short(&self) -> Error {
        malformed(self.board, "fewer answers than cases")
    }
}

fn malformed(board: &Board, problem: &str) -> Error {
    Error::Content { path: board.dir.clone(), problem: format!("the suite's firmware got or gave {problem}") }
}

#[cfg(test)]
mod tests {
    use dunlin_timing::Class;

    use super::*;

    /// The answers in these words of a board's output and counts.
    fn answers(output: &[u32], counts: &[u64], n_cases: usize) -> Result<Vec<Answer>> {
        let board = Board {
            name: "x".into(),
            description: String::new(),
            core: "x".into(),
            chip: "x".into(),
            target: "x".into(),
            cpu: None,
            emulator: Vec::new(),
            memory: None,
            has_usb: false,
            dir: "boards/x".into(),
        };
        let output: Vec<u8> = output.iter().flat_map(|word| word.to_le_bytes()).collect();
        let tally = |&count: &u64| {
            let mut tally = Tally::default();
            tally[Class::Other] = count;
            tally
        };
        let regions: Vec<Tally> = counts.iter().map(tally).collect();
        let mut answers = Answers { board: &board, rest: &output, regions: Some(regions.iter()) };
        (0..n_cases).map(|_| answers.next()).collect()
    }

    #[test]
    fn counts_stay_with_their_cases() {
        let output = [NO_ROOM, 0, ARENA_TOO_SMALL, 0, WRONG_INPUT, 0, 5, 0, 0, 4, 0x0403_0201];
        let ran = Answer::Ran {
            outputs: vec![1, 2, 3, 4],
            init_instructions: Some(40),
            run_instructions: Some(50),
        };
        let expected = [Answer::NoRoom, Answer::NoRoom, Answer::WrongInput, Answer::Refused(5), ran];
        assert_eq!(answers(&output, &[10, 20, 30, 40, 50], 5).unwrap(), expected);
    }

    #[test]
    fn missing_answers_are_an_error() {
        for (output, regions) in [(&[0][..], &[1, 2][..]), (&[0, 4], &[1, 2]), (&[0, 0], &[1])] {
            let error = answers(output, regions, 1).unwrap_err().to_string();
            assert!(error.contains("boards/x") && error.contains("fewer"), "{error}");
        }
    }
}
