"""The command line gives the results of the workflow, and errors of one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from astropy.io import fits
from files import (
    PSF_STEPS,
    SHAPE,
    SKY,
    digests,
    error_lines,
    exposure_hdus,
    pixels,
    psfalign,
    scene,
    write,
    write_association,
    write_campaign,
    write_exposure,
    write_mask,
    write_psfs,
)
from rolls import write_roll

from psfalign.cli import main
from psfalign.steps.rolls import Roll
from psfalign.steps.stages import SubtractionOptions
from psfalign.steps.subtract import subtract_psf


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write_campaign(folder)
    return folder


def align(inputs: Path, output: Path, *more: str, psfs: str = "star_psfstack.fits") -> list[str]:
    return [
        "align",
        *("--science", str(inputs / "jw1_calints.fits"), "--psfs", str(inputs / psfs)),
        *("--psfmask", str(inputs / "mask.fits"), "--output", str(output), "--max-shift", "4"),
        *more,
    ]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail, and return its one line."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("psfalign: error: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0].removeprefix("psfalign: error: ")


def test_align_leaves_one_file_and_its_inputs_as_they_were(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(inputs)
    output = tmp_path / "out.fits"
    assert main(align(inputs, output)) == 0
    assert pixels(output).shape == (2, 3, *SHAPE)
    assert digests(inputs) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out.fits"]
    assert f"{output}: aligned with {inputs / 'mask.fits'}" in capsys.readouterr().out


def test_steps_one_by_one_give_the_bytes_of_align(inputs: Path, tmp_path: Path) -> None:
    one, steps = tmp_path / "1", tmp_path / "2"
    assert main(align(inputs, one / "psfalign.fits")) == 0
    paths = {name: str(steps / name) for name in ("m.json", "s.fits", "p.fits", "t.ecsv")}
    commands = [
        ["resolve-psfmask", "--science", str(inputs / "jw1_calints.fits"), "--psfmask",
         str(inputs / "mask.fits"), "--output", paths["m.json"]],
        ["clean", "--input", str(inputs / "jw1_calints.fits"), "--output", paths["s.fits"]],
        ["clean", "--input", str(inputs / "star_psfstack.fits"), "--output", paths["p.fits"]],
        ["fit-shifts", "--science", paths["s.fits"], "--psfs", paths["p.fits"], "--psfmask",
         paths["m.json"], "--output", paths["t.ecsv"], "--max-shift", "4", "--threads", "2"],
        ["align-psfs", "--psfs", paths["p.fits"], "--shifts", paths["t.ecsv"], "--psfmask",
         paths["m.json"], "--output", str(steps / "psfalign.fits"), "--threads", "2"],
    ]  # fmt: skip
    for command in commands:
        assert main(command) == 0
    assert (steps / "psfalign.fits").read_bytes() == (one / "psfalign.fits").read_bytes()


def test_align_stacks_calints(inputs: Path, tmp_path: Path) -> None:
    write_psfs(inputs / "p_calints.fits", scene(PSF_STEPS, seed=7))
    more = inputs / "p_calints.fits"
    arguments = align(inputs, tmp_path / "o.fits", psfs="star_psfstack.fits")
    arguments.insert(arguments.index("--psfs") + 1, str(more))
    assert main(arguments) == 0
    assert pixels(tmp_path / "o.fits").shape == (2, 6, *SHAPE)


def test_resolve_chooses_from_a_folder(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "refs").mkdir()
    write_mask(tmp_path / "refs" / "m.fits")
    write_mask(tmp_path / "refs" / "other.fits", FILTER="F444W")
    arguments = ["resolve-psfmask", "--science", inputs / "jw1_calints.fits"]
    arguments += ["--references", tmp_path / "refs", "--output", tmp_path / "m.json"]
    assert main([str(argument) for argument in arguments]) == 0
    assert '"psfmask": "' + str(tmp_path / "refs/m.fits") in (tmp_path / "m.json").read_text()


@pytest.fixture
def association(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An association with its files, and a configuration c.yaml that names it."""
    monkeypatch.chdir(tmp_path)
    write_exposure(tmp_path / "s1_calints.fits")
    write_psfs(tmp_path / "p.fits")
    members = [("s1_calints.fits", "science"), ("p.fits", "psf"), ("b.fits", "background")]
    path = write_association(tmp_path / "asn.json", members)
    mask = write_mask(tmp_path / "m.fits")
    config = {"associations": [str(path)], "psfmask": {"references": [str(mask)]}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    return path


def test_check_says_what_is_wrong_with_each_file(
    association: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_psfs(tmp_path / "p.fits", scene(PSF_STEPS)[:, 1:])
    (tmp_path / "results").touch()
    assert main(["check", str(tmp_path / "c.yaml")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"psfalign: error: {tmp_path}/s1_calints.fits: image sizes differ")
    assert lines[1] == "psfalign: error: output_dir=results: is a file; name a folder"


def test_check_lists_the_exposures(
    association: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    assert main(["check", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "s1_a3001: psfs p_1psfs_01488cd2\n"
    assert captured.err == (
        f"psfalign: warning: {association}: 1 member of exptype background not used\n"
    )


def test_item_01_check_gives_line_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("output_dir: x\n\texposures: []\n")
    line = refusal(capsys, "check", path)
    assert (
        line == f"{path}: line 2, column 1: a tab; YAML is indented with spaces; correct the YAML"
    )


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--max-shift", -1, 0), ("--threads", 0, 1), ("--threads", -2, 1)],
)
def test_item_05_number_out_of_range(
    option: str, value: int, least: int, inputs: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    line = refusal(capsys, *align(inputs, tmp_path / "o.fits", option, str(value)))
    assert line == f"{option}={value}: is less than {least}; write {least} or more"
    assert not (tmp_path / "o.fits").exists()


def test_item_06_box(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = ("clean", "--input", inputs / "jw1_calints.fits", "--output", tmp_path / "o.fits")
    assert refusal(capsys, *clean, "--median-box-length", 1) == (
        "--median-box-length=1: is less than 2; write 2 or more"
    )
    assert refusal(capsys, *clean, "--median-box-length", 41) == (
        "align_refs.median_box_length=41: the box is larger than the image of 40×32 pixels; "
        "use a smaller one"
    )
    assert refusal(capsys, *clean, "--bad-bits", "HOTT").startswith(
        "align_refs.bad_bits=HOTT: no DQ flag is called 'HOTT'; did you mean HOT? the flags are "
    )
    assert not (tmp_path / "o.fits").exists()


def test_item_15_nothing_to_choose_from(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    science = inputs / "jw1_calints.fits"
    line = refusal(capsys, "resolve-psfmask", "--science", science, "--output", tmp_path / "m")
    assert line.startswith(f"{science}: no mask matches INSTRUME=NIRCAM, ")
    assert "; tried no file at all; add one to psfmask.references" in line


def test_item_19_a_mask_file_where_a_psfmask_json_is_expected(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = inputs / "mask.fits"
    arguments = ("--science", inputs / "jw1_calints.fits", "--psfs", inputs / "star_psfstack.fits")
    line = refusal(capsys, "fit-shifts", *arguments, "--psfmask", mask, "--output", tmp_path / "t")
    assert line == f"{mask}: is not a resolved mask, psfmask.json; run resolve_psfmask first"


def test_item_27_psfs_of_another_size(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    write_exposure(inputs / "small.fits", np.ones((1, 8, 9), np.float32))
    line = refusal(capsys, *align(inputs, tmp_path / "o.fits", psfs="small.fits"))
    assert "image sizes differ (columns×rows): science " in line
    assert not (tmp_path / "o.fits").exists()


def test_item_34_psfs_of_another_filter(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_psfs(inputs / "other.fits", FILTER="F444W")
    line = refusal(capsys, *align(inputs, tmp_path / "o.fits", psfs="other.fits"))
    assert "FILTER differ: " in line
    assert "FILTER=F335M" in line
    assert "FILTER=F444W" in line
    assert not (tmp_path / "o.fits").exists()


@pytest.mark.parametrize(
    "command",
    [
        "align --science {} --psfs star_psfstack.fits --psfmask mask.fits",
        "align --science jw1_calints.fits --psfs {} --psfmask mask.fits",
        "align --science jw1_calints.fits --psfs star_psfstack.fits --psfmask {}",
        "resolve-psfmask --science {}",
        "resolve-psfmask --science jw1_calints.fits --psfmask {}",
        "resolve-psfmask --science jw1_calints.fits --references . ",
        "stack-psfs --psfs jw1_calints.fits {}",
        "clean --input {}",
        "fit-shifts --science {} --psfs star_psfstack.fits --psfmask mask.fits",
        "align-psfs --psfs star_psfstack.fits --shifts {} --psfmask mask.fits",
        "show {}",
        "show jw1_calints.fits --science {}",
    ],
)
def test_output_that_is_an_input(
    command: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    own = Path("own.fits")
    write_exposure(own)
    Path("link.fits").symlink_to(own)
    before = digests(inputs)
    arguments = [*command.format("link.fits").split(), "--output", str(inputs / own)]
    line = f"--output={inputs / own}: is an input; name another file"
    assert refusal(capsys, *arguments) == line
    assert digests(inputs) == before


def test_output_that_is_a_folder(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o.fits").mkdir()
    assert (
        refusal(capsys, *align(inputs, tmp_path / "o.fits"))
        == f"{tmp_path}/o.fits: Is a directory; name a file, or remove the folder"
    )


def test_output_below_a_file(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    line = refusal(capsys, *align(inputs, tmp_path / "file" / "o.fits"))
    assert line == f"{tmp_path}/file: File exists; name another place"


def test_a_real_process_ends_with_1_and_one_line(tmp_path: Path) -> None:
    fifo = tmp_path / "x.fits"
    os.mkfifo(fifo)
    result = psfalign("clean", "--input", fifo, "--output", tmp_path / "o.fits")
    assert result.returncode == 1
    assert error_lines(result) == [
        f"psfalign: error: {fifo}: is not a regular file; name a regular file"
    ]
    assert result.stderr.count("\n") == 1


def test_sigterm_leaves_nothing_behind(inputs: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "psfalign", *align(inputs, tmp_path / "out.fits")]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}) as process:
        while process.poll() is None and not list(scratch.iterdir()):
            time.sleep(0.01)
        process.terminate()  # when it has begun, with its imports before it
    assert process.returncode == 128 + signal.SIGTERM
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "out.fits").exists()


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as caught:
            main([option])
        assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("psfalign ")


def test_check_prints_the_output_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "campaign.yaml"
    entry = "{science: a_calints.fits, psfs: b_psfstack.fits, asn_id: a3001}"
    config.write_text(f"output_dir: else where\nexposures: [{entry}]\n")
    assert main(["check", "--output-dir", str(config)]) == 0
    assert capsys.readouterr().out == "else where\n"


def test_subtract_and_combine_give_what_the_steps_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rolls = [write_roll(tmp_path / "in", angle) for angle in (20.0, 110.0)]
    made = []
    for number, (own, other) in enumerate(zip(rolls, rolls[::-1], strict=True)):
        paths = [tmp_path / f"{who}{number}/psfsub.fits" for who in ("own", "step")]
        files = ["--science", own["science"], "--product", own["product"], "--output", paths[0]]
        roll = ["--roll", other["science"], other["shifts"], "--modes", "1", "3"]
        assert main(["subtract", *map(str, files + roll)]) == 0
        options = SubtractionOptions(references="stars+rolls", modes=(1, 3))
        rolls_ = [Roll(other["science"], other["shifts"])]
        subtract_psf(own["science"], own["product"], paths[1], rolls=rolls_, options=options)
        assert paths[0].read_bytes() == paths[1].read_bytes()
        made.append(str(paths[0]))
    northup, contrast = tmp_path / "a_northup.fits", tmp_path / "a_contrast.ecsv"
    outputs = ["--output", str(northup), "--contrast", str(contrast)]
    assert main(["combine", *made, *outputs, "--star-flux", "2"]) == 0
    assert fits.getval(northup, "NEXPO") == 2
    assert '"star_flux_jy": 2.0' in contrast.read_text()
    assert capsys.readouterr().out.splitlines()[-1] == f"{northup}, {contrast}: written"


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--modes", "0"], "--modes=0: is less than 1; write 1 or more"),
        (["--annuli", "-1"], "--annuli=-1.0: is less than 0; write 0 or more"),
    ],
)
def test_item_05_numbers_of_a_list(
    option: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--science", "a.fits", "--product", "b.fits", "--output", str(tmp_path / "c.fits")]
    assert main(["subtract", *files, *option]) == 1
    assert capsys.readouterr().err.strip() == f"psfalign: error: {line}"


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--star-flux", "0"], "--star-flux=0.0: is not more than 0; write more than 0"),
        (["--star-flux", "nan"], "--star-flux=nan: is not finite; write a finite number"),
        (["--contrast", "a.fits"], "--contrast=a.fits: is an input; name another file"),
        (["--contrast", "./n.fits"], "--contrast=n.fits: is --output, too; name another file"),
    ],
)
def test_item_05_combine(
    option: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.fits").touch()
    outputs = ["--output", "n.fits", "--contrast", "c.ecsv"]
    assert refusal(capsys, "combine", "a.fits", *outputs, *option) == line


@pytest.mark.bad_input(63)
@pytest.mark.parametrize("command", ["align", "make-psfmask"])
@pytest.mark.parametrize(
    ("option", "value"), [("--exclude", "100,3,2"), ("--exclude-sky", "500,30,0.1")]
)
def test_circle_beside_the_image(
    command: str,
    option: str,
    value: str,
    inputs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    science = inputs / "jw1_calints.fits"
    hdus = exposure_hdus()
    hdus["SCI"].header.update(SKY)
    write(hdus, science)
    output = tmp_path / "o.fits"
    arguments = align(inputs, output)
    if command != "align":
        arguments = [command, "--science", str(science), "--output", str(output)]
    assert refusal(capsys, *arguments, option, value) == (
        f"{option}={value}: covers no pixel of {science}, which has 40 columns, 32 rows; "
        "correct its place, or leave it out"
    )
    assert not output.exists()
