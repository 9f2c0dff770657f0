-- Finds how many of the newest messages of a range of seq fit into p_bytes: the seq that they begin
-- with, and how many bytes are left. first_seq is null if not even the last message fits.
-- BOUNDED_WORK: this reads the messages that fit and some tens more, however long the range is.
-- Most messages say how many bytes they have; of older ones those that are compressed are read.
--
-- Here and elsewhere messages are looked up by `seq between … and …` with `order by seq`, even a
-- single one. With `seq = …` alone, a planner that takes threads to be short may as well read all
-- ids of a thread in the index of message_message_id_key. In exists() this would not help, because
-- PostgreSQL leaves out its order.

create or replace function pgthreads.fit_range(
  p_owner_user_id text,
  p_state_key text,
  p_first_seq int,
  p_last_seq int,
  p_bytes bigint,
  out first_seq int,
  out bytes_left bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_block constant int := 50;
  v_from int;
  v_to int := p_last_seq;
  v_seq int;
  v_size bigint;
begin
  bytes_left := p_bytes;
  -- Go by blocks as long as whole blocks fit. A loop over all messages costs three times as much.
  while v_to >= p_first_seq loop
    v_from := greatest(v_to - v_block + 1, p_first_seq);
    select sum(coalesce(m.bytes, case
      when pg_column_compression(m.message) is null then pg_column_size(m.message)
      else octet_length(m.message::text)
    end)) into v_size
    from (
      select m.bytes, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_from and v_to
      order by m.seq
      offset 0
    ) as m;
    exit when v_size > bytes_left;
    bytes_left := bytes_left - v_size;
    first_seq := v_from;
    v_to := v_from - 1;
  end loop;
  if v_to < p_first_seq then
    return;
  end if;
  for v_seq, v_size in
    select m.seq, coalesce(m.bytes, case
      when pg_column_compression(m.message) is null then pg_column_size(m.message)
      else octet_length(m.message::text)
    end)::bigint
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq between v_from and v_to
    order by m.seq desc
  loop
    exit when v_size > bytes_left;
    bytes_left := bytes_left - v_size;
    first_seq := v_seq;
  end loop;
end;
$$;

comment on function pgthreads.fit_range(text, text, int, int, bigint) is
  'The first seq of the newest messages of a range that fit into p_bytes.';
revoke all on function pgthreads.fit_range(text, text, int, int, bigint) from public;
