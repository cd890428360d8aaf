//! Files of a folder, whose names say what is in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file, and what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub path: PathBuf,
    /// Text by field.
    pub fields: BTreeMap<String, String>,
}

/// All files with this extension in a folder and those within it, in the order of their paths. `pattern` is how a path
/// below the folder is read: `{label}_{speaker}_{recording}.wav`, or `{label}/{file}.png`.
///
/// # Errors
/// If the folder cannot be read, has no such file, or a name does not match; names it.
pub(super) fn named_files(folder: &Path, extension: &str, pattern: &str) -> Result<Vec<Named>> {
    let mut paths = Vec::new();
    collect(folder, extension, &mut paths)?;
    if paths.is_empty() {
        let what = format!("has no .{extension} files");
        return Err(Error::File { path: folder.to_owned(), what });
    }
    let named = |path: PathBuf| {
        let below = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        match fields(&below, pattern) {
            Some(fields) => Ok(Named { path, fields }),
            None => Err(Error::File { path, what: format!("its name does not match `{pattern}`") }),
        }
    };
    paths.into_iter().map(named).collect()
}

/// The same, where the names have a `{label}`.
///
/// # Errors
/// As [`named_files`], and if they have none.
pub(super) fn labelled_files(folder: &Path, extension: &str, pattern: &str) -> Result<Vec<Named>> {
    if !pattern.contains("{label}") {
        return Err(Error::Invalid(format!("the pattern of names `{pattern}` has no {{label}}")));
    }
    named_files(folder, extension, pattern)
}

/// The different names, and the number of each: in the order of numbers where all are numbers, otherwise in that of the
/// alphabet.
pub(super) fn classes<'l>(labels: impl Iterator<Item = &'l str>) -> (Vec<String>, Vec<usize>) {
    let labels: Vec<&str> = labels.collect();
    let mut classes = labels.clone();
    classes.sort_unstable();
    classes.dedup();
    let numbers: Option<Vec<i64>> = classes.iter().map(|class| class.parse().ok()).collect();
    if numbers.is_some() {
        classes.sort_by_key(|class| class.parse::<i64>().unwrap_or_default());
    }
    let numbers: BTreeMap<&str, usize> = classes.iter().enumerate().map(|(i, &class)| (class, i)).collect();
    let of_each = labels.iter().map(|label| numbers[label]).collect();
    (classes.iter().map(ToString::to_string).collect(), of_each)
}

fn collect(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(Error::io(folder))?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, extension, paths)?;
        } else if path.extension().is_some_and(|own| own.eq_ignore_ascii_case(extension)) {
            paths.push(path);
        }
    }
    Ok(())
}

/// The fields of `name` by `pattern`: text in braces names a field, which ends where the text behind it begins.
fn fields(name: &str, pattern: &str) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    let (mut name, mut pattern) = (name, pattern);
    while let Some((before, rest)) = pattern.split_once('{') {
        let (field, after) = rest.split_once('}')?;
        name = name.strip_prefix(before)?;
        let end = match after.split('{').next().unwrap_or_default() {
            "" => name.len(),
            next => name.find(next)?,
        };
        fields.insert(field.to_string(), name[..end].to_string());
        (name, pattern) = (&name[end..], after);
    }
    (name == pattern).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_fields() {
        let of = |name, pattern| fields(name, pattern).map(|fields| fields.into_values().collect::<Vec<_>>());
        let strings = |values: &[&str]| Some(values.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of("7_jackson_32.wav", "{a}_{b}_{c}.wav"), strings(&["7", "jackson", "32"]));
        assert_eq!(of("yes/0a1.wav", "{a}/{b}.wav"), strings(&["yes", "0a1"]));
        assert_eq!(of("tone.wav", "{a}_{b}.wav"), None);
        assert_eq!(of("tone.wav", "{a}.flac"), None);
        assert_eq!(of("tone.wav", "{a"), None);
    }

    #[test]
    fn classes_are_in_order() {
        let of = |labels: &[&str]| classes(labels.iter().copied());
        let strings = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of(&["yes", "no", "yes"]), (strings(&["no", "yes"]), vec![1, 0, 1]));
        assert_eq!(of(&["10", "9", "-1", "9"]), (strings(&["-1", "9", "10"]), vec![2, 1, 0, 1]));
        assert_eq!(of(&["10", "9", "x"]).0, strings(&["10", "9", "x"]));
    }

    #[test]
    fn folders_that_do_not_serve_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path, pattern| labelled_files(path, "png", pattern).unwrap_err().to_string();
        assert!(error(folder.path(), "{label}.png").ends_with("has no .png files"));
        assert!(error(&folder.path().join("none"), "{label}.png").contains("none: "));
        std::fs::write(folder.path().join("a.PNG"), b"").unwrap();
        assert!(
            error(folder.path(), "{label}/{n}.png")
                .ends_with("a.PNG: its name does not match `{label}/{n}.png`")
        );
        assert!(error(folder.path(), "{n}.PNG").ends_with("`{n}.PNG` has no {label}"));
    }
}
