-- A nanoid: 21 characters of the URL alphabet, which hold 126 random bits. The bits come from two
-- version 4 UUIDs, which PostgreSQL makes from its strong random source. The bytes with their fixed
-- version and variant bits are left out.

create or replace function pgthreads.new_state_key()
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_alphabet constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-';
  v_first bytea := uuid_send(gen_random_uuid());
  v_second bytea := uuid_send(gen_random_uuid());
  v_bytes bytea := substr(v_first, 1, 6) || substr(v_first, 10, 7)
    || substr(v_second, 1, 6) || substr(v_second, 10, 2);
  v_key text := '';
begin
  for v_index in 0..20 loop
    v_key := v_key || substr(v_alphabet, (get_byte(v_bytes, v_index) & 63) + 1, 1);
  end loop;
  return v_key;
end;
$$;

comment on function pgthreads.new_state_key() is
  'A new state key: a nanoid of 21 characters.';
revoke all on function pgthreads.new_state_key() from public;
grant execute on function pgthreads.new_state_key() to pgthreads_server;
