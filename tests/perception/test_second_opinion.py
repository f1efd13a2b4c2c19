"""Age, gender and expressions by networks of TensorFlow.js: its own numbers for the same pictures, and what an edit changes."""

import pytest
import torch

from dynode import clips, generators
from dynode.editing import editors
from dynode.perception.graph_model import GraphModel
from dynode.perception.second_opinion import SecondOpinion


def waves(size: int, channels: int, scale: float, offset: float) -> torch.Tensor:
    """The picture (1, C, S, S) whose outputs TensorFlow.js 4 has given for the numbers below."""
    y, x = torch.meshgrid(torch.arange(size).double(), torch.arange(size).double(), indexing="ij")
    planes = [torch.sin(0.11 * x + 0.07 * y + c + torch.sin(0.05 * x * 0.3 * c + 0.04 * y)) for c in range(channels)]
    return (scale * (0.5 + 0.5 * torch.stack(planes)) + offset).float()[None]


def test_the_networks_have_the_outputs_of_tensorflow():
    outputs = {
        value.shape[1]: value[0]
        for value in GraphModel("age-gender-second").results(waves(224, 3, 255.0, 0.0)).values()
    }
    assert outputs.keys() == {1, 100}
    assert float(outputs[1]) == pytest.approx(0.86184287, abs=1e-5)
    assert outputs[100][:4].tolist() == pytest.approx(
        [0.0067416434, 0.00070166594, 0.00048277734, 0.0017037266], rel=1e-3
    )
    assert float((outputs[100] * torch.arange(100)).sum()) == pytest.approx(28.0018373, abs=1e-3)
    emotions = GraphModel("emotion-second")(waves(64, 1, 2.0, -1.0))[0]
    expected = [0.010947161, 0.00022232436, 0.044866398, 0.0075255167, 0.85637462, 0.063198343, 0.016865702]
    assert emotions.tolist() == pytest.approx(expected, rel=1e-3)


def test_edits_are_seen_by_networks_that_taught_no_editor():
    clip, generator, judge = clips.load("single_face.1"), generators.load("mobilestylegan-ffhq"), SecondOpinion()
    code = clip.ws[:1].float()

    def seen(ws: torch.Tensor) -> dict[str, float]:
        return {name: float(value) for name, value in judge(generators.render(generator, ws, 256)).items()}

    def edited(name: str, strength: float) -> dict[str, float]:
        return seen(editors.load(f"interfacegan:{name}", generator).edit(code, strength))

    own = seen(code)
    assert 18 < own["age"] < 50 and own["male"] > 0.5
    assert edited("age", 3.0)["age"] > own["age"] + 3
    assert edited("smile", 3.0)["smile"] > own["smile"] + 0.1
    assert edited("gender", -3.0)["male"] < own["male"] - 0.2
