"""Whether Get is permitted, as far as was seen: a policy may deny it for some mappings, or for all."""

from __future__ import annotations

from bulk_esm.errors import DeniedError
from bulk_esm.model.denials import MOST_DENIED


class GetPermission:
    """What was seen of it. Who may not look asks no more than a few times in vain.

    Attributes:
        granted: whether any Get was let through.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.granted = False
        self._denied: dict[str, DeniedError] = {}

    @property
    def denied(self) -> DeniedError | None:
        """The last refusal, where nothing was ever let through; None otherwise."""
        return None if self.granted else next(reversed(self._denied.values()), None)

    def deny(self, uuid: str, error: DeniedError) -> None:
        """A Get of a mapping was refused."""
        self._denied[uuid] = error

    def check(self, uuid: str) -> None:
        """Refuse a Get that would be refused.

        Raises:
            DeniedError: that of this mapping was, or those of so many that all will be.
        """
        known = self._denied.get(uuid)
        if known is None and len(self._denied) >= MOST_DENIED:
            known = self.denied
        if known is not None:
            raise DeniedError(str(known), action=known.action, said=known.said, request_id=known.request_id)
