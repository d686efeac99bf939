"""`glassview convert`: others' checkpoints and adapters to a folder that opens here.

Knows flags and the closing words; which of the two a folder is, its files say.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from training.export.card import About
    from training.export.saving import Saved

_EXAMPLES = """\
examples:
  glassview convert llava-v1.5-7b/ --tower clip-vit-large-patch14-336/ -o llava/ --read-bin
  glassview convert my-lora/ --base llava/ -o glassllava/ --licence "Llama 2 Community"

The first takes a checkpoint in the layout of the original LLaVA repository (config.json with
mm_vision_tower; LLaVA-1 and 1.5) and the CLIP model that it names. The second works a LoRA that
peft saved into its base, with the projector that was trained beside it. Nothing is downloaded.
--read-bin reads pickled weights with a reader that runs nothing in them; without it only
safetensors are read.
"""


def add_commands(commands: Any) -> None:
    """Register `convert` with argparse's sub-parsers."""
    convert = commands.add_parser(
        "convert",
        help="a checkpoint in the original LLaVA layout, or a LoRA, to a folder that opens here",
        description="Makes a checkpoint in Hugging Face LLaVA format, checked by opening it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    convert.add_argument("folder", metavar="FOLDER", help="the checkpoint, or the adapter")
    convert.add_argument("-o", "--output", metavar="OUT", required=True, help="the new folder")
    convert.add_argument("--tower", metavar="DIR", help="the CLIP model that a checkpoint names")
    convert.add_argument("--base", metavar="DIR", help="the checkpoint that a LoRA is for")
    convert.add_argument(
        "--read-bin", action="store_true", help="read *.bin where there is no safetensors file"
    )
    convert.add_argument("--name", metavar="NAME", help="what to call the model (OUT's name)")
    convert.add_argument(
        "--licence", metavar="TEXT", default="", help="of the weights, as their owner states it"
    )
    convert.add_argument(
        "--materials", metavar="TEXT", default="", help="the materials that it was made for"
    )
    convert.add_argument(
        "--shard-gb", metavar="GB", type=float, default=2.0, help="bytes of a file, in 1e9 (2)"
    )
    convert.add_argument("--json", action="store_true", help="one JSON document")
    convert.set_defaults(run=run_convert)


def run_convert(args: argparse.Namespace) -> int:
    """Convert a checkpoint or merge an adapter; prints the new folder."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    from glassllava.errors import BadInput
    from training.export.merging import CONFIG

    if not 0 < args.shard_gb <= 1000:
        raise BadInput("This must be more than 0 and at most 1000", where="--shard-gb")
    folder = Path(args.folder)
    saved = (_merge if (folder / CONFIG).is_file() else _convert)(folder, args)
    if args.json:
        print(json.dumps(asdict(saved), default=str, indent=2))
    else:
        print(saved.folder)
    return 0


def _convert(folder: Path, args: argparse.Namespace) -> Saved:
    from pathlib import Path

    from tqdm import tqdm

    from glassllava.errors import BadInput
    from glassllava.model.opening import read_json
    from training.export.converting import convert_original
    from training.export.original import read_original

    if (folder / "config.json").is_file():  # another layout is said before its tower is missed
        read_original(read_json(folder / "config.json"), folder / "config.json")
    if not args.tower:
        raise BadInput(
            "A checkpoint of the original layout does not hold its vision tower",
            where="--tower",
            remedy="Name the folder of the CLIP model that its config.json calls mm_vision_tower.",
        )
    with tqdm(unit="weight", disable=None) as bar:

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return convert_original(
            folder,
            Path(args.tower),
            Path(args.output),
            _about(folder, args),
            pickled=args.read_bin,
            shard=int(args.shard_gb * 1e9),
            told=told,
        )


def _merge(folder: Path, args: argparse.Namespace) -> Saved:
    from dataclasses import replace
    from pathlib import Path

    from glassllava.errors import BadInput
    from glassllava.model import opening
    from training.export.merging import merge_adapter

    if not args.base:
        raise BadInput(
            "An adapter is nothing without its base",
            where="--base",
            remedy="Name the folder of the checkpoint that it was trained on.",
        )
    base = Path(args.base)
    card = opening.read_checkpoint(base).card
    about = _about(folder, args)
    about = replace(
        about,
        materials=args.materials or str(card.get("materials", about.materials)),
        synthetic=card.get("trained_on_synthetic"),
        base={str(card.get("name", base.name)): str(card.get("licence", "")), **about.base},
        settings={key: card[key] for key in _SETTINGS if key in card},
        made=(f"The LoRA '{folder.name}' was worked into '{card.get('name', base.name)}'",),
    )
    return merge_adapter(base, folder, Path(args.output), about, shard=int(args.shard_gb * 1e9))


#: What the base's card says of how it is asked, and holds of the merged model, too.
_SETTINGS = ("probe_keys", "passage_budget", "longest_text")


def _about(folder: Path, args: argparse.Namespace) -> About:
    from pathlib import Path

    from training.export.card import About

    about = About(name=args.name or Path(args.output).name, base={folder.name: args.licence})
    if args.materials:
        from dataclasses import replace

        about = replace(about, materials=args.materials)
    return about
