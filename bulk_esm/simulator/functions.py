"""The functions of an account and Region, as far as updates of mappings are checked against them (F§0.2)."""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.model.mapping import FunctionReference, SourceType
from bulk_esm.simulator.errors import function_not_found, invalid
from bulk_esm.simulator.fleet import Fleet
from bulk_esm.simulator.taking import KAFKA, QUEUES
from bulk_esm.simulator.timeline import Configuration

_USUAL_FUNCTION_TIMEOUT_S: Final = 3  # Lambda's own default
_USUAL_VISIBILITY_TIMEOUT_S: Final = 30  # that of SQS
_LONGEST_AT_BROKERS_S: Final = 840  # 14 min for MSK, Kafka, MQ and DocumentDB (F§6.1 f)


def full_function_arn(name: str, *, partition: str, account_id: str, region: str) -> str:
    """The ARN that a FunctionName stands for, with the qualifier it was given.

    Args:
        name: a name, partial ARN or ARN.
        partition: of the Region.
        account_id: whose function it is if the name does not say.
        region: where it is if the name does not say.
    """
    reference = FunctionReference.parse(name)
    qualifier = f":{reference.qualifier}" if reference.qualifier else ""
    return (
        f"arn:{reference.partition or partition}:lambda:{reference.region or region}"
        f":{reference.account_id or account_id}:function:{reference.name}{qualifier}"
    )


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])  # arn:partition:lambda:region:account:function:name


class Functions:
    """Which functions are gone, and how long they and their queues' messages may take.

    Args:
        fleet: whose timeouts are known.
    """

    # Guess: every function, alias and version exists that was not said to be gone, so a misspelt FunctionName is
    # accepted in an update; Lambda refuses one that it does not know (F§3.5). Only a list of functions could tell.
    def __init__(self, fleet: Fleet) -> None:
        self._gone: set[str] = set()
        self._known: set[str] = set()
        self._function_timeouts = dict(fleet.function_timeouts)
        self._visibility_timeouts = dict(fleet.visibility_timeouts)
        self.add(fleet)

    def add(self, fleet: Fleet) -> None:
        """Learn a further fleet's timeouts."""
        self._function_timeouts.update(fleet.function_timeouts)
        self._visibility_timeouts.update(fleet.visibility_timeouts)
        for arn in (*(mapping["FunctionArn"] for mapping in fleet.mappings), *fleet.function_timeouts, *fleet.tags):
            if ":function:" in arn:
                self.know(arn)

    def know(self, arn: str) -> None:
        """Have a function known by name, with all its qualifiers, as one that a mapping invokes is."""
        self._known.add(_unqualified(arn))

    def delete(self, arn: str) -> None:
        """Have a function gone, with all its qualifiers, or only the alias or version that its ARN ends in."""
        self._gone.add(arn)

    def restore(self, arn: str) -> None:
        """Have it there again."""
        self._gone.discard(arn)

    def check_exists(self, arn: str) -> None:
        """Refuse a function, alias or version that is gone.

        Raises:
            ApiError: InvalidParameterValueException.
        """
        if arn in self._gone or _unqualified(arn) in self._gone:
            raise invalid("Function does not exist")

    def check_known(self, arn: str) -> None:
        """Refuse to tell of a function that no mapping, timeout or tag has named, or that is gone.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        if _unqualified(arn) not in self._known or arn in self._gone or _unqualified(arn) in self._gone:
            raise function_not_found(arn)

    def described(self, arn: str) -> dict[str, Any]:
        """A function's configuration, as far as it is known here.

        Args:
            arn: its ARN.

        Raises:
            ApiError: there is no such function.
        """
        self.check_known(arn)
        reference = FunctionReference.parse(arn)
        return {
            "FunctionName": reference.name,
            "FunctionArn": arn,
            "Version": reference.qualifier or "$LATEST",
            "Timeout": self._timeout_s(arn),
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }

    def _timeout_s(self, arn: str) -> int:
        found = self._function_timeouts.get(arn)
        return self._function_timeouts.get(_unqualified(arn), _USUAL_FUNCTION_TIMEOUT_S) if found is None else found

    def check_timeout(self, configuration: Configuration, arn: str, source_type: SourceType) -> None:
        """Refuse a function that was sent, even if unchanged (F§0.2), and takes longer than its source allows.

        Args:
            configuration: the mapping.
            arn: the function that FunctionName stands for.
            source_type: the mapping's.

        Raises:
            ApiError: InvalidParameterValueException.
        """
        takes_s = self._timeout_s(arn)
        if source_type in QUEUES:
            hidden_s = self._visibility_timeouts.get(configuration["EventSourceArn"], _USUAL_VISIBILITY_TIMEOUT_S)
            if hidden_s < takes_s:
                raise visibility_timeout(hidden_s, takes_s)
        elif source_type in KAFKA | {SourceType.MQ, SourceType.DOCUMENTDB} and takes_s > _LONGEST_AT_BROKERS_S:
            # Guess: the wording is ours; that more than 14 minutes are not allowed is documented (F§6.1 f).
            raise invalid(f"Function timeout: {takes_s} seconds is greater than {_LONGEST_AT_BROKERS_S} seconds")


def visibility_timeout(hidden_s: int, takes_s: int) -> Exception:
    """400: a queue shows a message again before the function had time for it (F§0.2).

    Args:
        hidden_s: the queue's visibility timeout.
        takes_s: the function's timeout.
    """
    return invalid(f"Queue visibility timeout: {hidden_s} seconds is less than Function timeout: {takes_s} seconds")
