"""The order in which stages run: after everything they start from."""

from collections.abc import Mapping, Sequence


def ordered(needs: Mapping[str, Sequence[str]], *, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names in an order in which each follows what it needs.

    Names that are free to go first go in the order of the mapping.

    Args:
        needs: what each name needs.
        given: names that are there from the beginning.

    Raises:
        ValueError: a name is needed that is not there, or names need each other in a circle.
    """
    known = [*given, *needs]
    for name, needed in needs.items():
        for other in needed:
            if other not in known:
                raise ValueError(
                    f"stage {name!r} needs checkpoint {other!r}; expected one of {', '.join(known)}"
                )
    done = list(given)
    left = list(needs)
    while left:
        ready = next((name for name in left if all(other in done for other in needs[name])), None)
        if ready is None:
            circle = _circle(needs, left)
            raise ValueError(
                f"stages start from each other in a circle: {' <- '.join(circle)}; expected every "
                "stage to lead back to `base`"
            )
        done.append(ready)
        left.remove(ready)
    return tuple(done[len(given) :])


def needed_by(needs: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """Return what a name needs, directly or through others; without the name itself."""
    found: set[str] = set()
    waiting = list(needs.get(name, ()))
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += needs.get(other, ())
    return found


def depending_on(needs: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """Return the names that need a name, directly or through others; without the name itself."""
    return {other for other in needs if name in needed_by(needs, other)}


def _circle(needs: Mapping[str, Sequence[str]], left: Sequence[str]) -> list[str]:
    """Return one circle among names of which each needs another one, its first name again last."""
    path = [left[0]]
    while True:
        following = next(other for other in needs[path[-1]] if other in left)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
