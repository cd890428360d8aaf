//! `runtime/FORMAT.md` says what the writer writes: its example byte by byte, and the operators' numbers.

use std::path::{Path, PathBuf};

use dunlin::format::{HEADER_BYTES, PORT_BYTES, TENSOR_BYTES};
use dunlin::ops::bounds::Bounds;
use dunlin::ops::{FullyConnected, OpCode};
use dunlin_converter::{Data, Graph, Program, Quant};
use dunlin_tests::parts::Parts;

/// What the example's lines stand behind.
const MARK: &str = "<!-- example -->\n```text\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/FORMAT.md")
}

fn text() -> String {
    std::fs::read_to_string(path()).expect("runtime/FORMAT.md")
}

#[test]
fn the_example_is_what_the_writer_writes() {
    let lines = Dump::of(example().bytes());
    let text = text();
    let (before, rest) = text.split_once(MARK).expect("FORMAT.md has an example");
    let (written, after) = rest.split_once("```").expect("the example ends");
    if std::env::var_os("DUNLIN_UPDATE").is_some() {
        std::fs::write(path(), format!("{before}{MARK}{lines}```{after}")).expect("FORMAT.md can be written");
    } else {
        assert_eq!(written, lines, "run `DUNLIN_UPDATE=1 cargo test -p dunlin-tests --test format`");
    }
}

#[test]
fn the_operators_have_the_numbers_of_the_list() {
    let text = text();
    let rows =
        text.split_once("### Operators").and_then(|(_, after)| after.split_once("| parameter |")).unwrap().0;
    let mut listed = Vec::new();
    for row in rows.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, codes, names, ..] = cells[..] else { continue };
        // A row may stand for several operators: `| 21, 22 | minimum, maximum |`.
        for (code, name) in codes.split(", ").zip(names.split(", ")) {
            let Ok(code) = code.parse() else { continue };
            assert_eq!(OpCode::from_code(code).map(OpCode::name), Some(name), "{row}");
            listed.push(code);
        }
    }
    let missing: Vec<_> = OpCode::ALL.iter().filter(|&&op| !listed.contains(&(op as u8))).collect();
    assert!(missing.is_empty(), "runtime/FORMAT.md has no row for {missing:?}");
}

/// The model of the example.
fn example() -> Program {
    let mut g = Graph::new("sums");
    let x = g.input("x", &[1, 3]).unwrap();
    let w = g.constant("w", &[2, 3], Data::I8(vec![2, 2, 0, 0, 0, 2])).unwrap();
    // In real form a quantized constant still stands for f32.
    g[w].ty = g[w].ty.with_dtype(dunlin::DType::F32);
    g[x].quant = Some(Quant::i8(0.5, 1));
    g[w].quant = Some(Quant { axis: Some(0), scales: vec![0.5, 0.5], ..Quant::i8(0.5, 0) });
    let y = g.apply("y", FullyConnected::new(Bounds::RELU), &[x, w]).unwrap();
    g[y].quant = Some(Quant::i8(0.25, -128));
    g.mark_output(y);
    g.labels = vec!["sum".to_string(), "last".to_string()];
    Program::compile(&g).unwrap()
}

/// Lines of offset, bytes and meaning.
struct Dump<'f> {
    file: &'f [u8],
    at: usize,
    lines: String,
}

impl Dump<'_> {
    /// Every byte of a file.
    fn of(file: &[u8]) -> String {
        let parts = Parts::of(file);
        let mut dump = Dump { file, at: 0, lines: String::new() };
        dump.header(&parts);
        for i in 0..parts.tensors.len() {
            dump.tensor(&parts, i);
        }
        for i in 0..parts.ports.len() {
            dump.port(&parts, i);
        }
        for i in 0..parts.calls.len() {
            dump.call(&parts, i);
        }
        for i in 0..parts.steps.len() {
            dump.step(&parts, i);
        }
        for i in 0..parts.steps.len() {
            dump.step_lists(&parts, i);
        }
        dump.names(&parts);
        dump.constants(&parts);
        assert_eq!(dump.at, file.len(), "every byte is told");
        dump.lines
    }

    fn title(&mut self, title: &str) {
        self.lines += &format!("{}{title}\n", if self.lines.is_empty() { "" } else { "\n" });
    }

    /// The next `n` bytes, at most 12 a line.
    fn bytes(&mut self, n: usize, meaning: &str) {
        let bytes = &self.file[self.at..self.at + n];
        for (i, chunk) in bytes.chunks(12).enumerate() {
            let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = format!(
                "{:04x}  {:<37}{}",
                self.at + 12 * i,
                hex.join(" "),
                if i == 0 { meaning } else { "" }
            );
            self.lines += &format!("{}\n", line.trim_end());
        }
        self.at += n;
    }

    /// Zeros up to byte `end`.
    fn padding(&mut self, end: usize) {
        if self.at < end {
            self.bytes(end - self.at, "padding");
        }
    }

    fn header(&mut self, parts: &Parts) {
        let h = &parts.header;
        self.title("header");
        self.bytes(4, "magic: DNLN");
        self.bytes(2, &format!("version {}", h.version));
        self.bytes(1, "rounding of TensorFlow Lite Micro");
        self.bytes(1, &format!("fed {}", h.fed));
        self.bytes(4, &format!("checksum {:#010x}", h.checksum));
        self.bytes(4, &format!("file_bytes {}", h.file_bytes));
        self.bytes(4, &format!("arena_bytes {}", h.arena_bytes));
        self.bytes(2, &format!("n_tensors {}", h.n_tensors));
        self.bytes(2, &format!("n_activations {}", h.n_activations));
        self.bytes(2, &format!("n_steps {}", h.n_steps));
        self.bytes(1, &format!("n_inputs {}", h.n_inputs));
        self.bytes(1, &format!("n_outputs {}", h.n_outputs));
        self.bytes(4, &format!("n_calls {}", h.n_calls));
        self.bytes(4, &format!("ports_offset {:#x}", h.ports_offset));
        self.bytes(4, &format!("calls_offset {:#x}", h.calls_offset));
        self.bytes(4, &format!("steps_offset {:#x}", h.steps_offset));
        self.bytes(4, &format!("names_offset {:#x}", h.names_offset));
        self.bytes(4, &format!("constants_offset {:#x}", h.constants_offset));
        for (i, offset) in h.memory_offsets().into_iter().enumerate() {
            self.bytes(4, &format!("memory{}_offset {offset:#x}", i + 1));
        }
        assert_eq!(self.at, HEADER_BYTES);
    }

    fn tensor(&mut self, parts: &Parts, i: usize) {
        let start = self.at;
        let t = parts.tensors[i];
        let dtype = dunlin::DType::from_code(t.dtype).unwrap().name();
        let dims = &[t.dim0, t.dim1, t.dim2, t.dim3][..t.rank as usize];
        self.title(&format!("tensor {i}"));
        self.bytes(4, &format!("{dtype}, rank {}, {:?}, zero point {}", t.rank, t.place, t.zero_point));
        self.bytes(4, &format!("offset {}", t.offset));
        self.bytes(16, &format!("dimensions {dims:?}"));
        self.bytes(4, &format!("table {:#x}", t.table));
        self.bytes(2, &format!("period {}", t.period));
        self.bytes(2, &format!("writer {}", t.writer));
        assert_eq!(self.at - start, TENSOR_BYTES);
    }

    fn port(&mut self, parts: &Parts, i: usize) {
        let start = self.at;
        let n_inputs = parts.header.n_inputs as usize;
        let role = if i < n_inputs { format!("input {i}") } else { format!("output {}", i - n_inputs) };
        self.title(&role);
        self.bytes(2, &format!("tensor {}", parts.ports[i].tensor));
        self.bytes(4, &format!("scale {}", parts.ports[i].scale));
        assert_eq!(self.at - start, PORT_BYTES);
    }

    fn call(&mut self, parts: &Parts, i: usize) {
        let call = parts.calls[i];
        self.title(&format!("call {i}"));
        self.bytes(2, &format!("step {}", call.step));
        self.bytes(2, &format!("first {}", call.first));
        self.bytes(2, &format!("count {}", call.count));
    }

    fn step(&mut self, parts: &Parts, i: usize) {
        let step = &parts.steps[i];
        let lists = step_lists_offset(parts, i);
        self.title(&format!("step {i}"));
        self.bytes(1, &format!("op {}: {}", step.op, OpCode::from_code(step.op).unwrap().name()));
        self.bytes(1, &format!("dtype {}", dunlin::DType::from_code(step.dtype).unwrap().name()));
        self.bytes(1, &format!("n_inputs {}", step.n_inputs));
        self.bytes(1, &format!("n_outputs {}", step.tensors.len() - step.n_inputs as usize));
        self.bytes(4, &format!("scratch_offset {}", step.scratch_offset));
        self.bytes(4, &format!("scratch_bytes {}", step.scratch_bytes));
        self.bytes(4, &format!("lists {lists:#x}"));
        self.bytes(2, &format!("params_bytes {}", step.params.len()));
        self.bytes(1, &format!("order {}", step.order));
        self.bytes(1, "reserved");
    }

    fn step_lists(&mut self, parts: &Parts, i: usize) {
        let step = &parts.steps[i];
        self.title(&format!("lists of step {i}"));
        self.bytes(2 * step.tensors.len(), &format!("tensors {:?}", step.tensors));
        self.bytes(step.params.len(), &format!("parameters: {:?}", op_params(step.op, &step.params)));
    }

    fn names(&mut self, parts: &Parts) {
        self.title("names");
        let mut rest = &parts.names[..];
        while let Ok((name, after)) = postcard::take_from_bytes::<&str>(rest) {
            self.bytes(rest.len() - after.len(), &format!("{name:?}"));
            rest = after;
        }
        self.padding(parts.header.constants_offset as usize);
    }

    fn constants(&mut self, parts: &Parts) {
        let start = self.at;
        self.title("constants");
        for (i, t) in parts.tensors.iter().enumerate().skip(parts.header.n_activations as usize) {
            self.padding(start + t.offset as usize);
            let n_elements = t.dim0 * t.dim1 * t.dim2 * t.dim3;
            let element_bytes = dunlin::DType::from_code(t.dtype).unwrap().bytes();
            self.bytes(n_elements as usize * element_bytes, &format!("tensor {i}"));
        }
        self.padding(self.file.len());
    }
}

/// Where the lists of step `i` start, counted from the start of the steps.
fn step_lists_offset(parts: &Parts, i: usize) -> usize {
    let before = parts.steps[..i].iter().map(|step| 2 * step.tensors.len() + step.params.len());
    parts.steps.len() * dunlin::format::STEP_BYTES + before.sum::<usize>()
}

fn op_params(op: u8, params: &[u8]) -> dunlin_converter::ops::Op {
    dunlin_converter::ops::Op::decode(op, params).unwrap()
}
