"""The frozen networks of the losses in images: the clip's generator, LPIPS, an identity network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.fitting.losses import ImageLoss, LossSettings
from dynode.generators.registry import name_for


@dataclass
class ImageNetworks:
    """Networks that are loaded when first needed, and shared by the shots of a clip."""

    device: torch.device | str = "cpu"
    loaded: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, load: Callable[[], Any]) -> Any:
        if name not in self.loaded:
            self.loaded[name] = load()
        return self.loaded[name]

    def image_loss(self, clip: Clip, settings: LossSettings) -> ImageLoss:
        """The losses in images of the observed frames of a clip.  Raises UserError for codes of other weights."""
        from dynode.perception.identity import Identity  # torchvision takes seconds to import
        from dynode.perception.lpips import LPIPS

        name = name_for(clip.meta, f"The clip {clip.name}")
        generator = self.get(name, lambda: generators.load(name, self.device))
        perceptual = identity = None
        if settings.lpips:
            perceptual = self.get(settings.lpips_net, lambda: LPIPS(settings.lpips_net).to(self.device))
        if settings.identity:
            identity = self.get("identity", lambda: Identity().to(self.device))
        targets = generators.render(generator, clip.observations().ws, settings.resolution)
        return ImageLoss(settings, targets, generator.synthesis, perceptual, identity)
