"""Which opinions are suspect, and why. Pure: from opinions to reasons."""

from collections.abc import Iterable, Sequence

from service.feedback.screen.opinion import (
    BAD,
    GOOD,
    Opinion,
    Verdict,
    by_document,
    by_passage,
    by_variant,
    everything,
)
from service.feedback.screen.regulars import Chance, campaigners, chance_by_others, chance_by_single
from service.feedback.screen.surge import Surge, Traffic, find_surge

_VERDICTS: tuple[Verdict, ...] = (GOOD, BAD)
# With fewer opposite opinions expected in a window, nothing can be told from their number.
_LEAST_OTHERS, _ENOUGH_OTHERS = 3.0, 8.0
# Log likelihood ratios: the others went on for sure; a passage turned, more likely than not.
_WENT_ON_ALIKE, _WENT_ON, _TURNED = 2.0, 1.0, 0.5
_LEAST_BEFORE = 0.1
# The part of what was said of a passage from which on a campaign is about it.
_CAMPAIGN_SHARE = 0.3
# The part of the usual number that must be left when theirs are taken away, to leave the others alone.
_USUAL = 0.7


def judge(opinions: Sequence[Opinion]) -> dict[str, str]:
    """By event the reason: `surge`, `campaign` against or for a document, `variant` likewise, `contrary` against all."""
    found: dict[str, str] = {}
    if not opinions:
        return found
    traffic = Traffic(opinions)
    turned = {name for name, said in by_passage(opinions).items() if _has_turned(said, traffic)}
    # A campaign is about a document, or about one passage of a document that many others ask about.
    for said in (*by_document(opinions).values(), *by_passage(opinions).values()):
        for verdict in _VERDICTS:
            found |= _of_subject(said, verdict, turned, traffic)
    # What is left shows who stands apart for other reasons; a campaign would make every grumbler look like a part of it.
    for reason, groups in (("variant", by_variant), ("contrary", everything)):
        left = [one for one in opinions if one.event_id not in found]
        for verdict in _VERDICTS:
            chance = chance_by_others(left, verdict)
            for said in groups(left).values():
                found |= _named(said, campaigners(said, verdict, chance), verdict, reason)
    return found


def _has_turned(opinions: Sequence[Opinion], traffic: Traffic) -> bool:
    """Whether people changed their mind about a passage: what it says became wrong, or right."""
    for verdict in _VERDICTS:
        surge = find_surge(opinions, verdict, traffic)
        if surge is None or surge.others_expected < _LEAST_OTHERS or surge.against_growth <= 0:
            continue
        inside = [one for one in opinions if surge.holds(one)]
        if surge.against_turn < _TURNED and not _campaign(inside, verdict):
            return True
    return False


def _of_subject(
    opinions: Sequence[Opinion], verdict: Verdict, turned: set[str], traffic: Traffic
) -> dict[str, str]:
    """Those of a campaign in the whole time or in a surge, and a surge beside which the others go on."""
    surge = find_surge(opinions, verdict, traffic)
    inside = [one for one in opinions if surge is not None and surge.holds(one)]
    actors = _campaign(opinions, verdict) | _campaign(inside, verdict)
    found = _named(opinions, actors, verdict, "campaign")
    if surge is not None and actors and surge.against_growth > 0 and not _explains(actors, surge):
        found |= _beside(inside, actors, verdict)
    rest = [one for one in opinions if one.passage not in turned]
    surge = find_surge(rest, verdict, traffic) if turned else surge
    if surge is not None and _is_one_sided(surge):
        found |= _all(surge.opinions, verdict)
    return found


def _explains(actors: frozenset[str], surge: Surge) -> bool:
    """Whether those who came again and again are nearly all that there is too much of."""
    theirs = sum(one.actor in actors for one in surge.opinions)
    return theirs >= len(surge.opinions) - _USUAL * surge.expected


def _beside(opinions: Sequence[Opinion], actors: frozenset[str], verdict: Verdict) -> dict[str, str]:
    """What was said beside a campaign, on the passages that it is about: who came once belongs to it too, likely."""
    found: dict[str, str] = {}
    for said in by_passage(one for one in opinions if one.verdict == verdict).values():
        if sum(one.actor in actors for one in said) >= _CAMPAIGN_SHARE * len(said):
            found |= _all(said, verdict)
    return found


def _is_one_sided(surge: Surge) -> bool:
    """Whether one side grew while the other went on, as far as can be told.

    Where nothing comes before the window, it may as well have shrunk afterwards.
    """
    if surge.before < _LEAST_BEFORE:
        return False
    if surge.against_turn <= _WENT_ON or surge.others_expected < _LEAST_OTHERS:
        return False
    is_clear = surge.others_expected >= _ENOUGH_OTHERS
    return surge.against_growth > (_WENT_ON_ALIKE if is_clear else 2 * _WENT_ON_ALIKE)


def _campaign(opinions: Sequence[Opinion], verdict: Verdict) -> frozenset[str]:
    chance: Chance = chance_by_single(opinions, verdict)
    return campaigners(opinions, verdict, chance)


def _named(
    opinions: Iterable[Opinion], actors: frozenset[str], verdict: Verdict, reason: str
) -> dict[str, str]:
    return {one.event_id: reason for one in opinions if one.actor in actors and one.verdict == verdict}


def _all(opinions: Iterable[Opinion], verdict: Verdict) -> dict[str, str]:
    return {one.event_id: "surge" for one in opinions if one.verdict == verdict}
