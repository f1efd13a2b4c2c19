"""Weights in 8 bits: which are stored so, and what they come back as."""

import torch

from dynode.io.tensor_files import LOST, decoded, eight_bits


def test_matrices_are_stored_in_8_bits_and_come_back_within_the_bound():
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Linear(64, 32))
    stored = eight_bits(network.state_dict())
    assert {stored[f"{k}.weight"].dtype for k in (0, 1)} == {torch.int8}
    assert {stored[f"{k}.bias"].dtype for k in (0, 1)} == {torch.float16}
    restored, whole = decoded(stored), network.state_dict()
    assert {key: value.shape for key, value in restored.items()} == {key: value.shape for key, value in whole.items()}
    for key in ("0.weight", "1.weight"):
        assert 0 < (restored[key] - whole[key]).norm() < LOST * whole[key].norm()


def test_a_matrix_that_would_lose_more_stays_in_16_bits():
    network = torch.nn.Linear(64, 32)
    with torch.no_grad():
        network.weight.uniform_(-1, 1)
        network.weight[:, 0] = 50.0  # a row's scale follows its largest number
    stored = eight_bits(network.state_dict())
    assert stored["weight"].dtype == torch.float16 and "weight.scale" not in stored
    assert torch.equal(decoded(stored)["weight"], network.weight.half().float())


def test_short_rows_and_vectors_stay_in_16_bits():
    tensors = {"product.left": torch.randn(32, 2), "bias": torch.randn(32), "scalar": torch.tensor(0.5)}
    stored = eight_bits(tensors)
    assert stored.keys() == tensors.keys() and {value.dtype for value in stored.values()} == {torch.float16}
    assert torch.equal(decoded(stored)["scalar"], tensors["scalar"])
