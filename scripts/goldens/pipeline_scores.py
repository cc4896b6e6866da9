"""Writes test/fixtures/pipeline-scores.json: what transformers' image-classification pipeline answers, for each problem type, on
the networks of test/fixtures/bit-50-layout (10 labels) and test/fixtures/one-label.

python scripts/goldens/pipeline_scores.py   (transformers 5.18, torch 2.13)
"""
import json
import pathlib

import torch
from transformers import BitConfig, BitForImageClassification, pipeline
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures"
PICTURE = "images/jpeg-420.jpg"
cases = []
for folder, weights in [("bit-50-layout", "pytorch_model.bin"), ("one-label", "model.safetensors")]:
    config = json.loads((FIXTURES / folder / "config.json").read_text())
    processor = BitImageProcessorPil(**json.loads((FIXTURES / folder / "preprocessor_config.json").read_text()))
    if weights.endswith(".bin"):
        state = torch.load(FIXTURES / folder / weights, weights_only=True)
    else:
        from safetensors.torch import load_file

        state = load_file(FIXTURES / folder / weights)
    for problem_type in [None, "multi_label_classification", "single_label_classification", "regression"]:
        if problem_type == "single_label_classification" and len(config["id2label"]) == 1:
            continue  # transformers refuses it
        model = BitForImageClassification(BitConfig(**{**config, "problem_type": problem_type})).eval()
        model.load_state_dict(state)
        classify = pipeline("image-classification", model=model, image_processor=processor)
        answer = classify(str(FIXTURES / PICTURE), top_k=5)
        cases.append({"folder": folder, "problem_type": problem_type, "answer": answer})
(FIXTURES / "pipeline-scores.json").write_text(json.dumps({"picture": PICTURE, "cases": cases}, indent=1) + "\n")
