//! Event files: what TensorBoard reads.
//!
//! Sources: TensorFlow's `tsl/lib/io/record_writer.h` for the framing (length, checksum of the length, record, checksum of
//! the record; little-endian, checksums CRC-32C and masked), `tensorflow/core/util/event.proto` and
//! `tensorflow/core/framework/summary.proto` for the field numbers, and Protocol Buffers' encoding.

use crc::{CRC_32_ISCSI, Crc};

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
const N_BUCKETS: usize = 30;

/// Kinds of a field on the wire.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// What an event says of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Scalar(f32),
    Histogram(Histogram),
}

/// How numbers are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    min: f64,
    max: f64,
    n: f64,
    sum: f64,
    sum_of_squares: f64,
    /// Upper end of each bucket.
    limits: Vec<f64>,
    /// Numbers in each.
    counts: Vec<f64>,
}

impl Histogram {
    /// Of finite numbers, in buckets of equal width.
    pub(super) fn of(values: &[f32]) -> Histogram {
        let values = || values.iter().map(|&value| f64::from(value));
        let (min, max) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let width = (max - min) / N_BUCKETS as f64;
        if values().next().is_none() || width == 0.0 {
            let n = values().count() as f64;
            let (min, limits) = if n == 0.0 { (0.0, vec![0.0]) } else { (min, vec![min]) };
            let (sum, sum_of_squares) = (min * n, min * min * n);
            return Histogram { min, max: min, n, sum, sum_of_squares, limits, counts: vec![n] };
        }
        let mut counts = vec![0.0; N_BUCKETS];
        for value in values() {
            counts[(((value - min) / width) as usize).min(N_BUCKETS - 1)] += 1.0;
        }
        let limits = (1..=N_BUCKETS).map(|i| if i == N_BUCKETS { max } else { min + width * i as f64 });
        Histogram {
            min,
            max,
            n: values().count() as f64,
            sum: values().sum(),
            sum_of_squares: values().map(|value| value * value).sum(),
            limits: limits.collect(),
            counts,
        }
    }

    fn message(&self) -> Message {
        let mut message = Message::default();
        for (field, value) in (1..).zip([self.min, self.max, self.n, self.sum, self.sum_of_squares]) {
            message.double(field, value);
        }
        for (field, values) in [(6, &self.limits), (7, &self.counts)] {
            message.bytes(field, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        }
        message
    }
}

/// A Protocol Buffers message in the making. Numbers that are 0 are left out, as by other writers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn double(&mut self, field: u64, value: f64) {
        if value != 0.0 {
            self.key(field, FIXED64);
            self.0.extend(value.to_le_bytes());
        }
    }

    fn integer(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.key(field, VARINT);
            self.varint(value);
        }
    }

    /// One of several fields, which says that it is the one: written if it is 0, too.
    fn float(&mut self, field: u64, value: f32) {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

/// The record that a file begins with.
pub(super) fn version(seconds: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, seconds);
    event.bytes(3, b"brain.Event:2");
    record(&event.0)
}

/// A record: values with their tags, at a step and a time in seconds since 1970.
pub(super) fn event(seconds: f64, step: u64, values: &[(String, Value)]) -> Vec<u8> {
    let mut summary = Message::default();
    for (tag, value) in values {
        let mut entry = Message::default();
        entry.bytes(1, tag.as_bytes());
        match value {
            Value::Scalar(value) => entry.float(2, *value),
            Value::Histogram(histogram) => entry.bytes(5, &histogram.message().0),
        }
        summary.bytes(1, &entry.0);
    }
    let mut event = Message::default();
    event.double(1, seconds);
    event.integer(2, step);
    event.bytes(5, &summary.0);
    record(&event.0)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `golden.py` wrote these bytes with TensorBoard's own classes, and read them back.
    #[test]
    fn the_bytes_are_tensorboards() {
        let scalar = |tag: &str, value| (tag.to_string(), Value::Scalar(value));
        let weights: Vec<f32> = (0..100).map(|i| (i * i) as f32 / 64.0 - 20.0).collect();
        let bytes = [
            version(1_700_000_000.5),
            event(1_700_000_001.25, 0, &[scalar("loss", 2.5), scalar("accuracy", 0.0)]),
            event(1_700_000_002.0, 300, &[scalar("loss", -1e-3)]),
            event(
                1_700_000_003.0,
                301,
                &[
                    ("dense/weights".to_string(), Value::Histogram(Histogram::of(&weights))),
                    ("dense/bias".to_string(), Value::Histogram(Histogram::of(&[0.0; 4]))),
                ],
            ),
        ];
        let golden = include_bytes!("golden.tfevents");
        assert!(bytes.concat() == golden, "{} bytes, TensorBoard has {}", bytes.concat().len(), golden.len());
    }

    #[test]
    fn every_number_is_in_a_bucket() {
        for values in [&[1.0f32, 2.0, -3.0, 0.5][..], &[5.0], &[2.0, 2.0], &[]] {
            let histogram = Histogram::of(values);
            assert_eq!(histogram.counts.iter().sum::<f64>(), values.len() as f64);
            assert_eq!(histogram.counts.len(), histogram.limits.len());
            assert!(histogram.limits.is_sorted() && histogram.limits.iter().all(|limit| limit.is_finite()));
        }
    }
}
