//! The protocol between a host and a board that runs a model, over any line that carries bytes: a UART, a pipe, TCP.
//!
//! Three layers, each of which knows only those before it:
//!
//! 1. [`frame`]: packets on the line. Each is followed by its CRC-32, encoded with COBS, and stands between zero
//!    bytes, which nothing else on the line contains: whoever joins in the middle is in step at the next zero.
//! 2. [`message`]: what the packets hold, in postcard: version, sequence number, and a [`Request`] or its [`Reply`].
//! 3. [`server`] and [`serve`]: the board's end, with [`slots`] of flash for models that are to stay. The host's is in the
//!    converter (`device::link`).
//!
//! The host asks and the board answers; the board never speaks first. A request without an answer is sent again, and
//! none does harm when it is handled twice: data has its offset, a run its number, and a run that is done is not run
//! again but reported again. What follows from it: bytes that are lost, repeated or corrupted cost time and nothing
//! else, and when either side restarts, only the run in progress is lost; the host starts that one anew.
#![no_std]

pub mod frame;
pub mod message;
mod serve;
pub mod server;
pub mod slots;

pub use message::{Identity, ModelIdentity, Origin, PortType, Refusal, Reply, Request, Transfer, VERSION};
pub use serve::{Device, Wire, serve};
pub use server::{Board, Clock, Event, Memory, Server};
pub use slots::Slot;
