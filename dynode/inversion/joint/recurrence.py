"""RIGID's recurrence over the frames of one shot: each frame's code depends on how the frame before came out."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from dynode.generators.protocol import Generator
from dynode.inversion.joint.face_masks import whole
from dynode.inversion.joint.recurrent_encoder import RecurrentEncoder, State

CodeEdit = Callable[[torch.Tensor], torch.Tensor]  # a code (1, L, D) -> the edited one
Mask = Callable[[torch.Tensor], torch.Tensor]  # an image (1, 3, R, R) -> (1, 1, R, R) in [0, 1]


@dataclass(frozen=True, eq=False)
class Step:
    """One frame: its source (1, 3, R, R), codes (1, L, D) before and after the edit, their images as pasted; the state."""

    source: torch.Tensor
    ws: torch.Tensor
    edited: torch.Tensor
    reconstruction: torch.Tensor
    edited_image: torch.Tensor
    state: State | None


class Recurrence:
    """Goes through frames in order.  mask: the face in an image, within which synthesised images replace the frame.

    encode: the recurrent encoder, or what notifies of its use.
    """

    def __init__(
        self, encoder: RecurrentEncoder, generator: Generator, mask: Mask = whole, encode: Callable | None = None
    ):
        self.encoder, self.generator, self.mask = encoder, generator, mask
        self.encode = encode or encoder

    def step(self, source: torch.Tensor, base: torch.Tensor, edit: CodeEdit, before: Step | None = None) -> Step:
        """The next frame (1, 3, R, R), from its base code (1, L, D) and the frame before it, if any."""
        shown = (source,) * 3 if before is None else (before.source, before.reconstruction, before.edited_image)
        inputs = shown[0], source, *(each.detach() for each in shown[1:])
        offsets, state = self.encode(inputs, None if before is None else before.state)
        ws = base + offsets.float()
        edited = edit(ws)
        made, changed = (self.synthesised(each) for each in (ws, edited))
        mask = torch.maximum(self.mask(source), self.mask(changed.detach()))
        made, changed = (torch.lerp(source, image, mask) for image in (made, changed))
        return Step(source, ws, edited, made, changed, state)

    def synthesised(self, ws: torch.Tensor) -> torch.Tensor:
        """The image (1, 3, R, R) of a code, at the size of the frames that the encoder reads."""
        return self.generator.synthesis(ws, self.encoder.size).float().clamp(-1.5, 1.5)
