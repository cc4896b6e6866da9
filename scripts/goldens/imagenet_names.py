"""Writes scripts/cli/import/labels/imagenet-{1k,21k}.txt: the names of ImageNet's classes in the order of BiT's outputs, one a line.

python scripts/goldens/imagenet_names.py   (timm 1.0.29: the synsets that it gives `goog_in21k` and `in1k`, and their lemmas)

Names are WordNet 3.0's lemmas of ImageNet's synsets, as the ILSVRC's own list has them. The 1000 are those of google/bit-50.
"""
import importlib.util
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[1] / "import" / "labels"
info = pathlib.Path(importlib.util.find_spec("timm").submodule_search_locations[0]) / "data" / "_info"
lines = (info / "imagenet_synset_to_lemma.txt").read_text().splitlines()
lemmas = dict(line.split("\t", 1) for line in lines if line)
for name, synsets, count in [("1k", "imagenet_synsets.txt", 1000), ("21k", "imagenet21k_goog_synsets.txt", 21843)]:
    identifiers = (info / synsets).read_text().split()
    assert len(identifiers) == count
    names = [lemmas[identifier].strip() for identifier in identifiers]
    assert all(names) and not any("\n" in each for each in names)
    (OUT / f"imagenet-{name}.txt").write_text("\n".join(names) + "\n")
    print(name, len(names), "different:", len(set(names)))
