"""asyncplot's To Do list and its defects, row by row: the tests that show them done. One that has gone is told."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent

TO_DO = {
    "comprehensive testing": [
        "test_viewer: test_the_default_viewer_draws_all_kinds_of_values_and_ends_with_the_calculation"
    ],
    "logging in debug mode": ["test_viewer: test_logging_is_off_by_default"],
    "profile performance": [
        "test_sender: test_without_a_viewer_only_the_first_call_is_copied"
    ],  # and benchmarks/plotting
    "configuration (host, port)": [
        "test_liveplot: test_the_environment_has_the_last_word",
        "test_viewer: test_a_viewer_elsewhere_looks_by_the_command",
    ],
    "socket buffer overflow": [
        "test_messages: test_what_is_cut_off_is_refused_everywhere",
        "test_messages: test_what_is_too_long_is_refused",
    ],
    "cleanup of thread and socket": [
        "test_liveplot: test_a_program_that_forgets_to_close_draws_its_last_call_too",
        "test_liveplot: test_a_calculation_that_is_killed_takes_its_viewer_along",
        "test_viewer: test_the_default_viewer_draws_all_kinds_of_values_and_ends_with_the_calculation",
    ],
    "client disconnect": [
        "test_liveplot: test_a_viewer_that_is_killed_is_one_message_and_another_can_be_opened",
        "test_source: test_a_connection_that_is_lost_is_made_again_and_asked_for_frames_again",
    ],
    "multiple clients": [
        "test_sender: test_a_slow_viewer_gets_fewer_frames_and_costs_the_quick_one_none",
        "test_server: test_a_hundred_viewers_come_and_go",
    ],
    "timeouts": [
        "test_sender: test_flush_does_not_wait_for_who_is_paused_has_failed_or_left",
        "test_liveplot: test_a_viewer_that_stands_still_costs_nothing_and_is_ended_at_the_close",
    ],
    "KeyboardInterrupt works": ["test_liveplot: test_ctrl_c_at_the_terminal_ends_the_calculation_alone"],
    "discard intermediate data": ["test_sender: test_a_viewer_is_welcomed_and_gets_frames_at_the_rate_asked_for"],
    "plotting does not slow the calculation": ["test_sender: test_a_viewer_that_never_draws_costs_two_copies"],
    "remote plotting": ["test_source: test_frames_come_from_another_process_as_from_here"],
    "auto-launch": ["test_liveplot: test_frames_come_as_they_were_and_the_last_is_drawn"],
}
DEFECTS = {
    "the same frame is sent for ever": [
        "test_sender: test_what_does_not_change_is_not_sent_again",
        "test_sender: test_nothing_happens_while_nobody_calls",
    ],
    "data is not copied": ["test_sender: test_what_was_copied_does_not_change_with_the_calculation"],
    "update() waits for a lock": [
        "test_liveplot: test_a_viewer_that_stands_still_costs_nothing_and_is_ended_at_the_close"
    ],
    "binds every interface without authentication": [
        "test_server: test_an_address_that_others_reach_is_refused_without_tls",
        "test_server: test_nothing_is_told_to_one_without_the_token",
    ],
    "unpickles whatever answers": [
        "test_messages: test_nothing_is_unpickled_but_from_our_own_calculation",
        "test_server: test_a_pickle_is_refused_and_never_loaded",
    ],
    "the final data is not drawn": [
        "test_liveplot: test_frames_come_as_they_were_and_the_last_is_drawn",
        "test_sender: test_flush_draws_the_last_call_as_it_is_now",
    ],
    "the window vanishes at exit": ["test_liveplot: test_the_viewer_stays_with_hold_and_goes_without"],
    "wait_for_client needs a terminal": ["test_liveplot: test_flush_waits_until_it_is_drawn"],
    "a plotter of a script cannot be found": ["test_plotter: test_what_stands_under_the_guard_of_a_script_is_not_run"],
    "requests wait for ever if no data comes": ["test_server: test_one_who_says_nothing_is_let_go_in_time"],
    "no frame rate limit": ["test_sender: test_a_viewer_is_welcomed_and_gets_frames_at_the_rate_asked_for"],
    "no way from the viewer to the calculation": [
        "test_liveplot: test_what_is_set_and_done_in_the_window_reaches_the_calculation"
    ],
    "no save": ["test_view: test_the_picture_and_the_values_are_exported"],
    "a dead viewer is not noticed": [
        "test_liveplot: test_a_viewer_that_is_killed_is_one_message_and_another_can_be_opened"
    ],
}


def names_in(module: str) -> set[str]:
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", TO_DO | DEFECTS)
def test_each_row_has_its_tests(row: str) -> None:
    tests = (TO_DO | DEFECTS)[row]
    assert tests
    for test in tests:
        module, _, name = test.partition(": ")
        assert name in names_in(module), test
