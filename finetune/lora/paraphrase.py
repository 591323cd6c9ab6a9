"""Other words for the same question, since people seldom use those of the document that answers them.

Without it a question holds the words of its sentence, and a model learns that fewer words in common mean no answer.
"""

import random
import re

# What is said of orders, parcels, accounts and devices, and of anything; each may stand for the others of its line.
_SAME = """
refund|get the money back for; refunded|paid back; refunds|pays back; parcel|package|shipment; parcels|packages
deliver|bring; delivered|brought; delivery|shipping; courier|driver|carrier; order|purchase; orders|purchases
cost|charge|price; costs|is the price of; pay|spend; free of charge|for nothing; cheap|inexpensive; fee|charge
cancel|call off|stop; cancelled|called off|stopped; return|send back|bring back; returned|sent back; exchange|swap
replace|change|swap; replacement|new one; broken|damaged|defective; damaged|broken; faulty|broken; repair|fix; repaired|fixed
begin|start; begins|starts; start|begin; end|stop|finish; ends|stops|finishes; close|shut; closes|shuts; open|start
get|receive|obtain; gets|receives; receive|get; need|require|have to have; needs|requires; must|have to|need to
may|can|am allowed to; show|display; shows|displays; see|look at|find; find|look up; choose|pick|select; chosen|picked
send|mail; sent|mailed; tell|let know|inform; contact|reach|write to; ask|request; asks|requests; keep|store|hold; kept|stored
use|work with; used|worked with; uses|works with; make|create; made|created; buy|purchase|get; bought|purchased; sell|offer
remove|delete|take away; removed|deleted; add|put in; added|put in; change|alter|modify; changed|altered; switch off|turn off
switch on|turn on; connect|link|hook up; connected|linked; works|functions; work|function; last|go on for; lasts|goes on for
quickly|fast; fast|quickly; big|large; large|big; small|little; price|cost; problem|trouble|issue; fault|error|problem
customer|client|buyer; customers|clients|buyers; person|somebody; everybody|everyone; home|house|flat; shop|store; shops|stores
address|place; e-mail|mail; telephone|phone; number|figure; password|passcode; account|profile; device|gadget|unit
devices|gadgets|units; lamp|light; lamps|lights; battery|cell; warranty|guarantee; guarantee|warranty; invoice|bill
invoices|bills; voucher|coupon; discount|reduction|rebate; subscription|plan; member|subscriber; members|subscribers
child|kid; children|kids; allowed|permitted; forbidden|not allowed; possible|feasible; at once|immediately|right away
immediately|at once; within|in; during|while in; until|up to; about|roughly; at least|a minimum of; at most|a maximum of
every|each; each|every; most|the majority of; usually|normally; often|frequently; several|many; wait|hold on; arrive|come
arrives|comes; leave|go away; live|reside; build|construct; built|constructed; wrote|authored; won|gained; large|major
"""
_OTHERS: dict[str, tuple[str, ...]] = {}
for _line in filter(None, (part.strip() for part in re.split(r"[;\n]", _SAME))):
    _word, *_rest = _line.split("|")
    _OTHERS[_word] = tuple(_rest)
_KNOWN = re.compile(rf"\b({'|'.join(sorted(map(re.escape, _OTHERS), key=len, reverse=True))})\b")
# What a question can do without: words that describe, and what is added behind a comma or in a phrase at its end.
_EXTRA = re.compile(
    r"\s(?:also|only|always|never|usually|nearly|very|just|directly|still|again|already|simply|both)\b"
)
_TAIL = re.compile(
    r",\s[^,?]{3,60}(?=\?$)|\s(?:with|without|in|on|at|from|by|for|of|to|through|under)\s[^,?]{3,40}(?=\?$)"
)
_CHANGED, _SHORTENED, _PLAIN = 0.6, 0.3, 0.1


def paraphrased(question: str, rng: random.Random) -> str:
    """The question in somewhat other words: some replaced, perhaps its tail cut off, now and then without capitals."""
    said = _KNOWN.sub(lambda found: _other(found[1], rng), question)
    said = _EXTRA.sub("", said)
    if rng.random() < _SHORTENED:
        shorter = _TAIL.sub("", said)
        said = shorter if len(shorter.split()) >= 4 else said
    if rng.random() < _PLAIN:
        said = said.lower().rstrip("?")
    return said


def _other(word: str, rng: random.Random) -> str:
    return rng.choice(_OTHERS[word]) if rng.random() < _CHANGED else word
