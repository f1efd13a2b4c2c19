"""The encoder of faces: shapes, passes, scales that rows read, files, size."""

import pytest
import torch

from dynode import generators
from dynode.errors import UserError
from dynode.inversion import encoder_files as encoders
from dynode.inversion.face_encoder import GROUPS, FaceEncoder, FaceEncoderSettings

SMALL = FaceEncoderSettings(widths=(8, 8, 8, 16, 16, 16), reduced=256, hidden=8, draft=8, passes=2)


@pytest.fixture
def encoder(generator):
    torch.manual_seed(0)
    network = FaceEncoder(SMALL, generator)
    torch.nn.init.normal_(network.residual)
    return network


def test_an_untrained_one_encodes_every_face_as_the_average(generator):
    codes = FaceEncoder(SMALL, generator)(torch.rand(2, 3, 64, 64))
    assert torch.equal(codes, generator.w_avg.expand(2, 23, 512))


def test_every_pass_changes_the_codes_of_each_image_by_itself(encoder):
    images = 2 * torch.rand(2, 3, 256, 256) - 1
    codes = encoder(images)
    assert codes.shape == (2, 23, 512)
    assert not torch.allclose(codes, encoder(images, passes=1))
    assert torch.allclose(codes[1:], encoder(images[1:]), atol=1e-4)


def test_rows_are_read_from_the_map_of_their_scale(encoder):
    """Silence the reader of the finest map: only fine rows change."""
    images, drafts = torch.rand(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)
    before = encoder.change(images, drafts)
    torch.nn.init.zeros_(encoder.readers[-1].dense.weight)
    after = encoder.change(images, drafts)
    fine = GROUPS[-1][1]
    assert torch.equal(before[:, : fine.start], after[:, : fine.start])
    assert not torch.allclose(before[:, fine], after[:, fine])
    assert [group for _, group in GROUPS] == [slice(0, 5), slice(5, 11), slice(11, 23)]


def test_files(encoder, generator, tmp_path):
    encoders.save(encoder, tmp_path / "e.safetensors", generator.name, {"hours": 1})
    loaded, images = encoders.load(tmp_path / "e.safetensors", generator), torch.rand(1, 3, 256, 256)
    assert encoders.card(tmp_path / "e.safetensors") == {"hours": 1} and loaded.settings == SMALL
    assert torch.allclose(loaded(images), encoder(images), atol=0.1)
    with pytest.raises(UserError, match="train an encoder for them"):
        encoders.load(tmp_path / "e.safetensors", generators.load("stylegan2-scene-factors"))


def test_its_file_has_at_most_ten_megabytes(generator, tmp_path):
    encoders.save(FaceEncoder(FaceEncoderSettings(), generator), tmp_path / "e.safetensors", generator.name, {})
    assert (tmp_path / "e.safetensors").stat().st_size <= 10e6
