//! Rows of numbers from CSV files, one by one or in windows along time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::Examples;
use super::files::{classes, named_files};
use crate::{Error, Result};

/// What CSV files must have, and what is taken of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// For a folder: how a file's path below it is read, such as `{label}_{take}.csv`.
    pub name: String,
    /// The columns that make a sample, by their names in the first line, in this order: the channels.
    pub columns: Vec<String>,
    /// The column with the class; without it, the field `label` of the file's name.
    pub label: Option<String>,
    /// Columns with numbers that are to be found out, in place of a class: those of a window's last row.
    pub targets: Vec<String>,
    /// Columns with more that is known of a row, such as who was measured, for splits.
    pub fields: Vec<String>,
    /// Samples that are windows of rows; without it a row is a sample.
    pub windows: Option<Windows>,
}

/// Windows along time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows of a window.
    pub rows: usize,
    /// Rows from the beginning of a window to that of the next.
    pub hop: usize,
}

/// What is the same in all rows of a window: the fields, `label` included.
type Fields = BTreeMap<String, String>;

/// Rows that follow each other and belong together.
struct Run {
    fields: Fields,
    /// Channels of the rows, one behind the other.
    values: Vec<f32>,
    /// Targets of the rows, one behind the other.
    targets: Vec<f32>,
}

/// Reads a CSV file, or all of a folder and those within it in the order of their paths: samples of `[columns]`, or of
/// `[rows, columns]` in windows. No window goes beyond a file or a change of the label or a field. The classes are the
/// labels, in the order of numbers or of the alphabet.
///
/// # Errors
/// If a file cannot be read, lacks a column, or has a row of another length or without a finite number where one is wanted;
/// names file, line and column. If nothing is long enough for a window.
pub fn read_csv(path: &Path, table: &Table) -> Result<Examples<f32>> {
    let n_columns = table.columns.len();
    let Windows { rows, hop } = table.windows.unwrap_or(Windows { rows: 1, hop: 1 });
    if n_columns == 0 || rows == 0 || hop == 0 {
        return Err(Error::Invalid(
            "a sample takes a column, and a window a row and a hop of a row".to_string(),
        ));
    }
    let mut runs = Vec::new();
    if path.is_dir() {
        for file in named_files(path, "csv", &table.name)? {
            read(&file.path, file.fields, table, &mut runs)?;
        }
    } else {
        read(path, Fields::new(), table, &mut runs)?;
    }
    let (mut x, mut targets, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    let n_targets = table.targets.len();
    for run in &runs {
        let windows = run.values.windows(rows * n_columns).step_by(hop * n_columns);
        for (i, window) in windows.enumerate() {
            x.extend(window);
            targets.extend(&run.targets[(i * hop + rows - 1) * n_targets..][..n_targets]);
            fields.push(run.fields.clone());
        }
    }
    if fields.is_empty() {
        let longest = runs.iter().map(|run| run.values.len() / n_columns).max().unwrap_or(0);
        let what =
            format!("no {rows} rows of one label follow each other for a window; the most are {longest}");
        return Err(Error::File { path: path.to_owned(), what });
    }
    let (classes, labels) = match n_targets {
        0 => classes(fields.iter().map(|fields| fields["label"].as_str())),
        _ => (vec!["all".to_string()], vec![0; fields.len()]),
    };
    let dims = if table.windows.is_some() { vec![rows, n_columns] } else { vec![n_columns] };
    Ok(Examples { dims, x, labels, classes, fields, targets })
}

/// Appends the runs of a file whose name says `of_file`.
fn read(path: &Path, of_file: Fields, table: &Table, runs: &mut Vec<Run>) -> Result<()> {
    let wrong = |what: String| Error::File { path: path.to_owned(), what };
    if table.label.is_some() && !table.targets.is_empty() {
        return Err(wrong("a label and targets are named: take either".to_string()));
    }
    if table.label.is_none() && table.targets.is_empty() && !of_file.contains_key("label") {
        let what = "no column is named for the label, and the pattern of file names has no {label}";
        return Err(wrong(what.to_string()));
    }
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let header = reader.headers().map_err(|e| damaged(path, e))?.clone();
    let column = |name: &String| {
        let found = header.iter().position(|own| own == name);
        found.ok_or_else(|| {
            let names = header.iter().collect::<Vec<_>>().join(", ");
            wrong(format!("has no column `{name}`; its first line has {names}"))
        })
    };
    let columns: Vec<usize> = table.columns.iter().map(column).collect::<Result<_>>()?;
    let targets: Vec<usize> = table.targets.iter().map(column).collect::<Result<_>>()?;
    let named = table.fields.iter().map(|name| (name.clone(), name));
    let named = named.chain(table.label.iter().map(|name| ("label".to_string(), name)));
    let texts: Vec<(String, usize)> =
        named.map(|(field, name)| Ok((field, column(name)?))).collect::<Result<_>>()?;
    let mut begins = true;
    for record in reader.records() {
        let record = record.map_err(|e| damaged(path, e))?;
        let line = record.position().map_or(0, |position| position.line());
        let mut fields = of_file.clone();
        for (field, column) in &texts {
            let text = &record[*column];
            if text.is_empty() {
                return Err(wrong(format!("line {line}: column `{}` is empty", &header[*column])));
            }
            fields.insert(field.clone(), text.to_string());
        }
        if begins || runs.last().is_none_or(|run| run.fields != fields) {
            runs.push(Run { fields, values: Vec::new(), targets: Vec::new() });
            begins = false;
        }
        let number = |&column: &usize| {
            number(&record, column)
                .map_err(|what| wrong(format!("line {line}: column `{}` {what}", &header[column])))
        };
        let values: Vec<f32> = columns.iter().map(number).collect::<Result<_>>()?;
        let targets: Vec<f32> = targets.iter().map(number).collect::<Result<_>>()?;
        if let Some(run) = runs.last_mut() {
            run.values.extend(values);
            run.targets.extend(targets);
        }
    }
    if begins {
        return Err(wrong("has no rows below its first line".to_string()));
    }
    Ok(())
}

fn number(record: &StringRecord, column: usize) -> Result<f32, String> {
    match record[column].parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => Err(format!("is {value}: leave the row out, or fill in a number")),
        Err(_) if record[column].is_empty() => {
            Err("is empty: leave the row out, or fill in a number".to_string())
        }
        Err(_) => Err(format!("is `{}`, which is no number", &record[column])),
    }
}

fn damaged(path: &Path, error: csv::Error) -> Error {
    let path: PathBuf = path.to_owned();
    let line = error.position().map_or(0, |position| position.line());
    match error.into_kind() {
        ErrorKind::Io(source) => Error::Io { path, source },
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let what = format!("line {line} has {len} columns, the first line has {expected_len}");
            Error::File { path, what }
        }
        ErrorKind::Utf8 { .. } => Error::File { path, what: format!("line {line} is no UTF-8 text") },
        other => Error::File { path, what: format!("line {line}: {other:?}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], windows: Option<[usize; 2]>) -> Table {
        Table {
            name: "{label}_{take}.csv".to_string(),
            columns: columns.iter().map(ToString::to_string).collect(),
            label: None,
            targets: Vec::new(),
            fields: Vec::new(),
            windows: windows.map(|[rows, hop]| Windows { rows, hop }),
        }
    }

    #[test]
    fn columns_become_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("iris.csv");
        std::fs::write(&path, "a, b,kind,who\n1,2,x,ann\n3, -4e1 ,\"y\",bob\n").unwrap();
        let table =
            Table { label: Some("kind".into()), fields: vec!["who".into()], ..table(&["b", "a"], None) };
        let examples = read_csv(&path, &table).unwrap();
        assert_eq!((&examples.dims[..], &examples.x[..]), (&[2][..], &[2.0, 1.0, -40.0, 3.0][..]));
        assert_eq!((examples.classes.join(" "), &examples.labels[..]), ("x y".to_string(), &[0, 1][..]));
        assert_eq!(examples.fields[1]["who"], "bob");
    }

    #[test]
    fn windows_stay_within_files_and_labels() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, rows: std::ops::Range<i32>| {
            let lines: String = rows.map(|i| format!("{i},{}\n", -i)).collect();
            std::fs::write(folder.path().join(name), format!("x,y\n{lines}")).unwrap();
        };
        write("run_1.csv", 0..5);
        write("run_2.csv", 10..12);
        write("walk_1.csv", 20..23);
        let examples = read_csv(folder.path(), &table(&["x", "y"], Some([3, 2]))).unwrap();
        assert_eq!((&examples.dims[..], &examples.labels[..]), (&[3, 2][..], &[0, 0, 1][..]));
        assert_eq!(examples.sample(1), [2.0, -2.0, 3.0, -3.0, 4.0, -4.0]);
        assert_eq!((examples.sample(2)[0], examples.fields[2]["take"].as_str()), (20.0, "1"));
        let path = folder.path().join("log.csv");
        std::fs::write(&path, "x,what\n1,a\n2,a\n3,b\n4,a\n5,a\n").unwrap();
        let by_column = Table { label: Some("what".into()), ..table(&["x"], Some([2, 1])) };
        let log = read_csv(&path, &by_column).unwrap();
        assert_eq!((&log.x[..], log.classes.join(" ")), (&[1.0, 2.0, 4.0, 5.0][..], "a".to_string()));
        let error = read_csv(&path, &Table { label: Some("what".into()), ..table(&["x"], Some([3, 1])) });
        let error = error.unwrap_err().to_string();
        assert!(
            error.ends_with("no 3 rows of one label follow each other for a window; the most are 2"),
            "{error}"
        );
    }

    #[test]
    fn targets_are_those_of_the_last_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plant.csv");
        std::fs::write(&path, "t,u,power\n1,2,10\n3,4,20\n5,6,30\n7,8,40\n").unwrap();
        let table = Table { targets: vec!["power".into()], ..table(&["t"], Some([2, 2])) };
        let examples = read_csv(&path, &table).unwrap();
        assert_eq!((&examples.x[..], &examples.targets[..]), (&[1.0, 3.0, 5.0, 7.0][..], &[20.0, 40.0][..]));
        let one = examples.subset(&[1]).regression().unwrap();
        assert_eq!((one.sample(0), one.target(0)), (&[5.0, 7.0][..], &[40.0][..]));
        let both = Table { label: Some("u".into()), ..table };
        let error = read_csv(&path, &both).unwrap_err().to_string();
        assert!(error.ends_with("a label and targets are named: take either"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let table = Table { label: Some("kind".into()), ..table(&["a", "b"], None) };
        let error = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            let error = read_csv(&path, &table).unwrap_err().to_string();
            assert!(error.contains("data.csv: "), "{error}");
            error
        };
        let cases: [(&str, &str); 8] = [
            ("a,c,kind\n1,2,x\n", "has no column `b`; its first line has a, c, kind"),
            ("a,b,kind\n1,2,x\n1,2\n", "line 3 has 2 columns, the first line has 3"),
            ("a,b,kind\n1,NaN,x\n", "line 2: column `b` is NaN: leave the row out"),
            ("a,b,kind\n1,1e99,x\n", "line 2: column `b` is inf"),
            ("a,b,kind\n1,2,x\n,2,x\n", "line 3: column `a` is empty"),
            ("a,b,kind\n1,two,x\n", "line 2: column `b` is `two`, which is no number"),
            ("a,b,kind\n1,2,\n", "line 2: column `kind` is empty"),
            ("a,b,kind\n", "has no rows below its first line"),
        ];
        for (text, expected) in cases {
            let error = error(text.as_bytes());
            assert!(error.contains(expected), "{error}");
        }
        assert!(error(b"a,b,kind\n1,2,\xff\n").contains("line 2 is no UTF-8 text"));
        let error = read_csv(&folder.path().join("none.csv"), &table).unwrap_err().to_string();
        assert!(error.contains("none.csv: "), "{error}");
        let unlabelled = Table { label: None, ..table.clone() };
        assert!(
            read_csv(&path, &unlabelled)
                .unwrap_err()
                .to_string()
                .contains("no column is named for the label")
        );
    }
}
