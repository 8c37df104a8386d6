"""Find the results of a campaign that a run makes again, by what they record."""

from pathlib import Path

from ..files.provenance.records import software_versions
from ..steps.registry import STEPS, Scope, led_to
from .demo import SEED
from .expected import Expectations, Result, simulation_of, tells
from .exposures import ScienceExposure
from .options import Json
from .plan import Plan
from .truth import Truth


class Judgement:
    """
    The existing results that a run makes again, and the jobs that depend on them.

    Snakemake remembers jobs in the working directory, by the paths as they were written. The
    records inside a result are moved together with it, so they are compared instead. Snakemake
    alone decides about results in a storage, and when a job plans only one exposure.

    Parameters
    ----------
    plan
        The campaign.

    Attributes
    ----------
    lines
        One line for each step and reason: which step runs again, for which exposures, and why.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._truth: Truth | None = None
        self.lines: list[str] = []
        if plan.is_whole and not plan.in_storage:
            self._truth = Truth(self._list_results(), plan.facts)
            plan.facts.save()
            self.lines = self._truth.describe()

    @property
    def outdated(self) -> list[Path]:
        """The results that exist and have to be made again."""
        return [found.path for found in self._truth.outdated] if self._truth else []

    def is_of(self, step: str) -> bool:
        """Return whether the records in the results of a step decide whether it runs again."""
        return self._truth is not None and tells(STEPS[step])

    def follows(self, step: str, for_step: str, name: str) -> bool:
        """
        Return whether Snakemake reruns a job if an input from another step is newer or made again.

        If neither the job nor one that depends on it has to run, Snakemake must ignore the times
        of the inputs. Otherwise it must not ignore them, because it finds the jobs to run along
        the inputs that are not ignored. If results are not judged, only inputs that a step reads
        count, not those that it only waits for.

        Parameters
        ----------
        step
            The step that makes the input.
        for_step, name
            The job: its step, and the exposure, stack or association that it works on.
        """
        if self._truth is None:
            return step in led_to(for_step)
        return self._truth.follows(for_step, name)

    def _list_results(self) -> list[Result]:
        """Return all results of the campaign, and how a run would make them now."""
        plan, facts = self._plan, self._plan.facts
        folder, exposures = plan.settings.output_dir, plan.exposures.values()
        counts = plan.settings.rerun_on_new_software
        software = tuple(software_versions().items()) if counts else ()
        has_demo = any(facts.is_made_first(exposure.science) for exposure in exposures)
        demo = simulation_of(folder, facts.made_first, SEED, software=software) if has_demo else []
        is_made_again = Truth(demo, facts).outdated or not all(
            Path(name).exists() for name in facts.made_first
        )
        expected = Expectations(
            folder,
            self._settings_wanted,
            plan.findings.masks,
            facts,
            unknown=facts.made_first if is_made_again else (),
            with_crds=bool(plan.findings.crds),
            software=software,
            rolls_of=plan.other_rolls,
        )
        return [*demo, *expected.results(exposures)]

    def _settings_wanted(self, step: str, exposure: ScienceExposure) -> Json | None:
        """Return the settings of a job; None where the campaign has no such job."""
        plan = self._plan
        scope = STEPS[step].scope
        if scope is Scope.ASSOCIATION and not plan.is_combined(exposure.name_in(scope)):
            return None
        return plan.settings_of(step, exposure) if plan.has_step(step, exposure) else None
