"""Steps on a GPU, without one: on fake tensors of a CUDA device, bfloat16 included, nothing is read from the device, nothing
mixes devices, and no tensor is made on the CPU but the counters of Adam.  Backward passes, which want a real device, are left out.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch._dynamo
import torch.distributed.tensor  # reads torch.Generator when it is first imported
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dynode import generators
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.inversion import face_encoder
from dynode.inversion.encoder import EncoderSettings
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS
from dynode.training import degradations, train_face_encoder
from dynode.training.gan_training import GANTrainer, GANTrainingSettings
from dynode.training.loops import Trainer
from dynode.training.rendered_pictures import FreshPictures
from dynode.training.train_encoder import EncoderTrainer, EncoderTrainingSettings
from dynode.worlds import WORLDS

SHAPE = StyleGAN2Settings(resolution=32, z_dim=9, w_dim=12, depth=2, channel_base=256, channel_max=8, normalise_z=False)


class Draws:
    """In place of a generator of random numbers on a GPU."""

    def __init__(self, device: Any = "cpu"):
        self.device = torch.device(device)

    def manual_seed(self, _: int) -> "Draws":
        return self


def without_generator(function: Any) -> Any:
    return lambda *arguments, generator=None, **options: function(*arguments, **options)


def moved(network: torch.nn.Module, device: Any = None, **_: Any) -> torch.nn.Module:
    """`Module.to`, which cannot replace parameters by fake ones."""
    for module in network.modules():
        for name, value in module._parameters.items():
            if value is not None:
                new = torch.empty_like(value, device=device)
                module._parameters[name] = torch.nn.Parameter(new, requires_grad=value.requires_grad)
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = torch.empty_like(value, device=device)
    return network


class OnCPU(TorchDispatchMode):
    """Notes the operations that make tensors on the CPU, single numbers apart."""

    def __init__(self):
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        tensors = [each for each in tree_leaves(made) if isinstance(each, torch.Tensor)]
        self.operations += [f"{func} {each.shape}" for each in tensors if each.device.type == "cpu" and each.dim()]
        return made


@pytest.fixture
def gpu(monkeypatch) -> Iterator[None]:
    """A mode in which a CUDA device seems to be there."""
    for name in ("randn", "rand", "randint"):
        monkeypatch.setattr(torch, name, without_generator(getattr(torch, name)))
    monkeypatch.setattr(torch.Tensor, "normal_", without_generator(torch.Tensor.normal_))
    monkeypatch.setattr(torch, "Generator", Draws)
    monkeypatch.setattr(torch, "cov", lambda x: x @ x.T)  # reads its weights, once at the start
    monkeypatch.setattr(torch.nn.Module, "to", moved)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.autograd, "grad", lambda _, inputs, **__: (torch.zeros_like(inputs),))
    monkeypatch.setattr(degradations, "cosine_transform", degradations.cosine_transform.__wrapped__)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def of_steps(trainer: Trainer, count: int, monkeypatch) -> list[str]:
    """What some steps make on the CPU.  Fails where they read a number or mix devices."""

    def backward(_: torch.Tensor) -> None:
        for network in trainer.networks().values():
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    operations = []
    for _ in range(count):
        with OnCPU() as noted:
            loss = trainer.train_batch()
            trainer.shown, trainer.batches = trainer.shown + trainer.batch, trainer.batches + 1
            trainer.after_batch()
        assert isinstance(loss, torch.Tensor) and loss.device.type == "cuda" and loss.dtype == torch.float32
        operations += noted.operations
    return operations


@pytest.fixture
def lpips() -> LPIPS:
    return LPIPS("alex", checked=False)


@pytest.fixture
def faces() -> tuple[Any, Identity]:
    """A generator of its own, and the network of identities: their weights become fake."""
    return generators.load(), Identity()


def test_generators_of_worlds_are_trained_without_waiting(lpips, gpu, monkeypatch):
    settings = GANTrainingSettings(SHAPE, batch=8, distil=16, coarse=0.5, refine=8, play=16, r1_every=2, enlarged=64)
    fresh = FreshPictures(WORLDS["scene"], 64, 32, "cuda")
    fresh.due = -1e9  # the renderer itself takes its constants from the CPU
    trainer = GANTrainer(settings, fresh.z, fresh.levels, lpips.to("cuda"), "cuda", fresh=fresh)
    assert trainer.mixed and trainer.average.constant.device.type == "cuda"
    assert of_steps(trainer, 5, monkeypatch) == []


@pytest.mark.parametrize("gradient", [True, False])
def test_encoders_of_worlds_are_trained_without_waiting(lpips, gpu, monkeypatch, gradient):
    shape = EncoderSettings(channel_base=512, channel_max=16, hidden=16, passes=2, gradient=gradient)
    settings = EncoderTrainingSettings(shape, batch=4, pictures=24, ema=100)
    generator = StyleGAN2(SHAPE).requires_grad_(False).to("cuda")
    levels = torch.zeros(8, 3, 32, 32, dtype=torch.uint8, device="cuda")
    trainer = EncoderTrainer(settings, generator, levels, lpips.to("cuda"), "cuda")
    assert of_steps(trainer, 1, monkeypatch) == []


@pytest.mark.long
def test_the_encoder_of_faces_is_trained_without_waiting(lpips, faces, gpu, monkeypatch):
    generator, identity = (network.to("cuda") for network in faces)
    monkeypatch.setattr(train_face_encoder, "LPIPS", lambda net, checked: lpips.to("cuda"))
    monkeypatch.setattr(face_encoder, "Identity", lambda: identity)
    settings = train_face_encoder.settings_for_device("cuda")
    trainer = train_face_encoder.FaceEncoderTrainer(settings, "cuda", generator=generator)
    kept = "Size([8"  # the cosine transform, which is made once
    assert [each for each in of_steps(trainer, 1, monkeypatch) if kept not in each] == []


def test_a_step_that_waits_or_mixes_devices_is_noticed(gpu):
    number = torch.zeros((), device="cuda")
    with pytest.raises(Exception, match="local_scalar_dense"):
        number.item()
    with pytest.raises(Exception, match="same device"):
        torch.zeros(2, device="cuda") + torch.zeros(2)
    with OnCPU() as noted:
        torch.tensor([1.0, 2.0]).to("cuda")
    assert noted.operations
