"""An examination of a workspace as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.maintenance.doctor.diagnosis import Diagnosis, Report
    from orchestrator.maintenance.doctor.mending import Mended


def doctor_record(report: Report, mended: Mended) -> dict[str, object]:
    """Return what was found, and what was mended before."""
    return {
        "healthy": report.healthy,
        "fixed": mended.done,
        "not_fixed": mended.left,
        "checks": [_check_record(diagnosis) for diagnosis in report.diagnoses],
    }


def _check_record(diagnosis: Diagnosis) -> dict[str, str | None]:
    return {
        "check": diagnosis.check,
        "status": diagnosis.status.value,
        "subject": diagnosis.subject,
        "detail": diagnosis.detail,
        "remedy": diagnosis.remedy,
    }
