"""Record what OpenVINO computes with the face generator's own graph: tests/fixtures/mobilestylegan.npz.

Needs `pip install openvino`. Stored per seed: w (512,), three 32-pixel crops of the 1024-pixel image (float32), and the
brightness of its 256-pixel reduction in fixed point (step 1e-4, differences along rows), all in f32 precision.
"""

import zipfile
from pathlib import Path

import numpy as np

from dynode.io import assets

FIXTURE = Path(__file__).with_name("fixtures") / "mobilestylegan.npz"
SEEDS = (0, 1)
CORNERS = ((200, 300), (420, 360), (560, 520))  # row, column of each crop
STEP = 1e-4


def z_of(seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randn(1, 512).astype(np.float32)


def crops(image: np.ndarray) -> np.ndarray:
    """image (3, 1024, 1024) -> (3, 3, 32, 32)."""
    return np.stack([image[:, r : r + 32, c : c + 32] for r, c in CORNERS])


def brightness(image: np.ndarray) -> np.ndarray:
    """image (3, 1024, 1024) -> (256, 256), area reduced."""
    return image.mean(0).reshape(256, 4, 256, 4).mean((1, 3))


def fixed_point(image: np.ndarray) -> np.ndarray:
    """Round to multiples of STEP and store differences along rows as int16: half the bytes of float32, then deflated."""
    return np.diff(np.round(image / STEP).astype(np.int16), axis=1, prepend=np.int16(0))


def from_fixed_point(stored: np.ndarray) -> np.ndarray:
    return stored.cumsum(axis=1, dtype=np.int64) * STEP


def openvino_network(name: str):
    import openvino

    files = [assets.fetch(f"mobilestylegan-{name}-{kind}") for kind in ("xml", "bin")]
    core = openvino.Core()
    model = core.compile_model(core.read_model(*map(str, files)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: model(x)[0]


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """As `np.savez_compressed` does, a tenth smaller; `np.load` reads it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)


def main() -> None:
    mapping, synthesis = openvino_network("mapping"), openvino_network("synthesis")
    found = {}
    for seed in SEEDS:
        w = mapping(z_of(seed))
        image = synthesis(w)[0]
        found[f"w{seed}"], found[f"crops{seed}"] = w[0], crops(image)
        found[f"brightness{seed}"] = fixed_point(brightness(image))
    FIXTURE.parent.mkdir(exist_ok=True)
    write(FIXTURE, found)
    print(f"{FIXTURE}: {FIXTURE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
