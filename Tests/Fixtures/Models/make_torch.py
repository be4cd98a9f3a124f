"""Makes the ONNX fixtures that PyTorch exports: small networks, and what onnxruntime predicts with them.

    python3 -m venv venv && venv/bin/pip install -r requirements-torch.txt
    venv/bin/python make_torch.py [directory]

The files are those that `make_onnx_catboost.py` writes. They are apart, because PyTorch's packages take gigabytes.
"""
import pathlib
import sys

import numpy as np
import onnx
import torch

from make_onnx_catboost import Maker


class TwoInputs(torch.nn.Module):
    """Joins two inputs behind layers of their own, and answers classes and a number."""

    def __init__(self):
        super().__init__()
        self.places = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Tanh())
        self.both = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.LeakyReLU(0.1), torch.nn.Linear(5, 4), torch.nn.ELU())
        self.classes = torch.nn.Linear(4, 3)
        self.number = torch.nn.Linear(4, 1)

    def forward(self, flight, place):
        shared = self.both(torch.cat([flight * 2 - 1, self.places(place)], dim=1))
        return torch.softmax(self.classes(shared), dim=1), self.number(shared)


def main():
    torch.manual_seed(1)
    maker = Maker(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent, 11)
    rows = torch.export.Dim("rows")
    layers = torch.nn.Sequential(
        torch.nn.Linear(4, 12), torch.nn.BatchNorm1d(12), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(12, 6), torch.nn.Sigmoid(), torch.nn.Linear(6, 1))
    # So that what the normalization keeps is not what it begins with.
    layers(torch.randn(64, 4))
    for name, model, widths, outputs in (
            ("torch_layers", layers, {"x": 4}, ["late"]),
            ("torch_two_inputs", TwoInputs(), {"flight": 2, "place": 3}, ["classes", "number"])):
        parts = tuple(torch.randn(5, width) for width in widths.values())
        path = maker.out / f"{name}.tmp"
        torch.onnx.export(
            model.eval(), parts, str(path), input_names=list(widths), output_names=outputs, dynamic_shapes=tuple({0: rows} for _ in widths),
            external_data=False)
        exported = onnx.load(path)
        path.unlink()
        # What the exporter noted of its run would change from one to the next.
        del exported.metadata_props[:]
        for part in (*exported.graph.node, *exported.graph.value_info, *exported.graph.input, *exported.graph.output, *exported.graph.initializer):
            del part.metadata_props[:]
        maker.onnx(name, exported, maker.corners(maker.numbers(20, sum(widths.values())).astype(np.float32))[:-1])


main()
