-- One character as redaction rules see it. A format character becomes nothing. Another form of an
-- ASCII character becomes that character: forms that NFKC knows, such as full width and
-- mathematical ones, dashes, spaces, and digits of other scripts. Any other character stays as it
-- is. fold_text() asks this for each unusual character.

create or replace function pgthreads.fold_sign(p_sign text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code constant int := ascii(p_sign);
begin
  return case
    when p_sign = '' then ''
    when v_code in (173, 847, 1564, 4447, 4448, 6068, 6069, 12644, 65279, 65440)
      or v_code between 6155 and 6159 or v_code between 8203 and 8207
      or v_code between 8234 and 8238 or v_code between 8288 and 8303
      or v_code between 65024 and 65039 or v_code between 65520 and 65531
      or v_code >= 917504
      then ''
    when v_code between 8208 and 8213 or v_code in (8722, 65112, 65123) then '-'
    when v_code in (5760, 8232, 8233) then ' '
    when v_code between 1632 and 1641 then chr(v_code - 1584)
    when v_code between 1776 and 1785 then chr(v_code - 1728)
    when v_code between 2406 and 2415 then chr(v_code - 2358)
    when char_length(normalize(p_sign, NFKC)) = 1 then normalize(p_sign, NFKC)
    else p_sign
  end;
end;
$$;

comment on function pgthreads.fold_sign(text) is
  'The character as redaction rules see it: an ASCII form of it, nothing, or itself.';
revoke all on function pgthreads.fold_sign(text) from public;
