//! What host and board say to each other.
//!
//! A packet is the protocol's version (one byte), then, in postcard, a sequence number and the message. An answer has
//! the sequence number of its request: the host throws others away, which are late answers to what it has sent again.

use serde::{Deserialize, Serialize};

use crate::frame::{self, CHECKED_MAX_BYTES, FRAME_MAX_BYTES, PACKET_MAX_BYTES};

/// The version of the protocol. Both ends refuse any other.
pub const VERSION: u8 = 2;

/// The most data in one packet, in bytes: what the longest of the other fields leave.
pub const DATA_MAX_BYTES: usize = 256;

/// The longest text in an [`Identity`], in bytes; longer ones are cut.
pub const TEXT_MAX_BYTES: usize = 48;

/// What the host asks. Runs and transfers have numbers that the host chooses, a new one for each: by them a board
/// knows what belongs together, and what it has done already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Who is there? Answer: [`Reply::Identity`].
    Identify,
    /// The type of an input, or of an output. Answer: [`Reply::Port`].
    Port {
        /// Of an output, not of an input.
        output: bool,
        /// Which one, from 0.
        index: u32,
    },
    /// From here on this is the transfer; whatever was in progress is dropped. Answer: [`Reply::Received`].
    Begin {
        /// Its number.
        id: u32,
        /// What is to be transferred.
        what: Transfer,
    },
    /// A part of the transfer. Parts come in order; one that has been received before changes nothing.
    /// Answer: [`Reply::Received`].
    Part {
        /// The transfer's number.
        id: u32,
        /// Where the part begins, in bytes.
        offset: u32,
        /// At most [`DATA_MAX_BYTES`].
        data: &'a [u8],
    },
    /// Run on the inputs that were transferred, which the run overwrites. Answer: [`Reply::Ran`].
    Run {
        /// The transfer's number.
        id: u32,
    },
    /// Part of the outputs of that run. Answer: [`Reply::Output`].
    Output {
        /// The transfer's number.
        id: u32,
        /// Where the part begins, in bytes of all outputs, in order.
        offset: u32,
    },
    /// What a step took in that run. Answer: [`Reply::Ticks`].
    StepTicks {
        /// The transfer's number.
        id: u32,
        /// Which step, from 0.
        step: u32,
    },
    /// Use the model that was transferred from now on: one in RAM until the board restarts, one in flash until another
    /// replaces it. Answer: [`Reply::Switched`].
    Switch {
        /// The transfer's number.
        id: u32,
    },
}

/// What is transferred to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transfer {
    /// The bytes of all inputs of a run, in order.
    Inputs {
        /// The checksum of the model that they are for: the board may have restarted with another one.
        model: u32,
    },
    /// A `.dunlin` file of this length, into RAM.
    Model {
        /// The file's length.
        n_bytes: u32,
    },
    /// A `.dunlin` file of this length, into flash. Its parts begin at multiples of [`RECORD_BYTES`](crate::slots).
    Stored {
        /// The file's length.
        n_bytes: u32,
    },
}

/// What the board answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// To [`Request::Identify`].
    #[serde(borrow)]
    Identity(Identity<'a>),
    /// To [`Request::Port`].
    Port(PortType),
    /// So many bytes of this transfer have been received.
    Received {
        /// From the transfer's start, in bytes.
        n_bytes: u32,
    },
    /// The run is done.
    Ran {
        /// How long it took; see [`Identity::ticks_per_second`].
        ticks: u64,
    },
    /// Bytes of the outputs from the offset asked for: as many as there are, up to [`DATA_MAX_BYTES`].
    Output(&'a [u8]),
    /// How long the step took; `None` for a step that is not timed, since there are too many.
    Ticks(Option<u32>),
    /// The model that was transferred is in use.
    Switched,
    /// The request cannot be served. Nothing was changed by it.
    Refused(Refusal),
}

/// Who the board is and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity<'a> {
    /// The board's name, as `--board` takes it.
    pub board: &'a str,
    /// Its processor core.
    pub core: &'a str,
    /// How fast its clock ticks, in Hz: most often once a cycle of the core.
    pub ticks_per_second: u32,
    /// Bytes of RAM in which a transferred model (and its arena, if it is larger than that of the firmware's own) fits.
    pub free_bytes: u32,
    /// Bytes of flash in which a transferred model fits; 0 if there is none for models.
    pub flash_bytes: u32,
    /// The model in use, if there is one.
    pub model: Option<ModelIdentity<'a>>,
}

/// What is to be known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity<'a> {
    /// Its name, or how it begins.
    pub name: &'a str,
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
    /// How many inputs.
    pub n_inputs: u32,
    /// How many outputs.
    pub n_outputs: u32,
    /// How many steps.
    pub n_steps: u32,
    /// Where it lies.
    pub origin: Origin,
}

/// Where a model lies, and what becomes of it when the board restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// In the firmware: it is there again if no other is stored.
    Firmware,
    /// It was transferred into flash, and stays.
    Stored,
    /// It was transferred into RAM, and is lost.
    Ram,
}

/// The type of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortType {
    /// The number of a [`dunlin::DType`].
    pub dtype: u8,
    /// How many of the dimensions count.
    pub rank: u8,
    /// Dimensions, filled up with 1.
    pub dims: [u32; 4],
    /// Scale of its numbers; 0 if they are not quantized.
    pub scale: f32,
    /// Zero point of its numbers.
    pub zero_point: i32,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The request is not one of this version.
    Unreadable,
    /// There is no model: transfer one.
    NoModel,
    /// The runtime refuses the model; the code of a [`dunlin::Error`].
    Model(u8),
    /// The inputs are for another model than the one in use.
    OtherModel,
    /// There is no such input, output or step.
    NoSuchIndex,
    /// This is not the transfer in progress, or the last run: the board has restarted, or serves another host. Begin
    /// again.
    OtherTransfer,
    /// The part does not follow those that were received, or is longer than what is missing.
    WrongPart {
        /// Bytes received so far.
        received_bytes: u32,
    },
    /// The transfer is not complete.
    Incomplete {
        /// Bytes received so far.
        received_bytes: u32,
    },
    /// The inputs were not run: outputs and times are those of a run.
    NotRun,
    /// The RAM does not hold the model, or its arena.
    NoRoom {
        /// What it could hold.
        free_bytes: u32,
    },
    /// The board's flash does not hold the model.
    NoRoomInFlash {
        /// What it could hold; 0 if the board keeps no flash for models.
        flash_bytes: u32,
    },
    /// The flash does not take what is written. The model in use is still that of before.
    FlashFailed,
    /// The model takes one input by rows and has others, too: over the line there is no order of them.
    Rows,
    /// The model in RAM was dropped to make room: ask again.
    Again,
}

/// Why a packet was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is of another version of the protocol.
    Version(u8),
    /// It does not decode: the other end disagrees about the messages of this version.
    Malformed,
}

/// Writes a message as a frame for the line; `None` if it is too long.
pub fn encode<'f>(
    seq: u32,
    message: &impl Serialize,
    frame: &'f mut [u8; FRAME_MAX_BYTES],
) -> Option<&'f [u8]> {
    let mut packet = [0; CHECKED_MAX_BYTES];
    let place = packet.get_mut(..PACKET_MAX_BYTES)?;
    let n_bytes = postcard::to_slice(&(VERSION, seq, message), place).ok()?.len();
    frame::encode(&mut packet, n_bytes, frame)
}

/// Reads a packet: its sequence number and message.
///
/// # Errors
/// If it is of another version, or nothing of this one.
pub fn decode<'p, M: Deserialize<'p>>(packet: &'p [u8]) -> Result<(u32, M), Problem> {
    match packet.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((message, [])) => Ok(message),
            _ => Err(Problem::Malformed),
        },
        Some((&version, _)) => Err(Problem::Version(version)),
        None => Err(Problem::Malformed),
    }
}

/// The start of a text, at most [`TEXT_MAX_BYTES`] long.
pub fn cut(text: &str) -> &str {
    let n_bytes = (0..=TEXT_MAX_BYTES.min(text.len())).rev().find(|&n| text.is_char_boundary(n));
    text.get(..n_bytes.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use super::*;

    #[test]
    fn the_longest_messages_fit_a_packet() {
        let mut frame = [0; FRAME_MAX_BYTES];
        let data = [0xff; DATA_MAX_BYTES];
        let part = Request::Part { id: u32::MAX, offset: u32::MAX, data: &data };
        assert!(encode(u32::MAX, &part, &mut frame).is_some());
        assert!(encode(u32::MAX, &Reply::Output(&data), &mut frame).is_some());
        let text = String::from_utf8(std::vec![b'x'; TEXT_MAX_BYTES]).unwrap();
        let model = ModelIdentity {
            name: &text,
            checksum: u32::MAX,
            file_bytes: u32::MAX,
            arena_bytes: u32::MAX,
            input_bytes: u32::MAX,
            output_bytes: u32::MAX,
            n_inputs: u32::MAX,
            n_outputs: u32::MAX,
            n_steps: u32::MAX,
            origin: Origin::Ram,
        };
        let identity = Identity {
            board: &text,
            core: &text,
            ticks_per_second: u32::MAX,
            free_bytes: u32::MAX,
            flash_bytes: u32::MAX,
            model: Some(model),
        };
        let frame = encode(u32::MAX, &Reply::Identity(identity), &mut frame).unwrap();
        let mut receiver = frame::Receiver::new();
        let n_found = frame.iter().filter(|&&byte| {
            receiver
                .push(byte)
                .is_some_and(|packet| decode::<Reply>(packet) == Ok((u32::MAX, Reply::Identity(identity))))
        });
        assert_eq!(n_found.count(), 1);
    }

    #[test]
    fn other_versions_are_told_apart_from_nonsense() {
        assert_eq!(decode::<Request>(&[VERSION, 5, 0]), Ok((5, Request::Identify)));
        assert_eq!(decode::<Request>(&[VERSION + 1, 5, 0]), Err(Problem::Version(VERSION + 1)));
        assert_eq!(decode::<Request>(&[VERSION, 5, 0, 0]), Err(Problem::Malformed));
        assert_eq!(decode::<Request>(&[VERSION, 5, 200]), Err(Problem::Malformed));
        assert_eq!(decode::<Request>(&[]), Err(Problem::Malformed));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("digits"), "digits");
        let long = "ä".repeat(TEXT_MAX_BYTES);
        assert_eq!(cut(&std::format!("x{long}")).len(), TEXT_MAX_BYTES - 1);
    }
}
