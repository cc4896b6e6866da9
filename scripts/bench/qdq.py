"""Quantizes an fp32 graph with onnxruntime's own static quantization, for `npm run bench -- runtime --qdq FILE`.

    python scripts/bench/qdq.py FP32.onnx CALIBRATION.safetensors OUT.onnx

Needs onnx 1.23, onnxruntime 1.30, numpy and safetensors. FP32.onnx takes `pixel_values` [N, 3, H, W] float32 and answers
`logits`; its external weights lie beside it. CALIBRATION.safetensors holds `pixel_values`: the suite's `--keep` leaves one,
`bit-edge preprocess` makes one from pictures. OUT.onnx is one file: Conv and Gemm as QDQ, u8 activations, s8 weights by
channel, min-max ranges, and then optimized (`ORT_ENABLE_EXTENDED`: QLinearConv), because the worker makes sessions without
onnxruntime's optimizer. How its answers differ from the fp32 graph's on the calibration images is printed, to tell a broken
file from a good one.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.numpy import load_file

INPUT = "pixel_values"
OUTPUT = "logits"


class Images(CalibrationDataReader):
    """One image at a time."""

    def __init__(self, pixel_values: np.ndarray) -> None:
        self.rest = iter(pixel_values)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.rest, None)
        return None if image is None else {INPUT: image[np.newaxis]}


def quantize(fp32: Path, pixel_values: np.ndarray, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        quantized = Path(folder) / "quantized.onnx"
        # Shapes only: fused operators would hide convolutions from the quantizer.
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantized),
            Images(pixel_values),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(out)
        onnxruntime.InferenceSession(str(quantized), options, providers=["CPUExecutionProvider"])


def answers(model: Path, pixel_values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run([OUTPUT], {INPUT: image[np.newaxis]})[0] for image in pixel_values])


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantizes an fp32 ONNX graph as onnxruntime does (static, QDQ).")
    parser.add_argument("fp32", type=Path, help="the fp32 graph: pixel_values in, logits out")
    parser.add_argument("calibration", type=Path, help="safetensors file with pixel_values [N, 3, H, W]")
    parser.add_argument("out", type=Path, help="the file to write")
    arguments = parser.parse_args()

    pixel_values = load_file(arguments.calibration)[INPUT]
    quantize(arguments.fp32, pixel_values, arguments.out)
    operators = [node.op_type for node in onnx.load(arguments.out, load_external_data=False).graph.node]
    expected, found = answers(arguments.fp32, pixel_values), answers(arguments.out, pixel_values)
    error = np.abs(found - expected).mean() / np.abs(expected).mean()
    print(
        f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB, {operators.count('QLinearConv')} QLinearConv, "
        f"{operators.count('Conv')} Conv; mean logit error {100 * error:.2f} % "
        f"on {len(pixel_values)} calibration images"
    )


if __name__ == "__main__":
    main()
