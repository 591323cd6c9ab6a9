"""Every metric, declared once. Labels have few values; none carries text of a person."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS = Counter("touchstone_requests_total", "HTTP requests.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "touchstone_request_seconds",
    "Time from a request to the end of its reply.",
    ["route"],
    buckets=_SECONDS,
)
IN_FLIGHT = Gauge("touchstone_requests_in_flight", "Requests being answered.", multiprocess_mode="livesum")
FIRST_TOKEN_SECONDS = Histogram(
    "touchstone_first_token_seconds",
    "Time from a question to the first token of its answer.",
    ["assistant", "variant"],
    buckets=_SECONDS,
)
STAGE_SECONDS = Histogram(
    "touchstone_stage_seconds", "Time in a stage of the answer path.", ["stage"], buckets=_SECONDS
)
TOKENS = Counter("touchstone_tokens_total", "Tokens by kind.", ["assistant", "variant", "kind"])
ANSWERS = Counter("touchstone_answers_total", "Answers by outcome.", ["assistant", "variant", "outcome"])
ABSTENTIONS = Counter("touchstone_abstentions_total", "Abstentions by reason.", ["assistant", "reason"])
CURATED = Counter(
    "touchstone_curated_answers_total",
    "Questions that a curated answer was given to, by how it was found: exact or near.",
    ["assistant", "match"],
)
DEGRADED = Counter("touchstone_degraded_answers_total", "Answers without the generator.", ["assistant"])
GUARD_VERDICTS = Counter("touchstone_guard_verdicts_total", "Verdicts.", ["guard", "zone", "verdict"])
GUARD_ERRORS = Counter(
    "touchstone_guard_errors_total", "Guards that failed or were late.", ["guard", "zone", "reason"]
)
GUARD_SECONDS = Histogram(
    "touchstone_guard_seconds",
    "Time that guards took for a question or an answer.",
    ["zone", "tier"],
    buckets=_SECONDS,
)
GUARD_SELF_TEST = Gauge(
    "touchstone_guard_self_test",
    "1 when the canaries of the last self-test were caught.",
    multiprocess_mode="livemin",
)
GUARD_MARKING = Gauge(
    "touchstone_guard_marking_success",
    "Attack success measured on the served model, with passages marked as data and without.",
    ["marking"],
    multiprocess_mode="livemax",
)
GENERATOR_ERRORS = Counter("touchstone_generator_errors_total", "Failed tries.", ["reason"])
GENERATOR_UP = Gauge(
    "touchstone_generator_up",
    "1 while a generator's server works, 0 while it rests after failures.",
    ["generator", "server"],
    multiprocess_mode="livemin",
)
GENERATOR_COST = Counter(
    "touchstone_generator_cost_total",
    "What answers cost, where the scope file has the generator's price.",
    ["generator", "currency"],
)
FEEDBACK = Counter("touchstone_feedback_total", "Feedback events.", ["kind"])
FEEDBACK_WEBHOOKS = Counter(
    "touchstone_feedback_webhooks_total",
    "Events that webhooks posted, by what became of them.",
    ["webhook", "result"],
)
EXPERIMENT_ARM = Gauge(
    "touchstone_experiment_arm",
    "1 while an arm's model is what it was, 0 when it is another.",
    ["experiment", "arm"],
    multiprocess_mode="livemin",
)
LOG_QUEUE = Gauge(
    "touchstone_answer_log_queue", "Answers waiting to be written.", multiprocess_mode="livesum"
)
LOG_LOST = Counter("touchstone_answer_log_lost_total", "Answers that could not be written.")
LOG_REFUSED = Counter(
    "touchstone_answer_log_refused_total",
    "Answers that the database refuses, kept in answer-log-refused.jsonl.",
)
RELEASE = Gauge(
    "touchstone_release_number",
    "Number of the release being served; it grows with every change of the collection.",
    ["collection"],
    multiprocess_mode="livemax",
)
DOCUMENTS = Counter("touchstone_documents_total", "Documents changed by callers.", ["collection", "outcome"])
RELEASE_CHUNKS = Gauge(
    "touchstone_release_chunks",
    "Chunks of the release being served.",
    ["collection"],
    multiprocess_mode="livemax",
)
