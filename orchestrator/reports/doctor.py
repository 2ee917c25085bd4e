"""An examination of a workspace as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.maintenance.doctor.diagnosis import Report
    from orchestrator.maintenance.doctor.mending import Mended


def doctor_record(report: Report, mended: Mended) -> dict[str, object]:
    """Return what was found, and what was mended before."""
    return {
        "healthy": report.healthy,
        "fixed": mended.done,
        "not_fixed": mended.left,
        "checks": report.diagnoses,
    }
