import msgspec
import pytest

from bulk_esm.errors import AccessError, BulkEsmError, DeniedError, NoCredentialsError, ServiceError
from bulk_esm.model.shard import Problem, Shard


def kinds(kind: type[BulkEsmError]) -> list[type[BulkEsmError]]:
    return [kind, *(below for each in kind.__subclasses__() for below in kinds(each))]


def an_error(kind: type[BulkEsmError]) -> BulkEsmError:
    if issubclass(kind, ServiceError):
        return kind(code="InternalFailure", message="sorry: try later", status=500, request_id="r")
    if issubclass(kind, DeniedError):
        return kind("it was refused: ask for the role", action="lambda:DoThis", said="no")
    return kind("it was refused: ask for the role")


@pytest.mark.parametrize("kind", [kind for kind in kinds(BulkEsmError) if kind.__module__ == "bulk_esm.errors"])
def test_an_error_comes_back_as_what_it_was(kind: type[BulkEsmError]) -> None:
    error = an_error(kind)
    travelled = msgspec.json.decode(msgspec.json.encode(Problem.of(error)), type=Problem)
    found = travelled.error()
    assert type(found) is (AccessError if kind is DeniedError else kind)  # its action is in the reason
    assert (str(found), found.exit_code) == (str(error), kind.exit_code)
    assert travelled.is_access == isinstance(error, AccessError)
    assert travelled.is_workers == isinstance(error, NoCredentialsError)
    if isinstance(error, ServiceError):
        assert isinstance(found, ServiceError)
        assert (found.code, found.message) == (error.code, error.message)


def test_an_exit_code_of_its_own_comes_back() -> None:
    error = BulkEsmError("halted")
    error.exit_code = 3
    assert Problem.of(error).error().exit_code == 3
    assert BulkEsmError.exit_code == 1


def test_where_the_way_in_failed_whatever_it_was_is_a_matter_of_access() -> None:
    error = ServiceError(code="InternalFailure", message="STS is down", status=500)
    assert not Problem.of(error).is_access
    assert Problem.of(error, is_access=True).is_access


def test_what_was_no_error_of_ours_is_one_all_the_same() -> None:
    found = Problem(reason="its workers were lost").error()
    assert (type(found), str(found), found.exit_code) == (BulkEsmError, "its workers were lost", 1)


def test_how_a_shard_is_named_and_reached() -> None:
    unknown = Shard(account_id=None, region="eu-west-1", profile="hub")
    known = Shard(account_id="123456789012", region="eu-west-1", profile="hub")
    assert (unknown.name, known.name) == ("home-eu-west-1", "123456789012-eu-west-1")
    assert unknown.way == known.way
    assert known.way != Shard(account_id="123456789012", region="eu-west-1").way
