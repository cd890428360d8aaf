//! From a model to a flash plan, for every board that exists in hardware only. No probe is touched.

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;
use dunlin_converter::device::{
    self,
    firmware::Line,
    flash::{Ready, Request, prepare},
};
use dunlin_converter::file::ModelFile;
use dunlin_converter::{Data, Graph, Program};
use dunlin_tests::boards::buildable_boards;

fn digits() -> ModelFile {
    ModelFile::read(&device::home().unwrap().join("models/digits/digits_int8.tflite")).unwrap()
}

fn ready(board: &str, chip: Option<&str>) -> device::Result<Ready> {
    let file = digits();
    let request = Request { board, chip, log: false, line: Line::Serial };
    prepare(&request, file.bytes(), &file.model().unwrap())
}

#[test]
fn every_board_has_a_flash_plan() {
    for board in buildable_boards() {
        let plan = ready(&board.name, None).unwrap_or_else(|error| panic!("{}: {error}", board.name)).plan;
        let memory = board.memory().unwrap();
        assert!(plan.fits, "{plan:?}");
        assert_eq!((&plan.board, &plan.chip.chip), (&board.name, &board.chip));
        assert!(plan.chip.bytes > 40_000 && plan.chip.sectors >= 1, "{plan:?}");
        assert!(plan.chip.pages >= plan.chip.sectors, "{plan:?}");
        assert!(plan.flash_bytes_free > 0 && plan.flash_bytes_free < memory.flash_bytes - 40_000, "{plan:?}");
        assert!(plan.ram_bytes_free > 0 && plan.ram_bytes_free < memory.ram_bytes - 4096, "{plan:?}");
        let json = serde_json::to_value(&plan).unwrap();
        for key in ["chip", "sectors", "pages", "bytes", "fits", "flash_bytes_free", "ram_bytes_free"] {
            assert!(json.get(key).is_some(), "{key}: {json}");
        }
        // Facts of the chips: sectors of 4 KB on the Nordics and the Picos.
        if board.chip.starts_with("nRF") || board.chip.starts_with("RP") {
            assert_eq!(plan.chip.sectors, plan.chip.bytes.div_ceil(4096), "{plan:?}");
        }
    }
}

#[test]
fn an_image_for_another_chip_is_refused() {
    if buildable_boards().is_empty() {
        return;
    }
    let error = |chip| ready("nucleo-f411", Some(chip)).err().unwrap().to_string();
    let nordic = error("nRF52833_xxAA");
    assert!(nordic.contains("another chip than nRF52833_xxAA") && nordic.contains("0x08000000"), "{nordic}");
    assert!(error("esp32c3").contains("another instruction set"));
    assert!(error("z80").contains("no chip \"z80\""));
    let emulated = ready("cortex-m4", None).err().unwrap().to_string();
    assert!(emulated.contains("dunlin run MODEL --board cortex-m4"), "{emulated}");
}

#[test]
fn a_model_larger_than_the_flash_is_refused() {
    if buildable_boards().is_empty() {
        return;
    }
    let mut g = Graph::new("large");
    let x = g.input("x", &[1, 400]).unwrap();
    let w = g.constant("w", &[400, 400], Data::F32(vec![0.5; 160_000])).unwrap();
    let y = g.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
    g.mark_output(y);
    let program = Program::compile(&g).unwrap();
    let request = Request { board: "microbit", chip: None, log: false, line: Line::Serial };
    let error = prepare(&request, program.bytes(), &program.model().unwrap()).err().unwrap();
    assert!(matches!(&error, device::Error::TooLarge { region: "FLASH", .. }), "{error}");
    assert!(error.to_string().contains("microbit has 393216 bytes of FLASH"), "{error}");
}

#[test]
fn the_picos_take_uf2_files() {
    for board in buildable_boards() {
        let uf2 = ready(&board.name, None).unwrap().uf2();
        if !board.chip.starts_with("RP") {
            assert!(uf2.err().unwrap().to_string().contains("leave --uf2 out"), "{}", board.name);
            continue;
        }
        let file = uf2.unwrap();
        let word = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap());
        assert_eq!((word(0), word(4), word(12)), (0x0a32_4655, 0x9e5d_5157, 0x1000_0000), "{}", board.name);
        assert_eq!((file.len() % 512, word(24) as usize), (0, file.len() / 512), "{}", board.name);
    }
}
