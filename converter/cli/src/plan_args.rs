//! The options that choose a plan, for every command that converts.

use std::path::Path;

use dunlin_converter::Result;
use dunlin_converter::file::ModelFile;
use dunlin_converter::import::Layout;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::{Choice, Memory, Request};
use dunlin_converter::program::Rewrite;

/// How the network is rewritten and its working memory planned, where the file is converted
#[derive(clap::Args)]
pub struct PlanArgs {
    /// The plan, as `dunlin plan` names it: `whole` is the fastest, `rows` needs the fewest bytes; for those with `fed`
    /// the caller hands over the input row by row, as a camera does
    #[arg(long, value_enum, value_name = "PLAN")]
    plan: Option<Kind>,
    /// The most RAM for the arena, such as 20000 or 16k: the fastest plan with the input in memory that fits is taken
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    ram: Option<usize>,
    /// The most flash for the model file, such as 256k: what plain weights leave of it is spent on layers whose weights the
    /// core's kernels need fewer instructions for in a form that takes more bytes, first on those that save most for a byte
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    flash: Option<usize>,
    /// A memory of the chip, such as dtcm=64k: given several times, the fastest first, the tensors that are used most go
    /// into the fastest
    #[arg(long, value_name = "NAME=BYTES", value_parser = memory)]
    memory: Vec<Memory>,
    /// How long to search for a plan, in about seconds
    #[arg(long, default_value_t = Request::default().effort, value_parser = effort)]
    effort: usize,
    /// Leave in the model the channels that are the same for every input; without them every output is the same
    #[arg(long)]
    keep_dead_channels: bool,
    /// How images and series lie in inputs and outputs of an .onnx file, which has channels first: `nhwc` turns them, as cameras
    /// and sensors give them, so that the device moves nothing; `nchw` keeps the file's order, in which the device moves them
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = InputLayout::Nhwc)]
    input_layout: InputLayout,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum InputLayout {
    Nhwc,
    Nchw,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Whole,
    Overlap,
    Rows,
    OverlapFed,
    RowsFed,
}

impl PlanArgs {
    /// What is asked.
    pub fn request(&self) -> Request {
        let choice = self.plan.map(|kind| match kind {
            Kind::Whole => Choice::Whole,
            Kind::Overlap | Kind::OverlapFed => Choice::Overlap,
            Kind::Rows | Kind::RowsFed => Choice::Rows,
        });
        let fed = matches!(self.plan, Some(Kind::OverlapFed | Kind::RowsFed));
        Request {
            choice,
            fed,
            ram_bytes: self.ram,
            flash_bytes: self.flash,
            memories: self.memory.clone(),
            effort: self.effort,
        }
    }

    /// How inputs and outputs lie.
    pub fn layout(&self) -> Layout {
        match self.input_layout {
            InputLayout::Nhwc => Layout::ChannelsLast,
            InputLayout::Nchw => Layout::AsInFile,
        }
    }

    /// The model in a file, which is converted as asked if it is of another format.
    pub fn read(&self, path: &Path, packing: Packing) -> Result<ModelFile> {
        ModelFile::read_with(path, &self.request(), self.rewrite(packing), self.layout())
    }

    /// Whether the flash for the model is limited.
    pub fn has_flash(&self) -> bool {
        self.flash.is_some()
    }

    /// How the network is rewritten for a core.
    pub fn rewrite(&self, packing: Packing) -> Rewrite {
        Rewrite { keep_dead_channels: self.keep_dead_channels, ..packing.into() }
    }
}

/// A number of bytes, with `k` for 1,024 or `m` for 1,048,576 of them.
pub fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.to_ascii_lowercase().strip_suffix(['k', 'm']) {
        Some(digits) => (digits.to_owned(), if text.ends_with(['k', 'K']) { 1 << 10 } else { 1 << 20 }),
        None => (text.to_owned(), 1usize),
    };
    let number: usize =
        digits.parse().map_err(|_| "give a number of bytes, such as 20000 or 16k".to_string())?;
    number.checked_mul(unit).ok_or("that is more than this machine can count".to_string())
}

/// A memory's name and its bytes.
fn memory(text: &str) -> Result<Memory, String> {
    match text.split_once('=') {
        Some((name, size)) if !name.is_empty() => Ok(Memory { name: name.to_string(), bytes: bytes(size)? }),
        _ => Err("give a name and a size, such as dtcm=64k".to_string()),
    }
}

/// A search of 1 to 3,600 seconds, about.
pub fn effort(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(effort @ 1..=3600) => Ok(effort),
        _ => Err("give a number from 1 to 3600".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(["7", "16k", "2M"].map(|text| bytes(text).ok()), [Some(7), Some(16 << 10), Some(2 << 20)]);
        assert!(
            ["", "k", "1.5k", "-1", "99999999999999999999k", "18446744073709551615k"]
                .iter()
                .all(|text| bytes(text).is_err())
        );
    }
}
