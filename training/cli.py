"""`glassview train`: the making of a model by a recipe.

Alone on a laptop, or in each of the processes that `torchrun` starts; which of the two, the
environment says. Knows the command's words; the recipe decides what is made and how.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from training.ranks import Ranks
    from training.recipe import TrainingRecipe

_EXAMPLES = """\
examples:
  glassview train paper_8xa100 --plan              what a run would take, without its hardware
  glassview train lora_1xa100 --data pairs.json --images figures --base ./llava-1.5-7b-hf \\
      -o glassllava --work scratch                 fine-tune a checkpoint on conversations
  torchrun --nproc-per-node 8 -m glassview train paper_8xa100 --data … (the same on 8 devices)
  glassview train embedded_2cpu -o checkpoint --work scratch
The same command goes on where a run was cut.
"""


def add_commands(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="make a model by a recipe",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("recipe", metavar="RECIPE", help="its name; an unknown one lists all")
    train.add_argument(
        "--data", nargs="+", metavar="FILE", help="conversations, as curate and export write them"
    )
    train.add_argument("--images", metavar="DIR", help="folder of their pictures (that of FILE)")
    train.add_argument(
        "--base", metavar="REF", help="checkpoint to start from: a folder, embedded, hf:ORG/NAME"
    )
    train.add_argument("-o", "--out", default="checkpoint", help="folder of the checkpoint")
    train.add_argument(
        "--work", default="training-work", help="folder of what is between; all processes see it"
    )
    train.add_argument("--workers", type=int, default=2, help="processes that make synthetic data")
    train.add_argument(
        "--among",
        type=int,
        metavar="N",
        help="processes that share one copy of the states: fewer than all where nodes are far "
        "apart and a copy fits into fewer",
    )
    train.add_argument("--plan", action="store_true", help="say what would be done, and stop")
    train.add_argument(
        "--rehearse",
        action="store_true",
        help="with --plan: take the true model, without its weights, through sharding",
    )
    train.add_argument("--devices", type=int, help="for --plan: how many; the recipe's by default")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.KEY=VALUE",
        help="change the recipe: projector.steps=100, data.longest=1024, seed=3",
    )
    train.add_argument("--json", action="store_true", help="one JSON document")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from training.adjusting import adjusted
    from training.recipes import named

    recipe = adjusted(named(args.recipe), args.set)
    if args.plan:
        return _plan(recipe, args)
    from training.planning.checking import check
    from training.ranks import Ranks

    ranks = Ranks.start(args.among)
    try:
        check(recipe, ranks.world)
        return _make(recipe, args, ranks)
    except OSError as error:
        raise _of_the_disk(error, args) from error
    finally:
        ranks.end()


def _of_the_disk(error: OSError, args: argparse.Namespace) -> Exception:
    """What a full, write-protected or failing disk says as a sentence; what else, as it is."""
    import errno

    from glassllava.errors import RunUnavailable

    full = (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EIO)
    closed = (errno.EROFS, errno.EACCES, errno.EPERM)
    in_the_way = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
    if error.errno not in (*full, *closed, *in_the_way):
        return error
    return RunUnavailable(
        f"A file of the run cannot be written or read ({error.strerror})",
        where=error.filename or args.work,
        remedy="Check the room on the disk and the rights of --work and --out; then run the same "
        "command again: it goes on from the last good state.",
    )


def _make(recipe: TrainingRecipe, args: argparse.Namespace, ranks: Ranks) -> int:
    from pathlib import Path

    from training.recipe import FromNothing

    out, work = Path(args.out), Path(args.work)
    log = _log if ranks.first else _silent
    made: Any = None
    if isinstance(recipe.start, FromNothing):
        from training.embedded.making import make_embedded

        _refuse_data(args, recipe)
        make_embedded(recipe, out, work, workers=args.workers, ranks=ranks, log=log)
    else:
        from glassllava.model.opening import ModelSettings
        from glassllava.settings import load
        from training.conversations.making import make_llava

        data, images = _data(args, recipe)
        allowed = load(getattr(args, "settings", None)).section("model", ModelSettings)
        made = make_llava(
            recipe,
            data,
            images,
            out,
            work,
            ranks=ranks,
            log=log,
            base=args.base or "",
            allow_network=allowed.allow_network,
        )
    if ranks.first:
        _tell(args, recipe, out, made)
    return 0


def _data(args: argparse.Namespace, recipe: TrainingRecipe) -> tuple[list[Path], Path]:
    from pathlib import Path

    from glassllava.errors import BadInput

    if not args.data:
        raise BadInput(
            f"The recipe {recipe.name} learns from conversations, and none were named",
            where="--data",
            remedy="`glassview curate` and `glassview export --format llava` write them; --plan "
            "needs none.",
        )
    files = [Path(name) for name in args.data]
    return files, Path(args.images) if args.images else files[0].parent


def _refuse_data(args: argparse.Namespace, recipe: TrainingRecipe) -> None:
    from glassllava.errors import BadInput

    for name in ("data", "images", "base"):
        if getattr(args, name):
            raise BadInput(
                f"The recipe {recipe.name} makes its own data and starts from nothing",
                where=f"--{name}",
                remedy="Leave it out.",
            )


def _tell(args: argparse.Namespace, recipe: TrainingRecipe, out: Path, made: Any) -> None:
    import json

    if not args.json:
        print(f"checkpoint: {out}")
    elif made is None:
        print((out / "evaluation.json").read_text("utf-8"), end="")
    else:
        told = {"checkpoint": str(out), "recipe": recipe.name, "checks": made}
        print(json.dumps(told, indent=2))


def _plan(recipe: TrainingRecipe, args: argparse.Namespace) -> int:
    """Print what a run would take; 2 where it does not fit, or a rehearsal lacks something."""
    import json

    from training.planning.plan import plan
    from training.planning.printing import table, told

    made = plan(recipe, args.devices, among=args.among)
    rehearsals: tuple[Any, ...] = ()
    if args.rehearse:
        from training.planning.rehearsal import rehearse

        rehearsals = rehearse(recipe, args.devices)
    if args.json:
        more = {"rehearsals": [done.to_json() for done in rehearsals]} if args.rehearse else {}
        print(json.dumps({**made.to_json(), **more}, indent=2))
    else:
        print(table(made))
        if rehearsals:
            print("\n" + told(rehearsals))
    return 0 if made.fits and all(done.complete for done in rehearsals) else 2


def _log(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Only the first process speaks."""
