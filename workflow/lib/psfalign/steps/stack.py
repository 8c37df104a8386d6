"""Step stack_psfs: write the integrations of several psf exposures into one file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import InputError
from ..files.agreement import Party, check_agreement
from ..files.digest import find_repeated, sha256
from ..files.exposure import Exposure
from ..files.fits.structure import plain_text
from ..files.fits.writer import FitsWriter, set_text, without_data
from ..files.origins import origins_table
from ..files.provenance.records import record_step
from ..files.provenance.table import provenance_hdu
from ..system.atomic_file import publishing


def stack_psfs(members: Sequence[Path], output: Path) -> None:
    """
    Concatenate SCI, ERR and DQ of psf exposures along the integrations, in the given order.

    The header is that of the first exposure, with NINTS and the numbers of segments corrected. The
    table PSFORIG lists the file and the integration of each plane, and PROVENANCE the software and
    the inputs.

    Parameters
    ----------
    members
        The exposures. Their image sizes and the keywords that select a mask must agree.
    output
        The psfstack to write.

    Raises
    ------
    InputError
        If two exposures have the same content, do not agree, or are damaged.
    """
    digests = [sha256(member) for member in members]
    _check_different(members, digests)
    exposures = [Exposure(member) for member in members]
    check_agreement([Party.of("psf", exposure) for exposure in exposures])
    first = exposures[0]
    n_planes = sum(map(len, exposures))
    shape = n_planes, *first.shape[1:]
    with publishing(output) as stream:
        writer = FitsWriter(stream)
        writer.add(_primary(first.primary, output, n_planes))
        science = writer.add_image(first.science.header, shape, np.float32)
        error = writer.add_image(_header(first, "ERR"), shape, np.float32)
        dq = writer.add_image(_header(first, "DQ"), shape, np.uint32)
        writer.add(*_origins(exposures, digests))
        inputs = [(e.path.name, digest) for e, digest in zip(exposures, digests, strict=True)]
        writer.add(*provenance_hdu(record_step("stack_psfs", __file__, inputs=inputs)))
        plane = 0
        for exposure in exposures:
            with exposure:
                for i in range(len(exposure)):
                    science.write(plane, exposure.read_science(i))
                    error.write(plane, exposure.read_error(i))
                    dq.write(plane, exposure.read_dq(i))
                    plane += 1
        writer.finish()


def _check_different(members: Sequence[Path], digests: Sequence[str]) -> None:
    """Raise `InputError` for equal files: the covariance of equal images cannot be inverted."""
    repeated = find_repeated(zip(members, digests, strict=True))
    if repeated:
        member, other = repeated
        problem = f"has the same content as {other}"
        raise InputError(problem, file=member, remedy="list each psf exposure once")


def _primary(header: Header, output: Path, n_planes: int) -> Header:
    primary = without_data(header)
    primary["NINTS"] = (n_planes, "Number of integrations")
    # The first exposure may be a segment, but the stack is not.
    for keyword, value in {"EXSEGNUM": 1, "EXSEGTOT": 1, "INTSTART": 1, "INTEND": n_planes}.items():
        if keyword in primary:
            primary[keyword] = value
    set_text(primary, "FILENAME", output.name, "Name of the file")
    set_text(primary, "S_PSFSTK", "COMPLETE", "Coronagraphic PSF Stacking")
    set_text(primary, "STACKVER", f"psfalign {__version__}", "software that stacked it")
    return primary


def _header(exposure: Exposure, name: str) -> Header:
    hdu = exposure.error if name == "ERR" else exposure.dq
    return hdu.header if hdu is not None else Header([("EXTNAME", name, "extension name")])


def _origins(exposures: Sequence[Exposure], digests: Sequence[str]) -> tuple[Header, bytes]:
    """Return the header and bytes of the table PSFORIG."""
    return origins_table(
        [
            (plain_text(e.path.name), i, digest)
            for e, digest in zip(exposures, digests, strict=True)
            for i in range(len(e))
        ]
    )
