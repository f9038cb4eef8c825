"""The limits in the code -> the tables of docs/limits.md."""

from docs.tables import table
from recommender.artifacts import model_archive
from recommender.attributes import text
from recommender.common import array_folder
from recommender.data import bounds, vocabulary
from recommender.pipeline.limits import LIMITS
from recommender.prepare import download
from recommender.rules import allow, deny_list, filter, max_per  # noqa: A004
from recommender.sagemaker import server_environment as environment
from recommender.service import app, body, load, requests, server, worker

MIB, GIB = 2**20, 2**30


def of_a_request() -> str:
    """Return the table of the limits of one request."""
    size = f"{environment.DEFAULT_PAYLOAD_IN_MB} MiB"
    most = environment.PAYLOAD_LIMIT_IN_MB
    name = environment.MAX_PAYLOAD_IN_MB
    named = "400 with the field"
    return table(
        ["what", "at most", "variable", "above it, the client sees"],
        [
            ["body", size, f"`{name}`, to {most}; 0 is {most}", "413, also while it still sends"],
            ["body that is compressed", "none", "", "415 that names Content-Encoding"],
            ["seconds until the body is there", body.BODY_SECONDS, "", "408, the connection is closed"],
            ["response in real time", size, f"`{name}`", "400 that says what to request instead"],
            ["records", LIMITS.max_instances, f"none if `{environment.BATCH}`", named],
            ["`top_k`", LIMITS.max_top_k, "", named],
            ["`top_k` of all records", LIMITS.max_items_in_all, "", named],
            ["`num_candidates`", LIMITS.max_num_candidates, "", named],
            ["`num_candidates` of all records", LIMITS.max_candidates_in_all, "", named],
            [
                "JSON values",
                app.MAX_VALUES,
                f"with `{environment.BATCH}`, 1 for {app.BYTES_PER_VALUE} bytes of the largest body",
                "400",
            ],
            ["chunks of a chunked body", worker.MAX_CHUNKS, "", "400, the connection is closed"],
            ["characters of `Content-Type`, of `Accept`", app.MAX_MEDIA_TYPES, "", "415, 406"],
            ["events of a history", LIMITS.max_history, "", named],
            ["events of the histories of all records", LIMITS.max_history_in_all, "", named],
            ["characters of an ID", LIMITS.max_id_length, "", named],
            ["items of `allow`, of `deny`", allow.MAX_ITEMS, "", named],
            ["attributes in a filter", filter.MAX_CONDITIONS, "", named],
            ["texts in a part of a condition", text.MAX_WANTED, "", named],
            ["attributes in `max_per`", max_per.MAX_ATTRIBUTES, "", named],
            ["items of `rank`", LIMITS.max_top_k, "", named],
            ["items of a basket", LIMITS.max_history, "", named],
            ["`interests`", LIMITS.max_interests, "", named],
            ["characters of an interest", LIMITS.max_interest_length, "", named],
            ["`onboarding`", LIMITS.max_onboarding, "", named],
            ["headers", server.MAX_HEADERS, "", "431"],
            ["bytes of a header", server.MAX_HEADER, "", "431"],
        ],
    )


def of_a_worker() -> str:
    """Return the table of the limits of a worker, for all requests at the same time."""
    busy = f"503 with `Retry-After: {load.RETRY_AFTER}`; `/ping` still responds"
    return table(
        ["what", "at most", "variable", "above it, the client sees"],
        [
            ["requests in progress", load.MAX_REQUESTS, "", busy],
            ["their records", load.MAX_RECORDS, "", busy],
            [
                "bytes of their bodies, decoded values and responses, those to 64 KiB apart",
                *(f"{load.MAX_BODIES} times the largest body", "", busy),
            ],
            ["bytes that a JSON value counts, once it is decoded", requests.VALUE_BYTES, "", ""],
            ["bytes that a byte of JSON text counts, once it is decoded", requests.TEXT_BYTES, "", ""],
            [
                *("connections", server.MAX_CONNECTIONS, "the system's limit of open files"),
                "the connection that has waited longest for its client is closed",
            ],
            ["seconds until the head of a first request", worker.HEAD_SECONDS, "", "the connection is closed"],
            ["seconds in which a client neither sends nor reads", worker.STALL_SECONDS, "", "the connection is closed"],
            ["seconds of a connection without a request", server.KEEP_ALIVE_SECONDS, "", "the connection is closed"],
            [
                "seconds of a worker that does not respond",
                environment.DEFAULT_TIMEOUT,
                f"`{environment.MODEL_SERVER_TIMEOUT}`",
                "the worker is replaced; its requests are lost",
            ],
            [
                *("seconds after SIGTERM", server.GRACEFUL_SECONDS, ""),
                "requests in progress get their responses; idle connections are closed at once",
            ],
            ["workers", "one for each core of the quota", f"`{environment.MODEL_SERVER_WORKERS}`", ""],
        ],
    )


def of_files() -> str:
    """Return the table of the limits of a file."""
    named = "the job ends; the message names the file, and what to do"
    left_out = "the column is left out, and the log says so; if `item_attributes` names it, the job ends"
    return table(
        ["what", "at most", "above it"],
        [
            ["a line, or a row of CSV", f"{bounds.MAX_LINE_BYTES // MIB} MiB", named],
            ["a file, decompressed", f"{bounds.MAX_FILE_BYTES // GIB} GiB", named],
            ["rows of a file", bounds.MAX_ROWS, named],
            ["columns of a file", bounds.MAX_COLUMNS, named],
            ["memory for the data of a file", f"{bounds.MAX_KEPT_BYTES // GIB} GiB", named],
            ["a row of Parquet, on average", f"{bounds.MAX_ROW_BYTES // MIB} MiB", named],
            ["characters of an ID", vocabulary.MAX_ID_CHARACTERS, named],
            ["characters of a title", vocabulary.MAX_TITLE_CHARACTERS, "the title is cut, and the log says so"],
            [
                "item attributes",
                bounds.MAX_ATTRIBUTES,
                left_out,
            ],
            ["characters of a text of an attribute", bounds.MAX_ATTRIBUTE_CHARACTERS, left_out],
            ["texts in a list", bounds.MAX_ATTRIBUTE_TEXTS, left_out],
            ["different texts of an attribute", bounds.MAX_DISTINCT_TEXTS, left_out],
            ["memory for an attribute", f"{bounds.MAX_ATTRIBUTE_BYTES // GIB} GiB", left_out],
            ["deny list", f"{deny_list.MAX_BYTES // MIB} MiB", "the last list stays, and the log says so"],
            ["lines of the deny list", deny_list.MAX_IDS, "the last list stays, and the log says so"],
            [
                "attempts of a download without a new byte",
                download.ATTEMPTS,
                "an error; the next run resumes the download",
            ],
            ["`config.json` of a model", f"{array_folder.MAX_CONFIG_BYTES // 1000} kB", "the server names the file"],
            ["arrays of a model", "the memory of the container", "the server names the file"],
            ["members of `model.tar.gz`", model_archive.MAX_MEMBERS, "the server names the archive"],
        ],
    )
