//! Whether a model fits a core's board.

use std::fmt;

use serde::Serialize;

use super::boards::Board;
use super::{Result, boards, home};
use crate::report::ModelReport;

/// A model beside the memories of a board. What the firmware itself takes comes on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The board.
    pub board: String,
    /// Its core.
    pub core: String,
    /// Bytes of the model, which lies in flash.
    pub model_bytes: u64,
    /// All flash of the board.
    pub flash_bytes: u64,
    /// Bytes of the arena.
    pub arena_bytes: u64,
    /// All RAM of the board.
    pub ram_bytes: u64,
    /// Whether both memories hold what the model needs of them.
    pub fits: bool,
}

impl Fit {
    /// Of the board that stands for `core`; see [`boards::find`].
    ///
    /// # Errors
    /// If there is no such core; names those that there are.
    pub fn of(core: &str, report: &ModelReport) -> Result<Fit> {
        Fit::on(boards::find(&boards::discover(&home()?)?, core)?, report)
    }

    fn on(board: &Board, report: &ModelReport) -> Result<Fit> {
        let memory = board.memory()?;
        let (model_bytes, arena_bytes) = (report.model_bytes as u64, report.plan.arena_bytes as u64);
        Ok(Fit {
            board: board.name.clone(),
            core: board.core.clone(),
            model_bytes,
            flash_bytes: memory.flash_bytes,
            arena_bytes,
            ram_bytes: memory.ram_bytes,
            fits: model_bytes <= memory.flash_bytes && arena_bytes <= memory.ram_bytes,
        })
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fit { board, model_bytes, flash_bytes, arena_bytes, ram_bytes, fits, .. } = self;
        let verdict = match fits {
            true => "code, stack and variables come on top (dunlin bench measures them)",
            false => "it does not fit",
        };
        write!(
            f,
            "on {board} the model takes {model_bytes} of {flash_bytes} bytes of flash and the arena {arena_bytes} \
             of {ram_bytes} bytes of RAM: {verdict}"
        )
    }
}
