"""What masks texts: the scrubbers of each collection, and what people write about answers. Loads no model of a guard."""

from functools import partial

from ingestion.releases.release import collection_folder
from ingestion.scrub import Scrubber
from ingestion.scrub.pseudonyms import pseudonyms_of
from service.feedback.intake import Mask
from service.guard.chain import Digests
from service.guard.remarks import RemarkMasks, redactors
from service.scope import Scope
from service.settings import Settings


def scrubbers_of(scope: Scope, settings: Settings, *, with_names: bool) -> dict[str, Scrubber]:
    """By collection. Answers are scanned a few words at a time, in which names can't be told."""
    return {
        name: Scrubber(
            config.pii,
            pseudonyms=pseudonyms_of(collection_folder(settings.data_dir, name)),
            with_names=with_names,
        )
        for name, config in scope.collections.items()
    }


def open_mask(scope: Scope, settings: Settings, secret: bytes) -> Mask:
    """What masks texts of feedback, for commands: a gateway does it with the guards that it has."""
    scrubbers, digests = scrubbers_of(scope, settings, with_names=True), Digests(secret)
    return RemarkMasks(
        {
            name: partial(redactors, scope.policy_of(name), scrubbers[assistant.collection], digests)
            for name, assistant in scope.assistants.items()
        }
    ).mask
