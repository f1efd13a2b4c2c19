"""Drafts of faces: exact features, gradients, and a head that can learn the generator's image."""

import torch

from dynode.generators.draft import KEPT, Draft


def test_features_are_those_of_the_generator(generator):
    """The generator's own last blocks on them give its image."""
    ws = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(3))).clone()
    x, kept = Draft(generator).features(ws), []
    hook = generator.blocks[KEPT].register_forward_pre_hook(lambda _, arguments: kept.append(arguments[0]))
    with torch.no_grad():
        generator.synthesis(ws, 64)
    hook.remove()
    assert x.shape == (1, 256, 128, 128)
    assert torch.allclose(x, kept[0], atol=1e-4)


def test_the_head_learns_an_image_and_is_differentiable_in_the_codes(generator):
    torch.manual_seed(0)
    ws = generator.mapping(torch.randn(2, 512, generator=torch.Generator().manual_seed(3))).clone()
    draft = Draft(generator)
    draft.measure(ws)
    with torch.no_grad():
        wanted = torch.cat([generator.synthesis(each, 256) for each in ws.split(1)])
        features = draft.features(ws)
    optimiser = torch.optim.Adam(draft.parameters(), lr=1e-2)
    errors = []
    for _ in range(25):
        loss = (draft.head(features, ws) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(loss.item())
    assert errors[-1] < 0.3 * errors[0]
    ws = ws[:1].requires_grad_(True)
    draft(ws).square().mean().backward()
    assert (ws.grad.abs().sum((0, 2)) > 0).all(), "the image depends on every row"
