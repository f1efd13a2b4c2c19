"""The losses of a window's frames (Xu et al. 2021): squared error, VGG16's features, and both ends of the optical flow.

    loss = mean_k |G(w_k) - I_k|^2  +  mean_k sum_l |F_l(G(w_k)) - F_l(I_k)|^2
           +  mean_k (|warp_k(G(w_0)) - warp_k(I_0)|^2 + |warp_0(G(w_k)) - warp_0(I_k)|^2)

warp_k samples frame 0 along the flow from frame k, warp_0 frame k along that from frame 0; squares are means over pixels.
Each term belongs to one frame, so frames can be synthesised one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dynode.inversion.joint.image_flow import flow_between
from dynode.inversion.joint.window_settings import WindowSettings
from dynode.inversion.observer import Observer
from dynode.metrics.warping import warped
from dynode.perception.lpips import LPIPS

Flow = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]  # see `flow_between`
AFTER = {1: (2, 4), 2: (), 3: (5,), 4: (5,)}  # modules of each slice of the network: conv1_1, conv1_2, conv3_2, conv4_2


def vgg_features(perceptual: LPIPS, images: torch.Tensor, resolution: int) -> list[torch.Tensor]:
    """VGG16's features, after conv1_1, conv1_2, conv3_2 and conv4_2 and their ReLU, of images (B, 3, R, R) in [-1, 1].

    Images larger than `resolution` are reduced to it bilinearly.
    """
    if images.shape[-1] > resolution:
        images = F.interpolate(images, size=(resolution, resolution), mode="bilinear", align_corners=False)
    net, x, features = perceptual.model.net, perceptual.model.scaling_layer(images), []
    for k, ends in AFTER.items():
        for n, module in enumerate(getattr(net, f"slice{k}"), start=1):
            x = module(x)
            if n in ends:
                features.append(x)
            if k == max(AFTER) and n == max(ends):
                break
    return features


@dataclass(frozen=True)
class WindowTarget:
    """A window: images (n, 3, R, R), their features by layers, flows (n - 1, 2, R, R) from frame 0 to the others, and back."""

    images: torch.Tensor
    features: list[torch.Tensor]
    away: torch.Tensor
    back: torch.Tensor

    def __len__(self):
        return len(self.images)


class WindowLoss:
    """The loss of a window's frames, with the features' network and what estimates optical flow."""

    def __init__(self, settings: WindowSettings, perceptual: LPIPS, observer: Observer, flow: Flow = flow_between):
        self.settings, self.perceptual, self.observer, self.flow = settings, perceptual, observer, flow

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        return vgg_features(self.perceptual, images, self.settings.feature_resolution)

    @torch.no_grad()
    def target(self, images: torch.Tensor) -> WindowTarget:
        """A window's images (n, 3, R, R), with what is computed of them once: both flows between frame 0 and each other."""
        pairs = []
        for image in images[1:] if self.settings.lambda_flow else []:
            pairs.append(self.flow(images[0], image, self.settings.flow_resolution))
            self.observer.count("flow_calls", 2)
        none = images.new_zeros(0, 2, *images.shape[-2:])
        away, back = (torch.stack(each) for each in zip(*pairs, strict=True)) if pairs else (none, none)
        return WindowTarget(images, self.features(images), away, back)

    def of_frame(self, k: int, image: torch.Tensor, target: WindowTarget) -> torch.Tensor:
        """The part () of the loss that belongs to the image (1, 3, R, R) of frame k."""
        s, wanted, n = self.settings, target.images[k : k + 1], len(target)
        loss = s.lambda_mse / n * F.mse_loss(image, wanted)
        if s.lambda_features:
            pairs = zip(self.features(image), target.features, strict=True)
            loss = loss + s.lambda_features / n * sum(F.mse_loss(mine, its[k : k + 1]) for mine, its in pairs)
        if s.lambda_flow and len(target.away):
            flows = target.back if k == 0 else target.away[k - 1 : k]
            error = warped((image - wanted).expand(len(flows), -1, -1, -1), flows)
            loss = loss + s.lambda_flow * error.square().mean() * (len(flows) / (n - 1))
        return loss
