//! What every board does at build time: `boards/build`.
fn main() {
    dunlin_board_build::emit();
}
