-- The five numbers of a cursor of change_cursor(): the horizon, the time that belongs to it, a
-- later transaction id, the time that belongs to that, and the history of the cluster that they are
-- about. Null for whatever else a client has sent, and for a cursor of another history, because its
-- transaction ids say nothing about this one.

create or replace function pgthreads.read_cursor(p_cursor text)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_numbers text[];
begin
  if char_length(p_cursor) > 94 then
    return null;
  end if;
  v_numbers := string_to_array(p_cursor, '.');
  if cardinality(v_numbers) = 5
    and v_numbers[5] = pgthreads.cluster_history()::text
    and translate(p_cursor, '0123456789', '') = '....'
    and char_length(v_numbers[1]) between 1 and 18
    and char_length(v_numbers[2]) between 1 and 18
    and char_length(v_numbers[3]) between 1 and 18
    and char_length(v_numbers[4]) between 1 and 18
  then
    return v_numbers::bigint[];
  end if;
  return null;
end;
$$;

comment on function pgthreads.read_cursor(text) is
  'The numbers of a cursor of change_cursor(); null if it is none, or none of this cluster.';
revoke all on function pgthreads.read_cursor(text) from public;
