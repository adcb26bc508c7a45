"""The table of message types: lane, direction, the role that may send it, and how it folds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = ["RUN", "TYPES", "Direction", "Fold", "Lane", "MessageType", "Role", "lane_of", "may_send", "type_of"]


#: The request id of a script: one long cell, to which all clients subscribe.
RUN = "run"


class Lane(IntEnum):
    """Work is ordered; control is urgent and overtakes it."""

    WORK = 0
    CONTROL = 1


class Direction(Enum):
    """Which way through the tree."""

    DOWN = "down"
    UP = "up"
    BOTH = "both"


class Role(Enum):
    """What a peer's key, or its place below a node, proves that it is."""

    OPERATOR = "operator"
    OBSERVER = "observer"
    NODE = "node"
    ENGINE = "engine"


class Fold(Enum):
    """How equal messages of several ranks become one."""

    #: Never: it is for one rank, or about one.
    NEVER = "never"
    #: By the digest of the normal form.
    DIGEST = "digest"
    #: By the line: stream text.
    LINES = "lines"
    #: By a reducer of this package: replies of one request become one, whatever each says (`stacktree`).
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class MessageType:
    """One row of the table."""

    name: str
    lane: Lane
    direction: Direction
    fold: Fold = Fold.NEVER
    #: Least role of a client that may send it; down only.
    needs: Role = Role.OPERATOR


_W, _C = Lane.WORK, Lane.CONTROL
_DOWN, _UP = Direction.DOWN, Direction.UP


def _down(lane: Lane, *names: str, needs: Role = Role.OPERATOR) -> list[MessageType]:
    return [MessageType(name, lane, _DOWN, needs=needs) for name in names]


def _up(lane: Lane, fold: Fold, *names: str) -> list[MessageType]:
    return [MessageType(name, lane, _UP, fold) for name in names]


_ROWS = [
    # Work, down: what runs in the main thread, in the one order that the controller gives.
    *_down(_W, "execute_request", "px_apply_request", "px_push_request", "px_pull_request"),
    *_down(_W, "px_survey_request", "comm_info_request", "px_select_request", "px_post_request"),
    # Node to engine, with the write ends of the rank's two output pipes as descriptors.
    *_down(_W, "px_output", needs=Role.NODE),
    # Comms speak both ways and belong to one rank each.
    *[MessageType(name, _W, Direction.BOTH) for name in ("comm_open", "comm_msg", "comm_close")],
    # Work, up.
    *_up(_W, Fold.LINES, "stream"),
    *_up(_W, Fold.DIGEST, "display_data", "update_display_data", "execute_result", "error", "clear_output"),
    *_up(_W, Fold.DIGEST, "execute_reply", "px_push_reply", "px_survey_reply", "px_select_reply"),
    *_up(_W, Fold.DIGEST, "px_post_reply", "px_place"),
    *_up(_W, Fold.NEVER, "px_apply_reply", "px_pull_reply", "comm_info_reply", "input_request", "px_cut"),
    # Control, down.
    *_down(_C, "px_pause_request", "px_resume_request", "px_signal_request", "interrupt_request", "input_reply"),
    *_down(_C, "px_abort_request", "px_raise_request"),
    *_down(_C, "px_probe_request", "complete_request", "inspect_request"),
    *_down(_C, "px_step_request", "px_frames_request", "px_source_request"),
    *_down(_C, "px_break_request", "px_clear_request", "px_breaks_request"),
    *_down(_C, "px_start_request", "px_restart_request", "px_stop_request", "px_attend_request"),
    *_down(_C, "px_stacks_request", "px_where_request", "px_status_request", "px_log_request", needs=Role.OBSERVER),
    *_down(_C, "px_limits_request", "px_history_request", needs=Role.OBSERVER),
    *_down(_C, "px_pace", needs=Role.OBSERVER),
    # A debugger's tunnel; data and close carry its id as key and go both ways.
    *_down(_C, "px_debug_prepare_request", "px_debug_open_request", "px_file_request"),
    *[MessageType(name, _C, Direction.BOTH) for name in ("px_debug_data", "px_debug_close")],
    # Controller to engines: whether anybody listens, and which breakpoints there were before they came.
    *_down(_C, "px_attendance", "px_breakpoints", needs=Role.NODE),
    # Control, up.
    *_up(_C, Fold.DIGEST, "px_abort_reply", "px_raise_reply"),
    *_up(_C, Fold.DIGEST, "px_pause_reply", "px_resume_reply", "px_signal_reply", "interrupt_reply"),
    *_up(_C, Fold.DIGEST, "px_probe_reply", "complete_reply", "inspect_reply", "px_start_reply"),
    *_up(_C, Fold.DIGEST, "px_step_reply", "px_frames_reply", "px_source_reply"),
    *_up(_C, Fold.DIGEST, "px_break_reply", "px_clear_reply", "px_breaks_reply"),
    *_up(_C, Fold.NEVER, "px_where_reply", "px_stop_reply", "px_status_reply", "px_attend_reply", "px_log_reply"),
    *_up(_C, Fold.DIGEST, "px_limits_reply"),
    *_up(_C, Fold.NEVER, "px_history_reply"),
    *_up(_C, Fold.DIGEST, "px_restart_reply", "px_state", "px_missing"),
    *_up(_C, Fold.MERGE, "px_stacks_reply"),
    *_up(_C, Fold.NEVER, "px_debug_open_reply", "px_debug_prepare_reply", "px_file_reply"),
    *_up(_C, Fold.NEVER, "px_ranks", "px_snapshot", "px_notice", "px_denied"),
]

TYPES: dict[str, MessageType] = {row.name: row for row in _ROWS}


def type_of(name: str) -> MessageType | None:
    """Look a type up; None when unknown."""
    return TYPES.get(name)


def lane_of(name: str) -> Lane:
    """Return the lane of a type; an unknown type is work, where it delays nobody urgent."""
    row = TYPES.get(name)
    return row.lane if row is not None else Lane.WORK


def may_send(role: Role, name: str) -> bool:
    """Tell whether a peer in this role may send this type to the controller (P9)."""
    row = TYPES.get(name)
    if row is None:
        return False
    if role in (Role.NODE, Role.ENGINE):
        return row.direction is not Direction.DOWN
    if row.direction is Direction.UP:
        return False
    return row.needs is Role.OBSERVER or (row.needs is Role.OPERATOR and role is Role.OPERATOR)
