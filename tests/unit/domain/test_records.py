import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.records import record

Held = TypeVar("Held")


@record
class Point:
    """With a default and a factory."""

    x: float
    name: str = "origin"
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def doubled(self) -> float:
        """Something that a class has besides."""
        return 2 * self.x


@dataclass(frozen=True, slots=True)
class Usual:
    """The same by the standard library."""

    x: float
    name: str = "origin"
    notes: Mapping[str, int] = field(default_factory=dict)


@record
class Nothing:
    """Without fields."""


@record
class Single:
    """With one field."""

    value: int


@record
class Checked:
    """Refuses some values."""

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("not a share")


@record
class Box(Generic[Held]):
    """Of a kind."""

    held: Held


@record
class Wider(Single):
    """Has a field more."""

    more: int = 2


numbers = st.floats(allow_nan=False)
values = st.tuples(numbers, st.text(), st.dictionaries(st.text(), st.integers()))


@given(values, values)
def test_a_record_is_the_dataclass_of_its_fields(
    one: tuple[float, str, dict[str, int]], two: tuple[float, str, dict[str, int]]
) -> None:
    ours, usual = Point(*one), Usual(*one)

    assert repr(ours) == repr(usual).replace("Usual", "Point")
    assert (ours == Point(*two)) == (usual == Usual(*two))
    assert asdict(ours) == asdict(usual)
    assert [each.name for each in fields(ours)] == [each.name for each in fields(usual)]
    assert replace(ours, name="moved") == Point(one[0], "moved", one[2])
    assert pickle.loads(pickle.dumps(ours)) == copy.deepcopy(ours) == copy.copy(ours) == ours


@given(st.integers(), st.integers())
def test_equal_records_have_one_hash(one: int, two: int) -> None:
    assert (hash(Single(one)) == hash(Single(two))) or one != two
    assert {Single(one), Single(one)} == {Single(one)}
    assert len({Wider(one, two), Wider(one, two)}) == 1


def test_records_of_different_classes_are_never_equal() -> None:
    assert Single(1) != Wider(1)
    assert Wider(1) == Wider(1, 2)
    assert Single(1).__eq__((1,)) is NotImplemented
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())


def test_a_value_equals_itself_however_many_fields_there_are() -> None:
    nan = float("nan")

    assert Box(nan) == Box(nan)
    assert Point(nan) == Point(nan)


def test_what_a_record_cannot_do_is_refused() -> None:
    class Named:
        value: int

        def __repr__(self) -> str:
            return "named"

    class Silent:
        value: int = field(default=1, repr=False)

    for kind in (Named, Silent):
        with pytest.raises(TypeError, match="use `dataclass`"):
            record(kind)


def test_a_record_cannot_be_changed() -> None:
    point = Point(1.0)

    with pytest.raises(FrozenInstanceError, match=r"Point\.x cannot be changed"):
        point.x = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    with pytest.raises(FrozenInstanceError):
        point.other = 1  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_defaults_are_those_of_dataclasses() -> None:
    assert (Point(1.0).name, Point(1.0).doubled) == ("origin", 2.0)
    assert Point(1.0).notes == {}
    assert Point(1.0).notes is not Point(1.0).notes
    assert Point(x=1.0, notes={"a": 1}).notes == {"a": 1}


def test_wrong_arguments_name_what_is_missing_or_too_much() -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'y'"):
        Point(1.0, y=2)  # type: ignore[call-arg]


def test_what_the_class_checks_is_checked() -> None:
    assert Checked(0.5).share == 0.5
    with pytest.raises(ValueError, match="not a share"):
        Checked(2.0)
    with pytest.raises(ValueError, match="not a share"):
        replace(Checked(0.5), share=2.0)


def test_a_record_with_an_unhashable_field_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1.0, notes={"a": 1}))


def test_pattern_matching_and_generics_know_a_record() -> None:
    match Box("a"):
        case Box(held):
            assert held == "a"
    assert is_dataclass(Box)
    assert repr(Box[int](1)) == "Box(held=1)"
