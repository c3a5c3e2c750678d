"""What one process on virtual time cannot show, and the test that holds it instead."""

from typing import Final

# Rows of the fault catalogue: the other half of those that are injected here, or all of a row.
FAULTS: Final = {
    "E10": "the broker's own pages: tests/adapters/test_alpaca_broker.py::"
    "test_a_broker_that_sends_one_full_page_again_and_again_is_not_asked_for_ever",
    "F1": "a server in another zone needs a process of its own: tests/adapters/test_calendar.py and "
    "tests/reporting/test_schedule.py",
    "F4": "a leap second is no moment that a clock here can show: tests/adapters/test_alpaca_parse.py; the "
    "weekly job, which is another process: tests/reporting/test_schedule.py",
    "G5": "a real limit on memory: tests/architecture/test_deploy.py",
    "G11": "files and threads belong to the operating system: tests/live/test_leaks.py::"
    "test_files_and_threads_stay_flat_over_thirty_days",
    "H3": "a page of the real file: tests/adapters/test_audit.py::"
    "test_flipped_byte_of_the_file_is_found_or_changed_no_row, and backups: tests/adapters/test_backup.py::"
    "test_every_flipped_byte_of_a_backup_is_found",
}

INVARIANTS: Final = {
    "V10": "every permutation of an order's updates: tests/core/test_order.py::"
    "test_every_permutation_of_a_days_updates_gives_the_same_order and tests/engine/test_state.py::"
    "test_state_is_the_same_whichever_way_the_news_of_orders_came",
    "V23": "channels and the outbox are processes of their own: tests/reporting/test_outbox.py::"
    "test_hard_cap_while_every_channel_is_down_is_told_later_with_its_own_moment and "
    "tests/reporting/test_alert_figures.py::test_each_alert_is_kept_for_delivery_before_it_is_delivered_once",
    "V24": "the page is another process: tests/risk/test_health.py::"
    "test_dot_is_as_counted_for_every_combination_of_grave_facts, tests/web/test_lookout.py and "
    "tests/browser/test_phone_in_browser.py::test_page_of_a_frozen_server_turns_grey_in_real_time",
    "V27": "no secret is in a world: tests/test_keys.py::test_keys_are_never_printed, "
    "tests/adapters/test_alpaca_broker.py::test_keys_are_never_shown and "
    "tests/watchdog/test_line.py::test_no_secret_is_ever_written_down",
    "V28": "two processes with two hash seeds: tests/simulation/test_days.py::"
    "test_same_seed_gives_the_same_trace_in_another_process_with_another_hash_seed",
}

# Moves that the product's tables allow and that this exchange, or the code before the table, never brings.
EDGES: Final = {
    "halted_hard hard_cap halted_hard": "the fall is not asked for once it halted: "
    "tests/risk/test_kill_switch.py",
    "order working rejected": "the exchange refuses at once or never: tests/core/test_order.py",
    "order canceled filled": "a cancel of the exchange is the end of an order: tests/core/test_order.py",
    "order expired filled": "so is the end of its day: tests/core/test_order.py",
    "halted_hard operator halted_hard": "a halt of what is halted is answered and moves nothing: "
    "tests/risk/test_kill_switch.py and tests/engine/test_act.py",
}
