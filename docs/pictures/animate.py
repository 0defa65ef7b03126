"""Makes an animated WebP of pictures whose names are their times in milliseconds, as recording.mjs takes them.

usage: python3 docs/pictures/animate.py FOLDER docs/pictures/turn.webp    (Debian: python3-pil)
"""

import sys
from pathlib import Path

from PIL import Image, ImageChops

WIDTH = 840
"""As wide as a README is."""

LAST_MS = 2500
"""How long the end is shown before it begins again."""


def frames(folder: Path) -> list[tuple[Image.Image, int]]:
    """Reads the pictures that differ from the one before, each with the time for which it is shown."""
    kept: list[tuple[Image.Image, int]] = []
    for path in sorted(folder.glob("*.png")):
        picture = Image.open(path).convert("RGB")
        picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
        if not kept or ImageChops.difference(kept[-1][0], picture).getbbox():
            kept.append((picture, int(path.stem)))
    ends = [began for _, began in kept[1:]] + [kept[-1][1] + LAST_MS]
    return [(picture, end - began) for (picture, began), end in zip(kept, ends, strict=True)]


def main(folder: str, target: str) -> None:
    """Writes the animation and says how large it is."""
    pictures, times = zip(*frames(Path(folder)), strict=True)
    options = {"lossless": True, "quality": 100, "method": 6, "minimize_size": True}
    pictures[0].save(target, save_all=True, append_images=pictures[1:], duration=list(times), loop=0, **options)
    size = Path(target).stat().st_size
    print(f"{target}: {len(pictures)} pictures, {sum(times) / 1000:.1f} s, {size // 1024} KiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
