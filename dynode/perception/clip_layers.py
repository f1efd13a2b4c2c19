"""The two towers of CLIP with a vision transformer (Radford et al. 2021, Sec. 2.4), built to the shapes of its weights."""

import torch
from torch import nn

HEAD = 64  # channels of one head of attention


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Attention and a perceptron, each after a layer norm and with a skip connection."""

    def __init__(self, width: int):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // HEAD, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, 4 * width), "gelu": QuickGELU(), "c_proj": nn.Linear(4 * width, width)}
        )

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        normalised = self.ln_1(x)
        x = x + self.attn(normalised, normalised, normalised, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](self.mlp["gelu"](self.mlp["c_fc"](self.ln_2(x))))


class Transformer(nn.Module):
    def __init__(self, width: int, depth: int):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width) for _ in range(depth))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Vision(nn.Module):
    """Images (B, 3, R, R), normalised -> vectors (B, K)."""

    def __init__(self, width: int, depth: int, patch: int, positions: int, out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) / width**0.5)
        self.positional_embedding = nn.Parameter(torch.randn(positions, width) / width**0.5)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, depth)
        self.proj = nn.Parameter(torch.randn(width, out) / width**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x).flatten(2).movedim(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(x))[:, 0]) @ self.proj


class CLIPNetwork(nn.Module):
    """`encode_image` and `encode_text`; submodules have the names of the published weights."""

    def __init__(self, vision: Vision, words: int, length: int, width: int, depth: int, out: int):
        super().__init__()
        self.visual = vision
        self.token_embedding = nn.Embedding(words, width)
        self.positional_embedding = nn.Parameter(torch.randn(length, width) * 0.01)
        self.transformer = Transformer(width, depth)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, out) / width**0.5)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return self.visual(images)

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors (N, K) of tokens (N, length); the token of a text's end is its largest."""
        x = self.token_embedding(tokens) + self.positional_embedding
        later = torch.full((x.shape[1], x.shape[1]), float("-inf"), device=x.device).triu(1)
        x = self.ln_final(self.transformer(x, later))
        return x[torch.arange(len(x), device=x.device), tokens.argmax(1)] @ self.text_projection


def network_from_weights(state: dict[str, torch.Tensor]) -> CLIPNetwork:
    """The network, frozen, built to the shapes of its weights.  Raises KeyError or RuntimeError for other weights."""
    state = {k: v.float() for k, v in state.items() if k not in ("input_resolution", "context_length", "vocab_size")}
    depth = len({key.split(".")[2] for key in state if key.startswith("transformer.resblocks.")})
    vision_depth = len({key.split(".")[3] for key in state if key.startswith("visual.transformer.resblocks.")})
    patches, positions = state["visual.conv1.weight"].shape, len(state["visual.positional_embedding"])
    width, out = state["text_projection"].shape
    vision = Vision(patches[0], vision_depth, patches[-1], positions, out)
    words, length = len(state["token_embedding.weight"]), len(state["positional_embedding"])
    network = CLIPNetwork(vision, words, length, width, depth, out)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
