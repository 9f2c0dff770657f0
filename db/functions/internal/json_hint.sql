-- The hint of a refusal for JSON of another form than the one expected. It names what went wrong
-- on the way here, where that can be told: drivers make PostgreSQL's `{}` of an empty list, and
-- JSON that both a program and its driver encode arrives as a string. p_form is 'array' or
-- 'object', and p_hint is the hint where nothing can be told.

create or replace function pgthreads.json_hint(p_value jsonb, p_form text, p_hint text)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(p_value) = 'string'
      then 'This is a JSON string, most often because the JSON was encoded twice: encode it once.'
    when p_form = 'array' and p_value = '{}'
      then 'If this was an empty list, the driver has made a PostgreSQL array of it: pass JSON'
        ' text, for example of JSON.stringify. ' || p_hint
    when p_form = 'array' and jsonb_typeof(p_value) = 'object'
      then 'This is one object: put it into an array, [{…}]. ' || p_hint
    when p_form = 'object' and jsonb_typeof(p_value) = 'array' and jsonb_array_length(p_value) = 1
      then 'This is an array with one element: pass the element alone. ' || p_hint
    else p_hint
  end;
$$;

comment on function pgthreads.json_hint(jsonb, text, text) is
  'The hint for JSON of another form than the one expected: names the cause where it can be told.';
revoke all on function pgthreads.json_hint(jsonb, text, text) from public;
