"""Writes golden.tfevents with TensorBoard's own classes, and reads it back as TensorBoard does.

    python3 -m venv ~/.cache/dunlin-tensorboard
    ~/.cache/dunlin-tensorboard/bin/pip install tensorboard==2.21.0 'setuptools<81'
    ~/.cache/dunlin-tensorboard/bin/python converter/src/nn/tensorboard/golden.py [FOLDER]

events.rs has a test that writes the same bytes. With a FOLDER (of `dunlin train --tensorboard FOLDER`) the script prints
what TensorBoard reads there.
"""

import sys
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

PATH = Path(__file__).parent / "golden.tfevents"


def scalar(tag, value):
    return Summary.Value(tag=tag, simple_value=value)


def histogram(tag, values):
    """In 30 buckets of equal width; of equal values in one."""
    values = np.asarray(values, np.float32).astype(np.float64)
    low, high = values.min(), values.max()
    if low == high:
        limits, counts = [low], [len(values)]
    else:
        width = (high - low) / 30
        limits = [low + width * i for i in range(1, 30)] + [high]
        counts = np.bincount(np.minimum((values - low) / width, 29).astype(int), minlength=30)
    proto = HistogramProto(min=low, max=high, num=len(values), sum=values.sum(), sum_squares=(values**2).sum())
    proto.bucket_limit.extend(limits)
    proto.bucket.extend(counts)
    return Summary.Value(tag=tag, histo=proto)


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0})
    accumulator.Reload()
    return accumulator


def main():
    if len(sys.argv) > 1:
        for folder in sorted({path.parent for path in Path(sys.argv[1]).rglob("*tfevents*")}):
            accumulator = read(folder)
            for tag in accumulator.Tags()["scalars"]:
                print(folder, tag, [(e.step, round(e.value, 6)) for e in accumulator.Scalars(tag)])
            for tag in accumulator.Tags()["histograms"]:
                print(folder, tag, [(e.step, e.histogram_value.num) for e in accumulator.Histograms(tag)])
        return
    weights = np.arange(100) ** 2 / 64 - 20
    events = [
        Event(wall_time=1700000000.5, file_version="brain.Event:2"),
        Event(wall_time=1700000001.25, step=0, summary=Summary(value=[scalar("loss", 2.5), scalar("accuracy", 0.0)])),
        Event(wall_time=1700000002.0, step=300, summary=Summary(value=[scalar("loss", -1e-3)])),
        Event(
            wall_time=1700000003.0,
            step=301,
            summary=Summary(value=[histogram("dense/weights", weights), histogram("dense/bias", np.zeros(4))]),
        ),
    ]
    with PATH.open("wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()
    accumulator = read(PATH)
    assert [(e.step, e.value) for e in accumulator.Scalars("loss")] == [(0, 2.5), (300, np.float32(-1e-3))]
    assert [(e.step, e.wall_time, e.value) for e in accumulator.Scalars("accuracy")] == [(0, 1700000001.25, 0)]
    assert accumulator.Histograms("dense/weights")[0].histogram_value.num == 100
    assert accumulator.Histograms("dense/bias")[0].histogram_value.bucket == [4]
    print(f"{PATH.name}: {PATH.stat().st_size} bytes")


main()
