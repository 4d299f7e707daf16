"""Events of a run's log in words: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from bulk_esm.report.records import Lane, Tone
from bulk_esm.report.words import counts_text, duration_text

Told = Mapping[str, Any]

_STAMPS: Final = frozenset({"event", "level", "logger", "at", "exception"})
_TONES: Final[dict[str, Tone]] = {"go": "good", "wait": "wait", "halt": "bad"}
_OF_LEVEL: Final[dict[str, Tone]] = {"warning": "wait", "error": "bad"}
_LANES: Final[dict[Lane, tuple[str, ...]]] = {
    "gate": ("gate", "alarm", "calendar", "metric", "verdict", "watch"),
    "control": ("hold", "held", "go_on", "approve", "signal", "asked", "stop"),
}
_STAGES: Final = {
    "before": "before the first update",
    "between": "after wave {wave}",
    "during": "in wave {wave}",
    "bake": "in the bake",
}
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OF_ACTION: Final[dict[str, Tone]] = {"hold": "wait", "go": "good", "approve": "good", "stop": "bad"}


def in_words(event: str, told: Told) -> tuple[Lane, Tone, str]:
    """What an event is about, what it means for the run, and what happened; of one that is not known by its members.

    Args:
        event: its name.
        told: its members.
    """
    if (known := _KNOWN.get(event)) is not None:
        return known(told)
    more = [f"{name} {_short(value)}" for name, value in told.items() if name not in _STAMPS and value is not None]
    text = event.replace("_", " ") + (f": {', '.join(more)}" if more else "")
    lane: Lane = next((lane for lane, words in _LANES.items() if any(word in event for word in words)), "run")
    tone = _TONES.get(str(told.get("step", told.get("verdict")))) or _OF_LEVEL.get(str(told.get("level")), "plain")
    return ("trouble" if lane == "run" and tone != "plain" else lane), tone, text


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:197]}..."  # noqa: PLR2004 - a line or two


def _run_began(told: Told) -> tuple[Lane, Tone, str]:
    what = "continued" if told.get("continued_at") else f"{told.get('command', 'the run')} began"
    by = " on ".join(str(told[name]) for name in ("user", "host") if told.get(name))
    return "run", "plain", f"{what}{f', by {by}' if by else ''}"


def _wave_began(told: Told) -> tuple[Lane, Tone, str]:
    updates = told.get("updates")
    many = f"{updates:,}" if isinstance(updates, int) else "?"
    what = "update" if updates == 1 else "updates"
    return "run", "plain", f"wave {told.get('wave')} of {told.get('waves')} began: {many} {what}"


def _soak_began(told: Told) -> tuple[Lane, Tone, str]:
    return "run", "plain", f"soak after wave {told.get('wave')}{_for(told)}"


def _bake_began(told: Told) -> tuple[Lane, Tone, str]:
    return "run", "plain", f"all is sent; bake{_for(told)}"


def _window_awaited(told: Told) -> tuple[Lane, Tone, str]:
    return "run", "wait", f"waits for its window to open{_for(told)}"


def _for(told: Told) -> str:
    seconds = told.get("seconds")
    return f", {duration_text(seconds)}" if isinstance(seconds, int | float) and seconds else ""


def _gate_answered(told: Told) -> tuple[Lane, Tone, str]:
    stage = _STAGES.get(str(told.get("stage")), str(told.get("stage", ""))).format(wave=told.get("wave"))
    step = str(told.get("step"))
    why = f": {told['reason']}" if told.get("reason") else ""
    return "gate", _TONES.get(step, "plain"), f"{gate_of(told)}, {stage}: {step}{why}"


def gate_of(told: Told) -> str:
    """The name of the gate that an event tells of; where an older version told none its class, as `command gate`."""
    if told.get("name"):
        return _short(told["name"])
    return _HUMP.sub(" ", str(told.get("gate", "gate"))).lower()


def _gate_cannot_tell(told: Told) -> tuple[Lane, Tone, str]:
    return "gate", "wait", f"a gate cannot tell: {told.get('reason')}"


def _not_accepted_for_sure(told: Told) -> tuple[Lane, Tone, str]:
    return (
        "trouble",
        "wait",
        f"an update may not have arrived ({told.get('code')}), and looked for: {told.get('uuid')}",
    )


def _throttled(told: Told) -> tuple[Lane, Tone, str]:
    return "trouble", "wait", f"Lambda throttled, and the rate went down to {told.get('per_second')} requests/s"


def _watch_looked(told: Told) -> tuple[Lane, Tone, str]:
    members = ("found", "of", "p", "allowed", "changed", "control")
    told_of = ", ".join(f"{name} {_short(told[name])}" for name in members if told.get(name) is not None)
    return "gate", "plain", f"--watch {told.get('watch')}: {told_of or 'nothing to go by'}"


def _asked_to_go_on(told: Told) -> tuple[Lane, Tone, str]:
    tone: Tone = "good" if told.get("answer") == "yes" else "bad"
    return "control", tone, f"asked whether to go on after wave {told.get('wave')}: {told.get('answer')}"


def _asked(told: Told) -> tuple[Lane, Tone, str]:
    by = told.get("by")
    who = " on ".join(str(by[name]) for name in ("user", "host") if by.get(name)) if isinstance(by, dict) else ""
    action = str(told.get("action"))
    more = ", and to put back what it changed" if told.get("rollback") else ""
    more += f" wave {told['wave']}" if told.get("wave") else ""
    return "control", _OF_ACTION.get(action, "plain"), f"{who or 'somebody'} said {action}{more}"


def _shard_stopped(told: Told) -> tuple[Lane, Tone, str]:
    return "control", "bad", f"nothing more is sent in {told.get('shard')} ({told.get('status')}): {told.get('reason')}"


def _signal(told: Told) -> tuple[Lane, Tone, str]:
    return "control", "bad", f"signal {told.get('name')}"


def _stopped(told: Told) -> tuple[Lane, Tone, str]:
    return "control", "bad", f"nothing more is sent ({told.get('status')}): {told.get('reason')}"


def _run_ended(told: Told) -> tuple[Lane, Tone, str]:
    counts = told.get("counts")
    came_to = (
        counts_text({name: n for name, n in counts.items() if isinstance(n, int)}) if isinstance(counts, dict) else ""
    )
    tone: Tone = "plain" if told.get("status") == "finished" else "bad"
    return "run", tone, f"{told.get('status')}{f': {came_to}' if came_to else ''}"


_KNOWN: Final[dict[str, Callable[[Told], tuple[Lane, Tone, str]]]] = {
    "run_began": _run_began,
    "wave_began": _wave_began,
    "soak_began": _soak_began,
    "bake_began": _bake_began,
    "window_awaited": _window_awaited,
    "gate_answered": _gate_answered,
    "gate_cannot_tell": _gate_cannot_tell,
    "not_accepted_for_sure": _not_accepted_for_sure,
    "throttled": _throttled,
    "watch_looked": _watch_looked,
    "asked_to_go_on": _asked_to_go_on,
    "asked": _asked,
    "shard_stopped": _shard_stopped,
    "signal": _signal,
    "stopped": _stopped,
    "run_ended": _run_ended,
}
