//! What a firmware's ELF file says about its size and content.

use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, elf::SHF_ALLOC};

use super::{Error, Result};

/// The symbols of the baked model and of its arena, as `boards/support` names them.
pub const MODEL_SYMBOL: &str = "DUNLIN_MODEL";
/// See [`MODEL_SYMBOL`].
pub const ARENA_SYMBOL: &str = "DUNLIN_ARENA";

/// Sections that only mark RAM which is left over, or (esp-hal's) addresses that are not used.
const LEFT_OVER: [&str; 3] = [".heap", ".stack", ".rotext_dummy"];

/// A firmware's sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Instructions.
    pub text_bytes: u64,
    /// Constants in flash, without the model.
    pub constant_bytes: u64,
    /// Variables with an initial value: in RAM, their first value in flash.
    pub data_bytes: u64,
    /// Variables that start as zero, without the arena.
    pub zeroed_bytes: u64,
    /// The model, in flash, filled up to a multiple of 16; 0 in a firmware without one.
    pub model_bytes: u64,
    /// The model's arena, in RAM, filled up to a multiple of 16; 0 in a firmware without a model.
    pub arena_bytes: u64,
}

impl Sizes {
    /// All that lies in flash except the model: what running it costs.
    pub fn code_bytes(&self) -> u64 {
        self.text_bytes + self.constant_bytes + self.data_bytes
    }

    /// All that lies in flash.
    pub fn flash_bytes(&self) -> u64 {
        self.code_bytes() + self.model_bytes
    }

    /// The variables, without the arena (and without the stack, which no ELF file tells).
    pub fn static_bytes(&self) -> u64 {
        self.data_bytes + self.zeroed_bytes
    }
}

/// Measures an ELF file; `path` is for errors.
pub fn sizes(path: &Path, elf: &[u8]) -> Result<Sizes> {
    let file = parse(path, elf)?;
    let mut sizes = Sizes {
        model_bytes: symbol(&file, MODEL_SYMBOL).map_or(0, |symbol| symbol.size()),
        arena_bytes: symbol(&file, ARENA_SYMBOL).map_or(0, |symbol| symbol.size()),
        ..Sizes::default()
    };
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(SHF_ALLOC) == 0 || section.name().is_ok_and(|name| LEFT_OVER.contains(&name))
        {
            continue;
        }
        let total_bytes = match section.kind() {
            SectionKind::Text => &mut sizes.text_bytes,
            SectionKind::Data => &mut sizes.data_bytes,
            SectionKind::UninitializedData => &mut sizes.zeroed_bytes,
            _ => &mut sizes.constant_bytes,
        };
        *total_bytes += section.size();
    }
    sizes.constant_bytes -= sizes.model_bytes;
    sizes.zeroed_bytes -= sizes.arena_bytes;
    Ok(sizes)
}

/// The names of all functions and variables, as the linker knows them (mangled); `path` is for errors.
pub fn symbol_names(path: &Path, elf: &[u8]) -> Result<Vec<String>> {
    let file = parse(path, elf)?;
    Ok(file
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect())
}

/// The bytes of a constant, by its symbol, if the file has it; `path` is for errors.
pub fn constant<'a>(path: &Path, elf: &'a [u8], name: &str) -> Result<Option<&'a [u8]>> {
    let file = parse(path, elf)?;
    Ok(symbol(&file, name).and_then(|symbol| {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        section.data_range(symbol.address(), symbol.size()).ok()?
    }))
}

fn parse<'a>(path: &Path, elf: &'a [u8]) -> Result<object::File<'a>> {
    object::File::parse(elf).map_err(|error| Error::Content {
        path: path.to_owned(),
        problem: format!("expected firmware in ELF format: {error}"),
    })
}

fn symbol<'a, 'file>(file: &'file object::File<'a>, name: &str) -> Option<object::Symbol<'a, 'file>> {
    file.symbols().find(|symbol| symbol.name() == Ok(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_file_is_named() {
        let error = sizes(Path::new("weights.bin"), b"not an ELF file").unwrap_err().to_string();
        assert!(error.contains("weights.bin") && error.contains("ELF"), "{error}");
    }

    #[test]
    fn sums_follow_the_memories() {
        let sizes = Sizes {
            text_bytes: 10,
            constant_bytes: 20,
            data_bytes: 4,
            zeroed_bytes: 8,
            model_bytes: 100,
            arena_bytes: 50,
        };
        assert_eq!((sizes.code_bytes(), sizes.flash_bytes(), sizes.static_bytes()), (34, 134, 12));
    }
}
