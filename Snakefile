"""psfalign: align coronagraphic PSF reference images to JWST science exposures."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")  # older ones know no profile.yaml

sys.path.insert(0, str(Path(str(workflow.current_basedir)) / "workflow" / "lib"))


from psfalign.errors import said_in_one_line
from psfalign.system.process import collect_as_usual, collect_seldom
from psfalign.campaign.yaml import read_yaml

# As a module of another workflow, psfalign takes the configuration that `module` hands over.
IS_MODULE = not workflow.modifier.is_main_snakefile()
if not IS_MODULE:
    collect_seldom()  # Python's garbage, for the sake of large campaigns

# The demo must not leak into somebody's campaign: it is read only where no other
# configuration is given, because `configfile:` merges.
if not (IS_MODULE or workflow.configfiles):
    with said_in_one_line():
        if Path("config/config.yaml").exists():
            read_yaml(Path("config/config.yaml"))

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/psfmask.smk"
include: "workflow/rules/stack.smk"
include: "workflow/rules/clean.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/report.smk"


# The default target: those of included files do not count, and one of an outer workflow precedes.
rule all:
    input:
        expand(file_of("align_psfs"), exposure=EXPOSURES),
        expand(file_of("plot_exposure"), exposure=EXPOSURES),
        pages_to_report(),
        [file_of("write_crds_manifest")] if CRDS else [],
    message:
        "All products are there"


# Parts of the campaign to ask for by name: docs/cluster.md.
rule psfstacks:
    input:
        expand(file_of("clean_psfs"), stack=STACKS),


rule products:
    input:
        expand(file_of("align_psfs"), exposure=EXPOSURES),


# What each exposure ends with, its product made before: one file each, to ask for in batches.
rule exposures:
    input:
        expand(file_of("plot_exposure"), exposure=EXPOSURES),
