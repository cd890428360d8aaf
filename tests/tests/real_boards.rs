//! The boards that exist in hardware only: every one builds and links in release around a model, and fits its memories.

use std::fs;

use dunlin_converter::device::{
    self,
    baked::bake,
    boards::{self, Board},
    elf::Sizes,
    firmware::{self, Firmware, Line, Program},
};
use dunlin_converter::file::ModelFile;
use dunlin_tests::boards::buildable_boards;

/// Where the table is, and what stands around it.
const README: &str = "boards/README.md";
const BEGIN: &str = "<!-- table: DUNLIN_UPDATE=1 cargo test -p dunlin-tests --test real_boards -->\n";
const END: &str = "<!-- end of the table -->";
/// Sizes may differ by this from what the table says: a kernel more does not make it wrong.
const TOLERANCE_PERCENT: u64 = 10;

/// The firmware of a board around the digits network.
fn build(board: &Board, line: Line) -> device::Result<Firmware> {
    let home = device::home().unwrap();
    let file = ModelFile::read(&home.join("models/digits/digits_int8.tflite")).unwrap();
    let dir = bake(&home, board, file.bytes(), &file.model().unwrap()).unwrap();
    firmware::build(&home, board, Program::Linked(&dir, line), false)
}

/// Its sizes, which fit the board.
fn sizes(board: &Board, line: Line) -> Sizes {
    let firmware = build(board, line).unwrap_or_else(|error| panic!("{}: {error}", board.name));
    let (sizes, memory) = (firmware.sizes().unwrap(), board.memory().unwrap());
    let ram_bytes = sizes.static_bytes() + sizes.arena_bytes;
    assert!(sizes.code_bytes() > 10_000 && sizes.model_bytes > 5000, "{}: {sizes:?}", board.name);
    assert!(sizes.flash_bytes() < memory.flash_bytes, "{}: {sizes:?}, {memory:?}", board.name);
    assert!(ram_bytes + 4096 <= memory.ram_bytes, "{}: {sizes:?}, {memory:?}", board.name);
    sizes
}

/// What a reader wants to know of a board; the sizes are the last two cells.
fn row(board: &Board, sizes: Option<&Sizes>) -> Vec<String> {
    let name = board.short_name();
    let flash = format!("dunlin flash MODEL --board {name}");
    let (tier, command) = match board.is_emulated() {
        true => ("runs in every test", format!("dunlin run MODEL --board {name}")),
        false if name == "pico" => ("runs in rp2040js in every test", flash),
        false => ("built and linked in every test", flash),
    };
    let mut row = vec![
        name.to_owned(),
        board.chip.clone(),
        board.target.clone(),
        tier.to_owned(),
        format!("`{command}`"),
    ];
    row.extend(match sizes {
        Some(sizes) => [sizes.code_bytes(), sizes.static_bytes()].map(|n_bytes| n_bytes.to_string()),
        None => ["", ""].map(str::to_owned),
    });
    row
}

fn table(rows: &[Vec<String>]) -> String {
    let head = "| board | chip | target | tier | command | code bytes | RAM bytes |\n|---|---|---|---|---|---:|---:|\n";
    rows.iter().fold(head.to_owned(), |table, row| format!("{table}| {} |\n", row.join(" | ")))
}

#[test]
fn every_board_links_in_release_and_the_readme_says_how_large_it_is() {
    let home = device::home().unwrap();
    let buildable = buildable_boards();
    let mut rows = Vec::new();
    for board in boards::discover(&home).unwrap() {
        let is_buildable = buildable.iter().any(|other| other.name == board.name);
        let sizes = is_buildable.then(|| sizes(&board, Line::Serial));
        rows.push((board.is_emulated() || sizes.is_some(), row(&board, sizes.as_ref())));
    }
    // Real boards first: they are what a reader looks for.
    rows.sort_by_key(|(_, row)| row[6].is_empty());
    let path = home.join(README);
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the table's first mark");
    let (found, after) = rest.split_once(END).expect("the README has the table's last mark");
    if std::env::var_os("DUNLIN_UPDATE").is_some() {
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        return fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table(&rows))).unwrap();
    }
    let n_rows = found.lines().count() - 2;
    assert_eq!(n_rows, rows.len(), "the table in {README} has other boards: make it anew as it says");
    for (_, row) in rows.iter().filter(|(is_known, _)| *is_known) {
        let of_board = format!("| {} |", row[..5].join(" | "));
        let line = found.lines().find_map(|line| line.strip_prefix(&of_board));
        let line =
            line.unwrap_or_else(|| panic!("{README} lacks `{of_board}`: make the table anew as it says"));
        for (said, now) in line.split('|').zip(&row[5..]) {
            let number = |text: &str| text.trim().parse().unwrap_or(0u64);
            let (said, now) = (number(said), number(now));
            assert!(
                said.abs_diff(now) * 100 <= TOLERANCE_PERCENT * said.max(16),
                "{}: {README} says {said} bytes, it is {now}: make the table anew as it says",
                row[0]
            );
        }
    }
}

/// The Pico's USB runs in rp2040js (`rp2040.rs`).
#[test]
fn lines_over_usb_and_the_debug_probe_link_and_fit() {
    for board in buildable_boards() {
        let lines = match board.name.as_str() {
            "nrf52840-dk" => &[Line::Usb, Line::Rtt][..],
            "pico2" => &[Line::Usb],
            _ => continue,
        };
        assert!(board.has_usb, "{}", board.name);
        for &line in lines {
            let sizes = sizes(&board, line);
            println!(
                "{} over {line:?}: {} bytes of code, {} of RAM",
                board.name,
                sizes.code_bytes(),
                sizes.static_bytes()
            );
        }
    }
    if let Some(board) = buildable_boards().iter().find(|board| board.name == "microbit") {
        let error = build(board, Line::Usb).unwrap_err().to_string();
        assert!(error.contains("USB on microbit is missing") && error.contains("--line rtt"), "{error}");
    }
}
