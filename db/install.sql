-- Installs or upgrades schema pgthreads. It is safe to run it again, and to run it twice at once.
--
--   psql -1 -v ON_ERROR_STOP=1 -f db/install.sql
--
-- Run it as a superuser, or as a role with CREATEROLE that may create schemas in this database.
-- Migrations are read with `cat` from the folder of this file. That is PGTHREADS_DB if it is set,
-- otherwise the folder of the file that psql got with -f, or db/ if that cannot be found out.

\set QUIET on
\set ON_ERROR_STOP on
\encoding UTF8
set client_min_messages = warning;

select pg_catalog.pg_current_xact_id() as transaction_id \gset
select pg_catalog.pg_current_xact_id() = :'transaction_id'::pg_catalog.xid8 as in_transaction \gset
\if :in_transaction
\else
do $$ begin raise exception 'run this file in one transaction: psql -1 -f db/install.sql'; end $$;
\endif

\o /dev/null
\ir roles.sql
set local role pgthreads_owner;
set local check_function_bodies = off;
\ir ledger.sql

\set db `d="$PGTHREADS_DB"; [ -n "$d" ] || d=$(ps -o args= -p $PPID 2>/dev/null | sed -n 's/.*[ =f]\([^ ]*\)install\.sql.*/\1/p'); [ -f "$d/install.sql" ] || d=db; cd "$d" && pwd`
\setenv PGTHREADS_DB :db

\set migration `cat "$PGTHREADS_DB/migrations/0001_tables.sql"`
select pgthreads.apply_migration('0001_tables', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0002_redaction_rules.sql"`
select pgthreads.apply_migration('0002_redaction_rules', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0003_retention.sql"`
select pgthreads.apply_migration('0003_retention', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0004_verified_tenancy.sql"`
select pgthreads.apply_migration('0004_verified_tenancy', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0005_branches.sql"`
select pgthreads.apply_migration('0005_branches', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0006_journal.sql"`
select pgthreads.apply_migration('0006_journal', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0007_queue.sql"`
select pgthreads.apply_migration('0007_queue', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0008_late_answers.sql"`
select pgthreads.apply_migration('0008_late_answers', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0009_first_look.sql"`
select pgthreads.apply_migration('0009_first_look', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0010_recent_at.sql"`
select pgthreads.apply_migration('0010_recent_at', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0011_questions.sql"`
select pgthreads.apply_migration('0011_questions', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0013_redaction.sql"`
select pgthreads.apply_migration('0013_redaction', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0016_budgets.sql"`
select pgthreads.apply_migration('0016_budgets', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0017_owner_limits.sql"`
select pgthreads.apply_migration('0017_owner_limits', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0018_retention_of_turns.sql"`
select pgthreads.apply_migration('0018_retention_of_turns', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0022_monitoring.sql"`
select pgthreads.apply_migration('0022_monitoring', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0023_hot_rows.sql"`
select pgthreads.apply_migration('0023_hot_rows', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0024_fewer_looks.sql"`
select pgthreads.apply_migration('0024_fewer_looks', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0030_waiting.sql"`
select pgthreads.apply_migration('0030_waiting', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0031_open_answers.sql"`
select pgthreads.apply_migration('0031_open_answers', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0033_details.sql"`
select pgthreads.apply_migration('0033_details', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0034_changes.sql"`
select pgthreads.apply_migration('0034_changes', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0036_archive.sql"`
select pgthreads.apply_migration('0036_archive', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0037_shares.sql"`
select pgthreads.apply_migration('0037_shares', :'migration');
\set migration `cat "$PGTHREADS_DB/migrations/0038_twilio_keys.sql"`
select pgthreads.apply_migration('0038_twilio_keys', :'migration');
select exists (
  select from pgthreads.migration as m where m.name = '1001_message_search'
) or coalesce(current_setting('pgthreads.optional', true) = 'search', false) as with_search \gset
\if :with_search
\set migration `cat "$PGTHREADS_DB/optional/search/migrations/1001_message_search.sql"`
select pgthreads.apply_migration('1001_message_search', :'migration');
\endif
select pgthreads.refuse_older_release();

\ir functions/internal/abandon_turn.sql
\ir functions/internal/answer_calls.sql
\ir functions/api/api_version.sql
\ir functions/api/append_thread.sql
\ir functions/internal/approval_roles.sql
\ir functions/api/assemble_message.sql
\ir functions/internal/bcd_luhn.sql
\ir functions/api/begin_turn.sql
\ir functions/internal/branch_head.sql
\ir functions/internal/branch_ranges.sql
\ir functions/internal/call_responses.sql
\ir functions/api/change_cursor.sql
\ir functions/api/changed_threads.sql
\ir functions/internal/check_redaction_rule.sql
\ir functions/api/clean_json.sql
\ir functions/internal/close_answer.sql
\ir functions/internal/closed_answer.sql
\ir functions/internal/cluster_history.sql
\ir functions/api/complete_turn.sql
\ir functions/internal/continued_answer.sql
\ir functions/api/current_tenant.sql
\ir functions/api/end_lost_turns.sql
\ir functions/internal/end_turn.sql
\ir functions/maintenance/erase_owner.sql
\ir functions/api/export_thread.sql
\ir functions/api/extend_turn.sql
\ir functions/internal/find_question.sql
\ir functions/api/finish_turn.sql
\ir functions/api/fit_doubles.sql
\ir functions/internal/fit_range.sql
\ir functions/internal/fold_json.sql
\ir functions/internal/fold_sign.sql
\ir functions/internal/fold_text.sql
\ir functions/api/forget_journal.sql
\ir functions/internal/has_long_shape.sql
\ir functions/internal/has_message_shape.sql
\ir functions/api/has_plain_numbers.sql
\ir functions/api/has_search.sql
\ir functions/internal/has_shape.sql
\ir functions/internal/hide_escapes.sql
\ir functions/internal/hmac_sha256.sql
\ir functions/internal/iban_length.sql
\ir functions/internal/iban_lengths.sql
\ir functions/internal/iban_remainder.sql
\ir functions/internal/is_card.sql
\ir functions/api/is_iban.sql
\ir functions/internal/is_known_part.sql
\ir functions/api/is_luhn.sql
\ir functions/internal/is_named_tenant.sql
\ir functions/internal/is_plain_message.sql
\ir functions/internal/is_plain_read.sql
\ir functions/internal/is_same_question.sql
\ir functions/internal/is_shallow.sql
\ir functions/internal/is_short.sql
\ir functions/api/is_state_key.sql
\ir functions/api/is_ui_message.sql
\ir functions/api/is_url.sql
\ir functions/internal/joined_screens.sql
\ir functions/internal/json_hint.sql
\ir functions/api/keep_answer.sql
\ir functions/internal/keep_usage.sql
\ir functions/internal/kept_strings.sql
\ir functions/api/list_branches.sql
\ir functions/api/list_shares.sql
\ir functions/api/list_threads.sql
\ir functions/api/load_thread.sql
\ir functions/maintenance/lock_holders.sql
\ir functions/internal/luhn_sum.sql
\ir functions/internal/may_hold_secret.sql
\ir functions/internal/merge_json.sql
\ir functions/internal/merge_metadata.sql
\ir functions/internal/message_title.sql
\ir functions/internal/mint_tenant_token.sql
\ir functions/api/new_state_key.sql
\ir functions/internal/newest_answer.sql
\ir functions/maintenance/note_verification.sql
\ir functions/api/pause_turn.sql
\ir functions/internal/prepare_messages.sql
\ir functions/internal/prints_within.sql
\ir functions/internal/prompt_history.sql
\ir functions/internal/prompt_start.sql
\ir functions/maintenance/purge_threads.sql
\ir functions/maintenance/purge_turns.sql
\ir functions/internal/question_content.sql
\ir functions/internal/question_of.sql
\ir functions/internal/read_cursor.sql
\ir functions/internal/read_head.sql
\ir functions/api/read_header.sql
\ir functions/api/read_journal.sql
\ir functions/api/read_messages.sql
\ir functions/api/read_open_answer.sql
\ir functions/api/read_share.sql
\ir functions/api/read_thread.sql
\ir functions/api/read_thread_details.sql
\ir functions/internal/ready_messages.sql
\ir functions/maintenance/reap_answer.sql
\ir functions/maintenance/reap_turn.sql
\ir functions/maintenance/reap_turns.sql
\ir functions/internal/redact_batches.sql
\ir functions/internal/redact_bodies.sql
\ir functions/internal/redact_cards.sql
\ir functions/api/redact_json.sql
\ir functions/internal/redact_json_text.sql
\ir functions/internal/redact_match.sql
\ir functions/api/redact_message.sql
\ir functions/api/redact_text.sql
\ir functions/internal/redact_messages.sql
\ir functions/internal/redact_strings.sql
\ir functions/internal/redact_texts.sql
\ir functions/api/redaction_faults.sql
\ir functions/maintenance/redaction_fingerprint.sql
\ir functions/internal/redaction_rule_fault.sql
\ir functions/internal/refresh_redaction_screen.sql
\ir functions/internal/refresh_tenancy.sql
\ir functions/internal/refuse_change.sql
\ir functions/internal/refuse_screen_change.sql
\ir functions/maintenance/remove_thread.sql
\ir functions/internal/replaced_message.sql
\ir functions/api/request_stop.sql
\ir functions/internal/require_approver.sql
\ir functions/maintenance/require_batch.sql
\ir functions/internal/require_end_status.sql
\ir functions/internal/require_installed.sql
\ir functions/internal/require_printable.sql
\ir functions/internal/require_queue_quota.sql
\ir functions/internal/require_read.sql
\ir functions/internal/require_responses.sql
\ir functions/api/require_server_role.sql
\ir functions/api/require_state_key.sql
\ir functions/internal/require_storable.sql
\ir functions/api/require_tenant.sql
\ir functions/internal/require_thread.sql
\ir functions/internal/require_turn_quota.sql
\ir functions/internal/require_user_message.sql
\ir functions/internal/require_window.sql
\ir functions/api/requires_token.sql
\ir functions/api/respond_turn.sql
\ir functions/api/revoke_share.sql
\ir functions/api/save_thread.sql
\ir functions/api/search_titles.sql
\ir functions/api/set_tenant.sql
\ir functions/api/share_thread.sql
\ir functions/internal/shared_message.sql
\ir functions/internal/shown_answer.sql
\ir functions/internal/shown_head.sql
\ir functions/internal/shown_parent.sql
\ir functions/api/site_notes.sql
\ir functions/api/soft_delete_thread.sql
\ir functions/internal/take_open_answer.sql
\ir functions/internal/tenant_mac.sql
\ir functions/internal/tenant_proof.sql
\ir functions/maintenance/thread_stats.sql
\ir functions/internal/touch_thread.sql
\ir functions/internal/transaction_proof.sql
\ir functions/api/ui_message_fault.sql
\ir functions/api/update_thread.sql
\ir functions/internal/verified_part.sql
\ir functions/internal/verified_parts.sql
\ir functions/api/verified_tenant.sql
\ir functions/api/verify_tenant_token.sql
\ir functions/api/verify_thread.sql
\ir functions/maintenance/verify_threads.sql
\ir functions/internal/wait_for_turn.sql
\ir functions/internal/waiting_calls.sql
\ir functions/internal/window_ranges.sql
\ir functions/internal/without_details.sql
\ir functions/internal/write_frames.sql
\ir functions/api/write_journal.sql
\ir functions/internal/write_messages.sql

\ir views/ai_threads.sql
\ir views/open_turns.sql
\ir views/owner_usage.sql

\ir policies/approval_policy.sql
\ir policies/backup.sql
\ir policies/config.sql
\ir policies/journal.sql
\ir policies/late_answer.sql
\ir policies/message.sql
\ir policies/open_answer.sql
\ir policies/queued_turn.sql
\ir policies/redaction_rule.sql
\ir policies/redaction_screen.sql
\ir policies/retention.sql
\ir policies/share.sql
\ir policies/tenant_key.sql
\ir policies/tenant_secret.sql
\ir policies/thread.sql
\ir policies/tool_response.sql
\ir policies/turn.sql
\ir policies/usage_total.sql
\ir policies/verification.sql

\if :with_search
\ir optional/search/functions/internal/index_messages.sql
\ir optional/search/functions/internal/index_title.sql
\ir optional/search/functions/internal/message_text.sql
\ir optional/search/functions/internal/message_words.sql
\ir optional/search/functions/internal/rebuild_search.sql
\ir optional/search/functions/api/search_threads.sql
\ir optional/search/functions/internal/unindex_threads.sql
\ir optional/search/policies/message_search.sql
\ir optional/search/policies/search_config.sql
\endif

reset role;
\o
