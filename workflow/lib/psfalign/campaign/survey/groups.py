"""Group exposures that belong together by their headers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import PsfalignError
from ..roles import BY_HAND, Role, guess_roles, target_of
from .remarks import Remarks, listed
from .sightings import MARKS, Sighting
from .steps import rank_of_step

LEAST_ROLL = 1.0  # degrees by which the rolls of two exposures differ; proposals use about 10


@dataclass(frozen=True)
class Group:
    """
    Science exposures, and the psf images that each of them gets.

    Attributes
    ----------
    title
        A description of what they have in common.
    science, psfs
        Their files.
    is_stacked
        Whether the one psf is a psfstack.
    """

    title: str
    science: tuple[Path, ...]
    psfs: tuple[Path, ...]
    is_stacked: bool


def cluster(sightings: Iterable[Sighting], remarks: Remarks) -> list[list[Sighting]]:
    """
    Sort files by their marks.

    A file that lacks some marks is added to the only cluster with which it agrees; if there are
    several such clusters, it is left out.
    """
    by_marks: dict[tuple[str, ...], list[Sighting]] = {}
    for sighting in sightings:
        key = tuple(sighting.marks.get(mark, "") for mark in MARKS)
        by_marks.setdefault(key, []).append(sighting)
    for key in sorted(by_marks, key=lambda key: key.count(""), reverse=True):
        fitting = _fullest([other for other in by_marks if other != key and _covers(other, key)])
        fitting = [k for k in fitting if _completes(by_marks[k], by_marks[key])] or fitting
        if len(fitting) == 1:
            by_marks[fitting[0]] += by_marks.pop(key)
        elif fitting:
            for sighting in by_marks.pop(key):
                remarks.leave_out(sighting.path, _ambiguous(key, fitting))
    return [by_marks[key] for key in sorted(by_marks)]


def _completes(others: list[Sighting], sightings: list[Sighting]) -> bool:
    """Return whether others have a role that sightings lack."""
    return not {other.role for other in others} <= {sighting.role for sighting in sightings}


def _covers(full: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return all(mine in ("", theirs) for theirs, mine in zip(full, key, strict=True))


def _fullest(keys: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [k for k in keys if not any(o != k and _covers(o, k) for o in keys)]


def _ambiguous(key: tuple[str, ...], fitting: list[tuple[str, ...]]) -> PsfalignError:
    lacking = [i for i, value in enumerate(key) if not value and len({f[i] for f in fitting}) > 1]
    values = " or ".join(sorted({full[lacking[0]] for full in fitting}))
    problem = f"missing; {values} are possible"
    return PsfalignError(problem, keyword=MARKS[lacking[0]], remedy=f"add it, or {BY_HAND}")


def make_groups(sightings: list[Sighting], remarks: Remarks, *, without_stars: bool) -> list[Group]:
    """
    Make groups of usable exposures that agree.

    Parameters
    ----------
    sightings
        Exposures and psfstacks.
    remarks
        Receives the files that cannot be used, and warnings about guesses.
    without_stars
        Whether rolls of a target may be psfs of each other if there is no reference star.
    """
    exposures: list[Sighting] = []
    stacks: list[Sighting] = []
    for sighting in sightings:
        if sighting.refusal:
            remarks.leave_out(sighting.path, sighting.refusal)
        else:
            (stacks if sighting.is_stack else exposures).append(sighting)
    clusters = cluster(with_roles(exposures, remarks), remarks)
    serving = _stacks_by_cluster(clusters, stacks, remarks)
    groups: list[Group] = []
    for members, own_stacks in zip(clusters, serving, strict=True):
        groups += _group(_one_of_each(members, remarks), own_stacks, remarks, without_stars)
    return groups


def with_roles(exposures: list[Sighting], remarks: Remarks) -> list[Sighting]:
    """Assign a role to exposures without IS_PSF, as far as their dither patterns show it."""
    found = [exposure for exposure in exposures if exposure.role]
    for members in cluster((e for e in exposures if not e.role), Remarks()):
        title = members[0].title
        guess = guess_roles([e.header for e in exposures if e.title == title])
        if guess:
            found += [replace(e, role=guess[e.header["NUMDTHPT"]]) for e in members]
            remarks.warn(_say_guess(guess, members))
        else:
            for exposure in members:
                value = exposure.header.get("NUMDTHPT", "(missing)")
                problem = f"IS_PSF is missing, and NUMDTHPT={value} does not tell either"
                remarks.leave_out(exposure.path, f"{problem}; {BY_HAND}")
    return found


def _say_guess(guess: Mapping[str, Role], members: list[Sighting]) -> str:
    parts = []
    for value, role in guess.items():
        names = listed(e.path for e in members if e.header["NUMDTHPT"] == value)
        parts.append(f"as {role} (NUMDTHPT={value}): {names}")
    return f"IS_PSF is missing; taken {'; '.join(parts)}; exchange them if that is wrong"


def _one_of_each(members: list[Sighting], remarks: Remarks) -> list[Sighting]:
    """Leave out crfints for which there are calints, and files of a second candidate."""
    first: dict[tuple[str, str], Sighting] = {}
    for sighting in sorted(members, key=lambda s: ("_calints" not in s.name, s.path)):
        other = first.setdefault((sighting.step, sighting.root), sighting)
        if other is not sighting:
            remarks.leave_out(
                sighting.path, f"was made of the exposure of {other.path}, which goes first"
            )
    return sorted(first.values(), key=lambda sighting: sighting.path)


def _group(
    members: list[Sighting], stacks: list[Sighting], remarks: Remarks, without_stars: bool
) -> Iterator[Group]:
    """Make the groups of one kind, of each step by itself, the most complete one first."""
    made: dict[str, Sighting] = {}
    for science, psfs in _by_step(members):
        new = [s for s in science if s.root not in made]
        if new and psfs:
            yield _named(new, psfs)
            made |= {s.root: s for s in (*new, *psfs)}
    rest = [s for s in members if made.get(s.root) is not s]
    for sighting in rest if made else ():
        used = made.get(sighting.root, next(iter(made.values()))).path.parent
        remarks.leave_out(sighting.path, _other_step(sighting.path.parent, used))
    science, psfs = ([s for s in rest if s.role == role] for role in ("science", "psf"))
    if stacks and science and not made:
        yield _named(science, stacks[:1])
        stacks = stacks[1:]
    elif science and not made:
        yield from _without_star(science, psfs, remarks, without_stars)
    for psf in (*psfs, *stacks):
        if science or made:
            why = _superfluous(psf, bool(made))
        else:
            why = f"no science exposure with {psf.title}, {psf.marks['size']} pixels"
        remarks.leave_out(psf.path, why)


def _by_step(members: list[Sighting]) -> list[tuple[list[Sighting], list[Sighting]]]:
    steps: dict[str, tuple[list[Sighting], list[Sighting]]] = {}
    for sighting in members:
        steps.setdefault(sighting.step, ([], []))[sighting.role == "psf"].append(sighting)

    def order(step: str) -> tuple[object, ...]:
        science, psfs = steps[step]
        return not (science and psfs), -len(science), -len(psfs), rank_of_step(step)

    return [steps[step] for step in sorted(steps, key=order)]


def _named(science: list[Sighting], psfs: list[Sighting]) -> Group:
    members, images = (tuple(s.path for s in files) for files in (science, psfs))
    return Group(science[0].title, members, images, is_stacked=psfs[0].is_stack)


def _other_step(folder: Path, used: Path) -> str:
    return (
        f"{folder} holds another processing step than {used}, which is used; "
        f"name {folder} alone to use it"
    )


def _superfluous(psf: Sighting, has_stars: bool) -> str:
    if not psf.is_stack:
        return "no science exposure of the same processing step"
    which = "psf exposures themselves are" if has_stars else "another psfstack is"
    return f"is a psfstack, and {which} used; name it as psfs of an exposure to use it"


def _stacks_by_cluster(
    clusters: list[list[Sighting]], stacks: list[Sighting], remarks: Remarks
) -> list[list[Sighting]]:
    """Return the psfstacks that agree with each cluster, and with no other that needs one."""
    serving: list[list[Sighting]] = [[] for _ in clusters]
    for stack in stacks:
        agreeing = [i for i, members in enumerate(clusters) if _agrees(stack, members[0])]
        needing = [i for i in agreeing if not any(s.role == "psf" for s in clusters[i])]
        if len(needing) > 1:
            titles = " and ".join(clusters[i][0].title for i in needing)
            remarks.leave_out(stack.path, f"could serve {titles}; name it as psfs of an exposure")
        elif needing or agreeing:
            serving[(needing or agreeing)[0]].append(stack)
        else:
            words = f"{stack.title or 'nothing in its header'}, {stack.marks['size']} pixels"
            remarks.leave_out(stack.path, f"no science exposure with {words}")
    return serving


def _agrees(stack: Sighting, other: Sighting) -> bool:
    marks = (mark for mark in MARKS if mark in stack.marks and mark in other.marks)
    return stack.step in ("", other.step) and all(stack.marks[m] == other.marks[m] for m in marks)


def _without_star(
    science: list[Sighting], psfs: list[Sighting], remarks: Remarks, allowed: bool
) -> Iterator[Group]:
    """Make rolls of one target the psfs of each other, or warn that there is no reference star."""
    for sighting in science:
        others = [other for other in science if _is_other_roll(other, sighting)]
        title = f"no reference star with {sighting.title}, {sighting.marks['size']} pixels"
        if psfs:
            title += f" of the same processing step; that in {psfs[0].path.parent} is another one"
        if others and allowed:
            yield _named([sighting], others)  # `list_doubts` warns of it
        else:
            remedy = (
                f"another roll may be its psf, such as {others[0].path}: {BY_HAND}"
                if others
                else "fetch its calints, from this program or another"
            )
            remarks.leave_out(sighting.path, f"{title}; {remedy}")


def _is_other_roll(one: Sighting, other: Sighting) -> bool:
    same_target = target_of(one.header) == target_of(other.header) != ""
    if not same_target or one.step != other.step:
        return False
    rolls = [_roll_of(sighting) for sighting in (one, other)]
    if None in rolls:
        return _observation(one) != _observation(other)
    difference = abs(rolls[0] - rolls[1]) % 360  # type: ignore[operator]
    return min(difference, 360 - difference) >= LEAST_ROLL


def _roll_of(sighting: Sighting) -> float | None:
    for keyword in ("ROLL_REF", "GS_V3_PA"):
        try:
            return float(sighting.header[keyword])
        except (KeyError, ValueError):
            continue
    return None


def _observation(sighting: Sighting) -> str:
    return sighting.name[: len("jw09301001")]
