-- Installs or upgrades schema pgthreads. Safe to run again, and twice at once.
--
--   psql -1 -v ON_ERROR_STOP=1 -f db/install.sql
--
-- Run it as a superuser, or as a role with CREATEROLE that may create schemas in this database.
-- Migrations are read with `cat` from the folder of this file: PGTHREADS_DB, else as psql was told
-- by -f, else db/.

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
select exists (
  select from pgthreads.migration as m where m.name = '1001_message_search'
) or coalesce(current_setting('pgthreads.optional', true) = 'search', false) as with_search \gset
\if :with_search
\set migration `cat "$PGTHREADS_DB/optional/search/migrations/1001_message_search.sql"`
select pgthreads.apply_migration('1001_message_search', :'migration');
\endif
select pgthreads.refuse_older_release();

\ir functions/abandon_turn.sql
\ir functions/api_version.sql
\ir functions/append_thread.sql
\ir functions/assemble_message.sql
\ir functions/begin_turn.sql
\ir functions/branch_head.sql
\ir functions/branch_ranges.sql
\ir functions/check_redaction_rule.sql
\ir functions/clean_json.sql
\ir functions/current_tenant.sql
\ir functions/erase_owner.sql
\ir functions/extend_turn.sql
\ir functions/find_question.sql
\ir functions/finish_turn.sql
\ir functions/fit_doubles.sql
\ir functions/fit_range.sql
\ir functions/fold_json.sql
\ir functions/fold_text.sql
\ir functions/forget_journal.sql
\ir functions/has_message_shape.sql
\ir functions/has_plain_numbers.sql
\ir functions/hide_escapes.sql
\ir functions/hmac_sha256.sql
\ir functions/iban_length.sql
\ir functions/iban_remainder.sql
\ir functions/is_card.sql
\ir functions/is_iban.sql
\ir functions/is_luhn.sql
\ir functions/is_named_tenant.sql
\ir functions/is_plain_message.sql
\ir functions/is_same_question.sql
\ir functions/is_shallow.sql
\ir functions/is_short.sql
\ir functions/is_ui_message.sql
\ir functions/is_url.sql
\ir functions/joined_screens.sql
\ir functions/keep_answer.sql
\ir functions/keep_usage.sql
\ir functions/list_branches.sql
\ir functions/list_threads.sql
\ir functions/load_thread.sql
\ir functions/luhn_sum.sql
\ir functions/may_hold_secret.sql
\ir functions/merge_json.sql
\ir functions/merge_metadata.sql
\ir functions/message_title.sql
\ir functions/mint_tenant_token.sql
\ir functions/new_state_key.sql
\ir functions/note_verification.sql
\ir functions/prepare_messages.sql
\ir functions/prints_within.sql
\ir functions/prompt_history.sql
\ir functions/purge_threads.sql
\ir functions/purge_turns.sql
\ir functions/question_content.sql
\ir functions/question_of.sql
\ir functions/read_journal.sql
\ir functions/read_messages.sql
\ir functions/read_thread.sql
\ir functions/reap_turn.sql
\ir functions/reap_turns.sql
\ir functions/redact_cards.sql
\ir functions/redact_json.sql
\ir functions/redact_match.sql
\ir functions/redact_message.sql
\ir functions/redact_text.sql
\ir functions/redact_texts.sql
\ir functions/redaction_faults.sql
\ir functions/redaction_fingerprint.sql
\ir functions/redaction_rule_fault.sql
\ir functions/refresh_redaction_screen.sql
\ir functions/refresh_tenancy.sql
\ir functions/refuse_change.sql
\ir functions/refuse_screen_change.sql
\ir functions/remove_thread.sql
\ir functions/replaced_message.sql
\ir functions/request_stop.sql
\ir functions/require_batch.sql
\ir functions/require_queue_quota.sql
\ir functions/require_server_role.sql
\ir functions/require_state_key.sql
\ir functions/require_storable.sql
\ir functions/require_tenant.sql
\ir functions/require_thread.sql
\ir functions/require_turn_quota.sql
\ir functions/require_user_message.sql
\ir functions/require_window.sql
\ir functions/requires_token.sql
\ir functions/save_thread.sql
\ir functions/set_tenant.sql
\ir functions/shown_head.sql
\ir functions/shown_parent.sql
\ir functions/site_notes.sql
\ir functions/soft_delete_thread.sql
\ir functions/tenant_mac.sql
\ir functions/tenant_proof.sql
\ir functions/thread_stats.sql
\ir functions/transaction_proof.sql
\ir functions/ui_message_fault.sql
\ir functions/update_thread.sql
\ir functions/verified_part.sql
\ir functions/verified_tenant.sql
\ir functions/verify_tenant_token.sql
\ir functions/verify_thread.sql
\ir functions/verify_threads.sql
\ir functions/wait_for_turn.sql
\ir functions/window_ranges.sql
\ir functions/write_journal.sql

\ir views/ai_threads.sql
\ir views/open_turns.sql
\ir views/owner_usage.sql

\ir policies/backup.sql
\ir policies/config.sql
\ir policies/journal.sql
\ir policies/late_answer.sql
\ir policies/message.sql
\ir policies/queued_turn.sql
\ir policies/redaction_rule.sql
\ir policies/redaction_screen.sql
\ir policies/retention.sql
\ir policies/tenant_key.sql
\ir policies/tenant_secret.sql
\ir policies/thread.sql
\ir policies/turn.sql
\ir policies/usage_total.sql
\ir policies/verification.sql

\if :with_search
\ir optional/search/functions/index_messages.sql
\ir optional/search/functions/index_title.sql
\ir optional/search/functions/message_text.sql
\ir optional/search/functions/message_words.sql
\ir optional/search/functions/rebuild_search.sql
\ir optional/search/functions/search_threads.sql
\ir optional/search/functions/unindex_threads.sql
\ir optional/search/policies/message_search.sql
\ir optional/search/policies/search_config.sql
\endif

reset role;
\o
