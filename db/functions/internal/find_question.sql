-- Finds the question that a turn answers: ANSWER_BELONGS_TO_QUESTION. Nothing that a page shows is
-- believed, but its last user message (p_message) says what is asked, and the message before that
-- one (p_parent_id) says where. Returns one row, found under the lock of the thread's row, which is
-- held until the transaction ends:
--
--   seq          the question, if it is stored
--   message_id   its id, whether it is stored or not
--   message      what has to be appended if it is not stored, behind parent_id ('' for none)
--   anew         whether a stored question is answered again although it has an answer
--   attaches     whether the running turn is the one that is asked for, so that even a call that
--                interrupts must not stop it: it is this call's own turn, or its answer takes the
--                place of the answer that the call names
--   answer_seq   the answer, if this call repeats one that was answered; for an answer that waits,
--                which is not stored, the seq that it will have
--
-- An edited message is stored beside the one that it replaces, as <id>~<hash of its content>. If
-- that text was there before, it is stored as <id>~<hash>.2, and so on. All of these are the family
-- of <id>, because a page goes on to use <id> for each of them. A repeated call and a wish for the
-- same text once more look alike; the end of the newest branch tells them apart, because a repeated
-- call finds there what it made itself.
--
-- Locks: the thread's row, then a turn's row. Raises THDEL, THMSG, THDUP, and THSTL if the page
-- does not fit the thread.

create or replace function pgthreads.find_question(
  p_owner_user_id text,
  p_state_key text,
  p_message jsonb,
  p_turn_id text,
  p_replaces text,
  p_regenerate boolean,
  p_parent_id text,
  p_on_stale text
)
returns table (
  message_count int,
  seq int,
  message_id text,
  message jsonb,
  parent_id text,
  anew boolean,
  attaches boolean,
  answer_seq int
)
language plpgsql
volatile
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_count int;
  v_deleted_at timestamptz;
  v_open_since timestamptz;
  v_open pgthreads.open_answer;
  v_turn_id text;
  v_named_seq int;
  v_named_role text;
  v_last_question int;
  v_last_answer int;
  v_id text;
  v_stored jsonb;
  v_seq int;
  v_parent int;
  v_root text;
  v_sibling text;
  v_same bigint;
  v_question int;
  v_first_answer int;
  v_message jsonb;
  v_answer int;
  v_attaches boolean := false;
begin
  -- Lock the thread, and create it if none exists. If somebody else is creating it, this waits.
  loop
    select t.message_count, t.deleted_at, t.open_since into v_count, v_deleted_at, v_open_since
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    for update;
    exit when found;
    perform pgthreads.require_state_key(p_state_key);
    insert into pgthreads.thread (owner_user_id, state_key)
    values (p_owner_user_id, p_state_key)
    on conflict (owner_user_id, state_key) do nothing;
  end loop;
  if v_deleted_at is not null then
    perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  end if;
  -- Give up a turn whose lease has ended, because its partial answer may be what the page replaces
  -- or continues.
  select n.turn_id into v_turn_id
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running'
    and n.lease_until <= clock_timestamp();
  if found then
    v_count := v_count + pgthreads.abandon_turn(p_owner_user_id, p_state_key, v_turn_id);
  end if;
  if v_open_since is not null then
    select o.* into v_open
    from pgthreads.open_answer as o
    where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
  end if;

  -- Look up the message that p_replaces names, and the question that the newest branch ends with.
  if p_replaces is not null then
    select m.seq, m.message ->> 'role' into v_named_seq, v_named_role
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_replaces;
  end if;
  if v_open.message_id is not null then
    v_last_question := v_open.user_seq;
    v_last_answer := v_count + 1;
  elsif p_replaces is not null or p_regenerate then
    select q.question_seq, q.first_answer_seq into v_last_question, v_last_answer
    from pgthreads.question_of(p_owner_user_id, p_state_key, v_count) as q;
  end if;

  -- If another answer is asked for without saying to what, the question is that of the answer that
  -- p_replaces names, or otherwise the newest one.
  if p_regenerate and (p_on_stale is null or p_message is null)
    or not p_regenerate and (v_named_role = 'assistant' or p_replaces = v_open.message_id)
  then
    if v_open.message_id is not null and coalesce(p_replaces, v_open.message_id) = v_open.message_id
    then
      select m.message_id into strict v_id
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_open.user_seq and v_open.user_seq
      order by m.seq;
      return query select v_count, v_open.user_seq, v_id, null::jsonb, null::text, true, false,
        null::int;
      return;
    end if;
    select r.user_seq, r.user_id into v_seq, v_id
    from pgthreads.replaced_message(p_owner_user_id, p_state_key, p_replaces, p_regenerate) as r;
    if v_seq is not null then
      return query select v_count, v_seq, v_id, null::jsonb, null::text, true, false, null::int;
      return;
    end if;
  end if;

  -- Find out whether the page's last message is stored, under its id or as one of its family.
  if p_regenerate and p_on_stale is not null or v_named_role = 'user' then
    v_id := p_message ->> 'id';
    v_question := v_named_seq;
    if p_regenerate then
      select m.seq into v_question
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.message_id = v_id;
    else
      v_id := p_replaces;
    end if;
    select m.message::jsonb, coalesce(m.parent_seq, m.seq - 1) into v_stored, v_parent
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq between v_question and v_question
    order by m.seq;
    if v_stored ->> 'role' <> 'user' then
      raise exception 'this message id is stored with other content' using
        errcode = 'THDUP',
        detail = format('Message %L of thread %s is not a user message.', v_id, p_state_key),
        hint = 'Give the question an id that no other message has.';
    end if;
  end if;
  if v_question is not null then
    v_root := left(regexp_replace(v_id, '~[0-9a-f]{16}([.][0-9]+)?$', ''), 200);
    if (
      select coalesce(m.parent_seq, m.seq - 1) = v_parent
        and (v_last_question = v_question or m.message_id = v_root
          or starts_with(m.message_id, v_root || '~'))
        and pgthreads.is_same_question(m.message::jsonb, p_message)
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_last_question and v_last_question
      order by m.seq
    ) then
      v_seq := v_last_question;
      -- An edit that leaves the text as it is asks for another answer, unless there is no answer
      -- yet.
      if not p_regenerate and v_seq = v_named_seq and v_last_answer is not null and not exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.status = 'running'
          and n.user_seq = v_seq
      ) then
        v_seq := null;
      end if;
    elsif p_regenerate and pgthreads.is_same_question(v_stored, p_message) then
      v_seq := v_question;
    end if;
    if v_seq is null then
      v_message := pgthreads.require_user_message(p_message);
      v_sibling := v_root || '~' || left(encode(sha256(convert_to(
        (pgthreads.redact_message(v_message) - 'id')::text, 'UTF8')), 'hex'), 16);
      -- The siblings with this text are v_sibling itself and the ids that begin with it and a dot.
      -- The slash is the character after the dot.
      select max(m.seq) filter (where coalesce(m.parent_seq, m.seq - 1) = v_parent), count(*)
      into v_question, v_same
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.message_id >= v_sibling
        and m.message_id < v_sibling || '/';
      if p_regenerate and v_question is not null then
        v_seq := v_question;
      else
        v_message := v_message || jsonb_build_object(
          'id', v_sibling || case when v_same > 0 then '.' || v_same + 1 else '' end);
        parent_id := coalesce(
          (
            select m.message_id
            from pgthreads.message as m
            where m.owner_user_id = p_owner_user_id
              and m.state_key = p_state_key
              and m.seq between v_parent and v_parent
            order by m.seq
          ), '');
      end if;
    end if;
    if v_seq is not null then
      select m.message_id into v_id
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_seq and v_seq
      order by m.seq;
    end if;
  else
    v_message := pgthreads.require_user_message(p_message);
    v_id := v_message ->> 'id';
    parent_id := pgthreads.shown_parent(
      p_owner_user_id, p_state_key, v_id, p_parent_id, p_on_stale, v_count);
  end if;

  -- The answer that p_replaces names has to be one to this question. If the newest branch ends with
  -- a later answer to it, this call has made that one already.
  if p_regenerate and p_on_stale is not null and v_named_seq is not null then
    select q.question_seq, q.first_answer_seq into v_question, v_first_answer
    from pgthreads.question_of(p_owner_user_id, p_state_key, v_named_seq) as q;
    if (v_question = v_seq or p_replaces = p_message ->> 'id') is not true then
      raise exception 'the message to replace does not belong to the question' using
        errcode = 'THSTL',
        detail = format('Message %L of thread %s is no answer to %L, the last question that the '
          'page shows.', left(p_replaces, 256), p_state_key, left(p_message ->> 'id', 256)),
        hint = 'Load the thread again, or pass no p_replaces to have the last question answered.';
    end if;
    if v_last_question = v_seq and v_last_answer > v_first_answer then
      v_answer := case when v_open.message_id is null then v_count else v_count + 1 end;
    end if;
  end if;
  -- The same is true if its turn is known already.
  if p_regenerate and v_seq is not null then
    select coalesce(max(m.seq), v_answer),
      coalesce(bool_or(
        n.status = 'running' and (n.turn_id = p_turn_id or v_named_role = 'assistant')), false)
    into v_answer, v_attaches
    from pgthreads.turn as n
    left join pgthreads.message as m
      on m.owner_user_id = n.owner_user_id
      and m.state_key = n.state_key
      and m.message_id = n.assistant_message_id
      and n.turn_id = p_turn_id
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and (n.status = 'running' or n.turn_id = p_turn_id)
      and n.user_seq = v_seq;
  end if;
  return query select
    v_count,
    v_seq,
    case when v_seq is null then v_message ->> 'id' else v_id end,
    case when v_seq is null then v_message end,
    case when v_seq is null then parent_id end,
    p_regenerate and v_seq is not null,
    v_attaches,
    v_answer;
end;
$$;

comment on function pgthreads.find_question(text, text, jsonb, text, text, boolean, text, text) is
  'The question that a turn answers, stored or to be appended, under the thread''s lock.';
revoke all on function pgthreads.find_question from public;
