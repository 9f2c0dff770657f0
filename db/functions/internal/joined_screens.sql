-- What redaction_screen has to hold: the first looks and the screens of all enabled rules, each as
-- one expression, and an expression for characters that fold_text() may turn into a secret: a
-- format character, or an unusual space or dash, between ASCII characters of a word, and other
-- forms of ASCII letters and digits. That one is separate, because it would double the states of
-- the others.

create or replace function pgthreads.joined_screens()
returns table (first_look text, screen text, folded text)
language plpgsql
stable
rows 1
security definer
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
  v_nothing constant text := '[^\s\S]';
  v_odd constant text := '[\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f'
    || '\u2000-\u2015\u2024\u2028-\u202f\u205f-\u206f\u2212\u3000\u3164\ufe00-\ufe0f\ufe58\ufe63'
    || '\ufeff\uff0d\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]';
begin
  return query
    select coalesce(string_agg(distinct coalesce(r.first_look, r.screen), '|'), v_nothing),
      coalesce(string_agg(distinct r.screen, '|'), v_nothing),
      case
        when count(*) = 0 then v_nothing
        else '[A-Za-z0-9_=:/.+@-]' || v_odd || '+[A-Za-z0-9_=:/.+@-]'
          || '|[\u00aa\u00ba\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u2070-\u209c\u2100-\u214f'
          || '\u2460-\u24ff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff'
          || '\U0001f100-\U0001f16f\U0001fbf0-\U0001fbf9]'
      end
    from pgthreads.redaction_rule as r
    where r.enabled;
end;
$$;

comment on function pgthreads.joined_screens() is
  'The first looks and the screens of all enabled redaction rules, each as one expression.';
revoke all on function pgthreads.joined_screens() from public;
