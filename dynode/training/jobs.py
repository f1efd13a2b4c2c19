"""What `dynode train all` trains, in the order of its worth: an encoder of faces, GANs of worlds, their encoders; and by name
generators of worlds that copy the renderer.

A new training is one more `Job` in `JOBS`.
"""

from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from dynode import generators
from dynode.errors import UserError
from dynode.generators import weights
from dynode.inversion import encoder_files as encoders
from dynode.io import assets
from dynode.io.images import from_levels
from dynode.metrics import METRICS
from dynode.perception.lpips import LPIPS
from dynode.settings import changed, choose, to_json
from dynode.training.adversarial.pictures import alone_there, pictures_alone
from dynode.training.adversarial.projected_gan import ProjectedGANSettings, ProjectedGANTrainer
from dynode.training.adversarial.train_projected_gan import METHOD as ADVERSARIAL
from dynode.training.adversarial.train_projected_gan import CurveJudge
from dynode.training.gan_training import GANTrainer
from dynode.training.loops import Trainer
from dynode.training.queue import MOST_JOBS, Conditions, Job
from dynode.training.rendered_pictures import CHUNK, HELD_OUT_SEED, FreshPictures, pictures, pictures_there
from dynode.training.train_encoder import EncoderTrainer, EncoderTrainingSettings, measure
from dynode.training.train_face_encoder import FaceEncoderTrainer, settings_for_device
from dynode.training.train_gan import method, settings_for
from dynode.worlds import World, world

DISTINCT = 12_288  # pictures of a world that a CPU trains on
POOL = 4096  # of which a GPU draws the oldest anew
GAN_POOL = 8192  # likewise, for a GAN
GAN_TIMES_SHOWN = 300  # a GPU trains a GAN faster than it draws: at 24 drawing took most of the time
CURVE = 512  # pictures that the curve of a GAN is measured on
FRESH_SEED = 1000  # of the pictures that a GPU draws in its first run: none that quality is measured on
JUDGED = 1024  # that a GAN's samples are judged by
MEASURED = 128  # new pictures that the quality of a world's networks is measured on
DRAWING = 1 / 3  # of its time that a CPU may draw pictures for
FACE = "mobilestylegan-ffhq"
FACES = (
    *(f"mobilestylegan-{part}" for part in ("mapping-xml", "mapping-bin", "synthesis-xml", "synthesis-bin")),
    "lpips-alexnet",
    "mobilefacenet-arcface",
)
GENERATORS: dict[str, Any] = {
    "distil": 4_000_000,
    "coarse": 0.5,
    "refine": 400_000,
    "ema": 10_000,
}
ENCODERS: dict[str, Any] = {"pictures": 1_000_000, "lr": 2e-3, "ema": 5_000}
GPU_BATCH = 64
CHANNELS = 32  # of a world's generator at its resolution
TINY_GENERATORS = {
    **{"generator.resolution": 16, "generator.w_dim": 12, "generator.depth": 2},
    **{"generator.channel_base": 128, "generator.channel_max": 8, "lpips": 0.0, "refine": 0, "batch": 8},
}
GANS: dict[str, Any] = {"pictures": 4_000_000, "coarse": 0.1, "ema": 20_000, "judged_every": 200_000}
TINY_GANS = {
    **{"generator.resolution": 16, "generator.w_dim": 12, "generator.channel_base": 128, "generator.channel_max": 8},
    **{"width": 8, "batch": 4},
}
TINY_ENCODERS = {
    **{"encoder.channel_base": 256, "encoder.channel_max": 16, "encoder.hidden": 16, "encoder.passes": 2},
    **{"lpips": 0.0, "batch": 4},
}
TINY_FACES = {"batch": 2, "fresh": 1, "judged": 1, "pool": 4, "codes_first": 0.0}


def face_encoder(conditions: Conditions) -> FaceEncoderTrainer:
    """The training of the encoder of faces."""
    settings = changed(settings_for_device(conditions.device), TINY_FACES if conditions.tiny else {})
    return FaceEncoderTrainer(settings, conditions.device, compiled=conditions.compiled)


def measure_face_encoder(trainer: Trainer) -> dict[str, float]:
    return cast(FaceEncoderTrainer, trainer).quality()


def save_face_encoder(trainer: Trainer, path: Path, card: dict) -> None:
    trainer = cast(FaceEncoderTrainer, trainer)
    owner = {"name": trainer.generator_name, "hash": trainer.generator.hash}
    card = {"generator": owner, "settings": to_json(trainer.settings), "samples": trainer.samples} | card
    encoders.save(trainer.average, path, owner["name"], card)


def world_generator(name: str, conditions: Conditions) -> GANTrainer:
    """The training of a world's generator."""
    changes = GENERATORS | shape(conditions) | batch(conditions) | (TINY_GENERATORS if conditions.tiny else {})
    settings = settings_for(world(name), changes)
    z, images, fresh = picture_set(world(name), settings.generator.resolution, conditions)
    network = perceptual(settings.lpips, conditions)
    return GANTrainer(settings, z, images, network, conditions.device, compiled=conditions.compiled, fresh=fresh)


def world_gan(name: str, conditions: Conditions) -> ProjectedGANTrainer:
    """The training of a world's generator on its pictures alone, which on a GPU are drawn anew as it goes on."""
    changes = GANS | shape(conditions) | batch(conditions) | (TINY_GANS if conditions.tiny else {})
    settings = changed(ProjectedGANSettings(), changes)
    known, size, renew, judge = world(name), settings.generator.resolution, None, None
    if conditions.device.type == "cuda":
        options = {"seed": FRESH_SEED + conditions.seed, "times_shown": GAN_TIMES_SHOWN}
        fresh = FreshPictures(known, GAN_POOL, size, conditions.device, **options)
        images, renew = fresh.levels, fresh.renew_after
        judge = judge_of(name, CURVE, size, conditions.device)
    else:
        there = alone_there(known, size)
        n = CHUNK if conditions.tiny else distinct_within(known, size, conditions.seconds, there)
        images = pictures_alone(known, n, size, progress=conditions.progress)
    network = LPIPS("vgg", checked=False)
    options: dict[str, Any] = {"compiled": conditions.compiled, "judge": judge, "renew": renew}
    return ProjectedGANTrainer(settings, images, network, conditions.device, **options)


def judge_of(name: str, n: int, resolution: int, device: torch.device) -> CurveJudge:
    """What measures a GAN's samples against n new pictures of its world."""
    held = FreshPictures(world(name), n, resolution, device, seed=HELD_OUT_SEED)
    return CurveJudge(held.levels, LPIPS("alex", checked=False).to(device))


def save_gan(name: str, trainer: Trainer, path: Path, card: dict) -> None:
    trainer = cast(ProjectedGANTrainer, trainer)
    trainer.average.measure()
    described = {"world": name, "settings": to_json(trainer.settings), "method": ADVERSARIAL}
    described |= {"curve": trainer.quality_curve(), "curve_measured_on": CURVE}
    weights.save(trainer.average, path, described | card, small=card.get("reached", 0) >= 1)


def measure_gan(name: str, trainer: Trainer) -> dict[str, float]:
    """Frechet distance, precision, recall and the accuracy of a classifier of samples and new pictures."""
    trainer = cast(ProjectedGANTrainer, trainer)
    size = trainer.generator.resolution
    judge = judge_of(name, JUDGED, size, trainer.device)
    return {measure: round(value, 4) for measure, value in judge(trainer.average, size).items()}


def save_generator(name: str, trainer: Trainer, path: Path, card: dict) -> None:
    trainer = cast(GANTrainer, trainer)
    trainer.average.measure()
    weights.save(
        trainer.average, path, {"world": name, "settings": to_json(trainer.settings), "method": method(trainer)} | card
    )


def world_encoder(name: str, conditions: Conditions) -> EncoderTrainer:
    """The training of an encoder for a world's generator: of the same folder, or where it has none, the shipped one."""
    kinds = (conditions.folder / f"{name}-{kind}.safetensors" for kind in ("gan", "generator"))
    own = next((str(path) for path in kinds if path.is_file()), f"stylegan2-{name}")
    generator = generators.load(own, conditions.device)
    changes = ENCODERS | batch(conditions) | (TINY_ENCODERS if conditions.tiny else {})
    settings = changed(EncoderTrainingSettings(), changes)
    _, images, fresh = picture_set(world(name), generator.resolution, conditions)
    network = perceptual(settings.lpips, conditions)
    return EncoderTrainer(settings, generator, images, network, conditions.device, conditions.compiled, fresh)


def save_encoder(name: str, trainer: Trainer, path: Path, card: dict) -> None:
    trainer = cast(EncoderTrainer, trainer)
    owner = {"name": f"stylegan2-{name}", "hash": trainer.generator.hash}
    encoders.save(
        trainer.average, path, owner["name"], {"generator": owner, "settings": to_json(trainer.settings)} | card
    )


def held_out(name: str, trainer: GANTrainer | EncoderTrainer) -> FreshPictures:
    """Pictures of a world that no training sees, of the resolution of its generator."""
    return FreshPictures(world(name), MEASURED, trainer.generator.resolution, trainer.device, seed=HELD_OUT_SEED)


@torch.no_grad()
def measure_generator(name: str, trainer: Trainer) -> dict[str, float]:
    """MSE and LPIPS-Alex of the averaged generator's images against the renderer's of the same new latents."""
    trainer = cast(GANTrainer, trainer)
    held = held_out(name, trainer)
    pairs = [*zip(held.z.split(32), from_levels(held.levels).split(32), strict=True)]
    made, wanted = [trainer.average(z).clamp(-1, 1) for z, _ in pairs], [images for _, images in pairs]
    quality = {"mse": torch.cat([METRICS["mse"](*each) for each in zip(made, wanted, strict=True)])}
    if trainer.perceptual is not None:
        quality["lpips_alex"] = torch.cat([trainer.perceptual(*each) for each in zip(made, wanted, strict=True)])
    return {metric: round(float(values.mean()), 5) for metric, values in quality.items()}


def measure_encoder(name: str, trainer: Trainer) -> dict[str, float]:
    """MSE after each pass of the averaged encoder, and SSIM, on new pictures."""
    trainer = cast(EncoderTrainer, trainer)
    return measure(trainer.average, from_levels(held_out(name, trainer).levels))


def shape(conditions: Conditions) -> dict[str, Any]:
    """The resolution of a world's generator, and 32 channels at it whatever it is."""
    return {"generator.resolution": conditions.resolution, "generator.channel_base": CHANNELS * conditions.resolution}


def batch(conditions: Conditions) -> dict[str, Any]:
    """The batch that fills a GPU; on a CPU that of the settings."""
    return {"batch": GPU_BATCH} if conditions.device.type == "cuda" else {}


def perceptual(weight: float, conditions: Conditions) -> LPIPS | None:
    """LPIPS where a loss has a weight for it."""
    return LPIPS("alex", checked=False).to(conditions.device) if weight else None


def picture_set(
    known: World, resolution: int, conditions: Conditions
) -> tuple[torch.Tensor, torch.Tensor, FreshPictures | None]:
    """Latents z (n, Z) and pictures uint8 (n, 3, R, R) of a world: on a GPU drawn there, and anew as training goes on.

    Raises UserError where a CPU has no time to draw them.
    """
    if conditions.device.type == "cuda":
        fresh = FreshPictures(known, POOL, resolution, conditions.device, seed=FRESH_SEED + conditions.seed)
        return fresh.z, fresh.levels, fresh
    there = pictures_there(known, resolution)
    n = CHUNK if conditions.tiny else distinct_within(known, resolution, conditions.seconds, there)
    return *pictures(known, n, resolution, progress=conditions.progress), None


def distinct_within(known: World, resolution: int, seconds: float, there: int) -> int:
    """How many pictures a CPU draws in a third of its time, or has drawn: `there`.  Raises UserError for less than a file of them."""
    rate = known.pictures_per_second * (64 / resolution) ** 2
    fitting = min(DISTINCT, seconds * DRAWING * rate) // CHUNK * CHUNK
    n = max(int(fitting), min(DISTINCT, there))
    if not n:
        raise UserError(
            f"To draw {CHUNK} pictures of {known.name} takes about {CHUNK / rate:.0f} seconds, more than a third of the "
            f"{seconds:.0f} that it has: give more minutes."
        )
    return n


def jobs_of(name: str) -> dict[str, Job]:
    """The trainings of a world, by kind."""
    assets = ("lpips-alexnet",)
    return {
        "gan": Job(
            f"{name}-gan",
            f"a generator of the world {name} from its pictures alone",
            14.0,
            partial(world_gan, name),
            partial(save_gan, name),
            partial(measure_gan, name),
            ("lpips-vgg16", "lpips-alexnet"),
        ),
        "generator": Job(
            f"{name}-generator",
            f"a generator of the world {name} that copies its renderer",
            10.0,
            partial(world_generator, name),
            partial(save_generator, name),
            partial(measure_generator, name),
            assets,
        ),
        "encoder": Job(
            f"{name}-encoder",
            f"its encoder, for {name}-gan or {name}-generator of the same folder, else for the one that ships",
            4.0,
            partial(world_encoder, name),
            partial(save_encoder, name),
            partial(measure_encoder, name),
            assets,
        ),
    }


WORLDS = [jobs_of(name) for name in ("scene", "bird", "isaac3d")]
JOBS: tuple[Job, ...] = (
    Job(
        "face-encoder",
        f"an encoder of faces, for {FACE}",
        50.0,
        face_encoder,
        save_face_encoder,
        measure_face_encoder,
        FACES,
    ),
    *(each["gan"] for each in WORLDS),
    *(each["generator"] for each in WORLDS),
    *(each["encoder"] for each in WORLDS),  # behind the generators of the same folder, which they are trained for
)
BY_NAME = [each["generator"] for each in WORLDS]  # trained only where they are named


def percentages(shares: list[float]) -> list[int]:
    """Shares in whole percents that add up to 100, by the largest remainder; of equal ones the first gets more."""
    exact = [100 * share / sum(shares) for share in shares]
    floors = [int(each) for each in exact]
    largest = sorted(range(len(exact)), key=lambda k: floors[k] - exact[k])[: 100 - sum(floors)]
    return [floor + (k in largest) for k, floor in enumerate(floors)]


def chosen(only: tuple[str, ...] = ()) -> list[Job]:
    """The jobs of these names, in the order of the queue; without any those of greatest worth, as many as a run trains.

    Raises UserError for a name that there is not.
    """
    for name in only:
        choose("training", name, [job.name for job in JOBS])
    usual = [job for job in JOBS if job not in BY_NAME]
    return [job for job in JOBS if job.name in only] if only else usual[:MOST_JOBS]


def listing(only: tuple[str, ...] = ()) -> list[str]:
    """Lines that show the jobs that a run trains with their shares of the time, those that it leaves out where none are named,
    and the assets that are read, with their sizes."""
    jobs = chosen(only)
    parts = zip(jobs, percentages([job.share for job in jobs]), strict=True)
    lines = [f"{job.name:18} {share:3} %  {job.purpose}" for job, share in parts]
    lines += [f"{job.name:18}   left  {job.purpose}" for job in JOBS if job not in jobs and not only]
    if len(lines) > len(jobs):
        lines.append(f"A run trains {len(jobs)} of them; `dynode train all --only NAME` trains what is left.")
    wanted = [assets.find(name) for name in dict.fromkeys(name for job in jobs for name in job.assets)]
    lines += [f"Assets, {sum(each.size for each in wanted) / 1e6:.1f} MB, which `dynode fetch NAME ...` gets:"]
    return lines + [f"{each.name:32} {each.size / 1e6:5.1f} MB  {each.filename}" for each in wanted]
