-- The question that a message belongs to: the user message that it is, or that it answers. An
-- answer may be several messages, each of which continues the one before. first_answer_seq is the
-- first of them; it is null if the message is the question itself. No row if there is no question,
-- or if more than 32 messages would have to be read to find it.

create or replace function pgthreads.question_of(
  p_owner_user_id text,
  p_state_key text,
  p_seq int
)
returns table (question_seq int, first_answer_seq int)
language plpgsql
stable
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_seq int := p_seq;
  v_role text;
  v_parent int;
  v_answer int;
begin
  for v_step in 1..32 loop
    select m.message ->> 'role', coalesce(m.parent_seq, m.seq - 1) into v_role, v_parent
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq between v_seq and v_seq
    order by m.seq;
    if v_role = 'user' then
      return query select v_seq, v_answer;
      return;
    end if;
    exit when v_role is distinct from 'assistant';
    v_answer := v_seq;
    v_seq := v_parent;
  end loop;
end;
$$;

comment on function pgthreads.question_of(text, text, int) is
  'The user message that a message is or answers, and the first message of that answer.';
revoke all on function pgthreads.question_of(text, text, int) from public;
