"""Whose mappings they are is nobody's business: every identity is replaced, the same one always in the same way.

What is published as it is stands in a list; every other string is replaced, so that a member that Lambda adds tomorrow
does not give anything away.
"""

from __future__ import annotations

import re
from typing import Any, Final

AS_IT_IS: Final = frozenset(
    {
        *("step", "operation", "error", "skipped", "source_type", "version", "botocore", "endpoint"),
        *("date", "region", "content-type", "retry-after", "x-amzn-errortype"),
        *("State", "StateTransitionReason", "StartingPosition", "FunctionResponseTypes"),
        *("Type", "Code", "Reason", "ErrorCode", "Metrics", "FullDocument", "EventRecordFormat", "Attribute"),
        *("SystemLogLevel", "ConsumptionMode"),
    }
)
TEXTS: Final = frozenset(
    {"message", "Message", "LastProcessingResult", "not_json"}
)  # sentences, in which identities may stand
_WHOLE: Final = {
    "Pattern": '{{"body":["pattern-{}"]}}',
    "Marker": "marker-{}",
    "NextMarker": "marker-{}",
}
_UUID_PATTERN: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID: Final = re.compile(_UUID_PATTERN)
# With a word or a number around it, as brokers and clusters have it.
_AROUND_UUID: Final = re.compile(rf"(b-)?({_UUID_PATTERN})(-\d+)?")
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_ARN: Final = re.compile(r"arn:[\w-]+:[\w-]*:[\w-]*:\d*:[^\s\"'()<>,;]*[\w*/]")
_HOST: Final = re.compile(r"(?=.*[.:])([\w.-]+)(:\d+)?")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")
_ASIDE: Final = 0xF0000  # a character of the private planes stands for each piece that was put aside
# The words of ARNs that say what kind of thing is named.
_KINDS: Final = frozenset(
    {
        *("function", "event-source-mapping", "stream", "consumer", "table", "cluster", "broker", "secret", "key"),
        *("registry", "schema", "topic", "group", "role", "user", "assumed-role", "vpc-connection", "subnet"),
        *("security_group", "$LATEST", "*"),
    }
)


class Identities:
    """What each identity was replaced with."""

    def __init__(self) -> None:
        self._replaced: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    @property
    def originals(self) -> frozenset[str]:
        """Everything that was replaced."""
        return frozenset(self._replaced)

    def replace_all(self, lines: list[Any]) -> list[Any]:
        """Replace all identities in the lines of a recording.

        In two passes: a name is known in the sentence of an error also if only a later line shows whose name it is.

        Args:
            lines: JSON values.
        """
        for line in lines:
            self._value("", line)
        return [self._value("", line) for line in lines]

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._value(name, member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._value(key, item) for item in value]
        if not isinstance(value, str) or not value or key in AS_IT_IS:
            return value
        return self._text(value) if key in TEXTS else self._identity(key, value)

    def _identity(self, key: str, value: str) -> str:
        if key in _WHOLE:
            return self._instead(value, key, _WHOLE[key])
        if value.startswith("arn:") and value.count(":") >= 5:  # noqa: PLR2004 - arn:partition:service:region:account:resource
            return self._arn(value)
        if key == "KAFKA_BOOTSTRAP_SERVERS" and (host := _HOST.fullmatch(value)):
            return self._instead(host[1], "host", "broker-{}.example.com") + (host[2] or "")
        if key == "FunctionName" or _UUID.fullmatch(value) or value.startswith(("subnet:", "security_group:")):
            return self._tokens(value)
        return self._name(value)

    def _arn(self, arn: str) -> str:
        head, partition, service, region, account, resource = arn.split(":", 5)
        shown = self._account(account) if _ACCOUNT.fullmatch(account) else account
        return ":".join((head, partition, service, region, shown, self._tokens(resource)))

    def _tokens(self, text: str) -> str:
        """Replace what stands between colons and slashes; a time has colons of its own."""
        parts = re.split(rf"({_TIME.pattern}|[:/])", text)
        return "".join(part if part in ":/" else self._token(part) for part in parts)

    def _token(self, token: str) -> str:
        if token in _KINDS or re.fullmatch(r"\d{1,6}", token):  # a version's number tells nobody apart
            return token
        if _ACCOUNT.fullmatch(token):
            return self._account(token)
        if found := _AROUND_UUID.fullmatch(token):
            uuid = self._instead(found[2], "uuid", "00000000-0000-4000-8000-{:012}")
            return f"{found[1] or ''}{uuid}{found[3] or ''}"
        if _TIME.fullmatch(token):
            return self._instead(token, "time", "2000-01-01T00:00:00.{:03}")
        if token.isdigit():
            return self._instead(token, "number", "1{:09}")
        return self._name(token)

    def _account(self, account: str) -> str:
        return self._instead(account, "account", "{:012}")

    def _name(self, name: str) -> str:
        fifo = ".fifo" if name.endswith(".fifo") else ""
        return self._instead(name, "name", "name-{}") + fifo

    def _instead(self, original: str, kind: str, form: str) -> str:
        if original not in self._replaced:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._replaced[original] = form.format(self._counts[kind])
        return self._replaced[original]

    def _text(self, text: str) -> str:
        """Replace what has the form of an identity, or is known as one, in a sentence.

        Each piece that was replaced is put aside, so that nothing is replaced twice.
        """
        aside: list[str] = []

        def put_aside(replacement: str) -> str:
            aside.append(replacement)
            return chr(_ASIDE + len(aside) - 1)

        text = _ARN.sub(lambda found: put_aside(self._arn(found[0])), text)
        text = _UUID.sub(lambda found: put_aside(self._token(found[0])), text)
        text = _ACCOUNT.sub(lambda found: put_aside(self._account(found[0])), text)
        known = sorted((name for name in self._replaced if len(name) > 1), key=len, reverse=True)
        if known:
            anywhere = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, known))})(?![\w-])")
            text = anywhere.sub(lambda found: put_aside(self._replaced[found[0]]), text)
        return "".join(aside[ord(sign) - _ASIDE] if 0 <= ord(sign) - _ASIDE < len(aside) else sign for sign in text)
