"""Runs one model by several runtimes in turns and prints model runs a second; needs those runtimes, and nothing of this project.

Usage: python runtimes_child.py FOLDER ROUNDS
FOLDER has `float32.tflite`, `int8.tflite`, `calibration.npy` and `judged.npy`, as bench/runtimes.py writes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
from ai_edge_litert.interpreter import Interpreter
from onnxruntime.quantization import CalibrationDataReader, quant_pre_process, quantize_static

REPEATS = 30
# float32 [1, side, side, 3] in [0, 1] -> float32 [1, dim].
Run = Callable[[Any], Any]


def main() -> None:
    """Measure in turns, and print the results as one line of JSON."""
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    runs = _runs(folder)
    judged = np.load(folder / "judged.npy")
    wanted = _embeddings(runs["LiteRT, float32"], judged)
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(1 + rounds):
        for name, run in runs.items():
            started = time.process_time()
            for photo in judged[:REPEATS, None]:
                run(photo)
            rate = REPEATS / (time.process_time() - started)
            if number:  # the first is the warm-up
                rates[name].append(rate)
    results = {}
    for name, run in runs.items():
        cosines = (_embeddings(run, judged) * wanted).sum(axis=1)
        results[name] = {
            "runs_per_second": rates[name],
            "mean_cosine": float(cosines.mean()),
            "least_cosine": float(cosines.min()),
        }
    print(json.dumps(results))


def _embeddings(run: Run, photos: Any) -> Any:
    vectors = np.stack([np.ravel(run(photo[None])) for photo in photos])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _runs(folder: Path) -> dict[str, Run]:
    float32, int8 = folder / "float32.onnx", folder / "int8.onnx"
    _convert(folder / "float32.tflite", float32)
    _quantise(float32, int8, np.load(folder / "calibration.npy"))
    runs = {
        "LiteRT, float32": _litert(folder / "float32.tflite"),
        "LiteRT, int8 (what is served)": _litert(folder / "int8.tflite"),
        "ONNX Runtime, float32": _onnx(float32),
        "ONNX Runtime, int8": _onnx(int8),
        "OpenVINO, float32": _openvino(float32, "f32"),
        "OpenVINO, int8": _openvino(int8, "f32"),
    }
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        runs["OpenVINO, bfloat16"] = _openvino(float32, "bf16")
    return runs


def _convert(source: Path, target: Path) -> None:
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", source, "--output", target, "--opset", "17"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


class _Photos(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, photos: Any) -> None:
        self._inputs = iter([{name: photo[None]} for photo in photos])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._inputs, None)


def _quantise(source: Path, target: Path, photos: Any) -> None:
    prepared = source.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    name = onnxruntime.InferenceSession(str(prepared)).get_inputs()[0].name
    # Convolutions and what is between them; pooling and the length of the vector stay in float32, as in the served model.
    quantize_static(
        str(prepared), str(target), _Photos(name, photos), per_channel=True,
        op_types_to_quantize=["Conv", "Add", "Clip", "Relu"],
    )  # fmt: skip


def _litert(path: Path) -> Run:
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(photo: Any) -> Any:
        interpreter.set_tensor(source, photo)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run


def _onnx(path: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda photo: session.run(None, {name: photo})[0]


def _openvino(path: Path, precision: str) -> Run:
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()

    def run(photo: Any) -> Any:
        request.infer([photo])
        return request.get_output_tensor(0).data.copy()

    return run


if __name__ == "__main__":
    main()
