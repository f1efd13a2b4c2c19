"""What tables and figures call the systems that edit videos."""

LABELS = {
    "igci": "IGCI",
    "latent-transformer": "Latent Transformer",
    "stit": "STIT",
    "tcsve": "TCSVE",
    "rigid": "RIGID",
    "dynode+latent-transformer": "DynODE in Latent Transformer",
    "dynode+tcsve": "DynODE in TCSVE",
    "linear+latent-transformer": "linear in Latent Transformer",
    "linear+tcsve": "linear in TCSVE",
    "smoothed+latent-transformer": "smoothed Latent Transformer",
    "latent-transformer, no edit": "Latent Transformer, no edit",
}  # linear+HOST: linear interpolation between the codes that dynode+HOST observes


def label_of(name: str) -> str:
    """A system as figures call it, with the paper's short name of Latent Transformer."""
    return LABELS.get(name, name).replace("Latent Transformer", "Latent-T")
