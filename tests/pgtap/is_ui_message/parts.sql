-- Every type of part in every state, with every field. A part is accepted as it is and without its
-- optional fields, and refused if any other field is missing or of another type. A field is
-- optional if any major version of the AI SDK does without it, and may have any type if one does
-- not check it.
begin;
select no_plan();
\ir ../helpers.psql

create temp table part (name text primary key, body jsonb);
create temp table field (name text, path text[], type text, required boolean);

insert into part
values
  ('text', '{"type": "text", "text": "a", "state": "done",
    "providerMetadata": {"p": {"k": [1, null]}}}'),
  ('reasoning', '{"type": "reasoning", "text": "a", "id": "r", "state": "streaming",
    "providerMetadata": {"p": {}}}'),
  ('step', '{"type": "step-start"}'),
  ('file', '{"type": "file", "mediaType": "text/plain", "url": "https://a.example/b",
    "filename": "f", "providerMetadata": {"p": {}}}'),
  ('source-url', '{"type": "source-url", "sourceId": "s", "url": "u", "title": "t",
    "providerMetadata": {"p": {}}}'),
  ('source-document', '{"type": "source-document", "sourceId": "s", "mediaType": "m", "title": "t",
    "filename": "f", "providerMetadata": {"p": {}}}'),
  ('reasoning-file', '{"type": "reasoning-file", "mediaType": "m", "url": "u",
    "providerMetadata": {"p": {}}}'),
  ('custom', '{"type": "custom", "kind": "k", "providerMetadata": {"p": {}}}'),
  ('steering', '{"type": "steering-message", "id": "s", "parts": [{"type": "text", "text": "a"}]}'),
  ('data', '{"type": "data-x", "id": "d", "data": {"a": [1]}}');

insert into field
values
  ('text', '{type}', 'string', true),
  ('text', '{text}', 'string', true),
  ('text', '{state}', 'string', false),
  ('text', '{providerMetadata}', 'object', false),
  ('text', '{providerMetadata,p}', 'object', false),
  ('reasoning', '{text}', 'string', true),
  ('reasoning', '{id}', 'string', false),
  ('reasoning', '{state}', 'string', false),
  ('reasoning', '{providerMetadata}', 'object', false),
  ('reasoning', '{providerMetadata,p}', 'object', false),
  ('step', '{type}', 'string', true),
  ('file', '{mediaType}', 'string', true),
  ('file', '{url}', 'string', true),
  ('file', '{filename}', 'string', false),
  ('file', '{providerMetadata}', 'object', false),
  ('source-url', '{sourceId}', 'string', true),
  ('source-url', '{url}', 'string', true),
  ('source-url', '{title}', 'string', false),
  ('source-url', '{providerMetadata,p}', 'object', false),
  ('source-document', '{sourceId}', 'string', true),
  ('source-document', '{mediaType}', 'string', true),
  ('source-document', '{title}', 'string', true),
  ('source-document', '{filename}', 'string', false),
  ('reasoning-file', '{mediaType}', 'string', true),
  ('reasoning-file', '{url}', 'string', true),
  ('reasoning-file', '{providerMetadata}', 'object', false),
  ('custom', '{kind}', 'string', true),
  ('custom', '{providerMetadata,p}', 'object', false),
  ('steering', '{id}', 'string', true),
  ('steering', '{parts,0}', 'object', false),
  ('steering', '{parts,0,type}', 'string', true),
  ('data', '{id}', 'string', false),
  ('data', '{data}', 'any', false);

-- A tool call has the same fields under both types; its state says which others there are.
insert into part
select t.type || ' ' || s.state, t.body || jsonb_build_object('state', s.state) || s.body
from (values
  ('tool', jsonb '{"type": "tool-search", "toolCallId": "c"}'),
  ('dynamic', '{"type": "dynamic-tool", "toolName": "search", "toolCallId": "c"}')
) as t (type, body)
cross join (values
  ('input-streaming', jsonb '{"input": {"q": 1}}'),
  ('input-available', '{"input": {"q": 1}, "providerExecuted": true, "title": "t",
    "callProviderMetadata": {"p": {"k": 1}}}'),
  ('output-available', '{"input": {"q": 1}, "output": {"r": 1}, "preliminary": false,
    "providerExecuted": false, "callProviderMetadata": {"p": {}},
    "approval": {"id": "i", "approved": true, "reason": "r"}}'),
  ('output-error', '{"input": {"q": 1}, "errorText": "e",
    "approval": {"id": "i", "approved": true, "reason": "r"}}'),
  ('approval-requested', '{"input": {"q": 1}, "approval": {"id": "i"}}'),
  ('approval-responded', '{"input": {"q": 1},
    "approval": {"id": "i", "approved": false, "reason": "r"}}'),
  ('output-denied', '{"input": {"q": 1},
    "approval": {"id": "i", "approved": false, "reason": "r"}}')
) as s (state, body);

insert into field
select p.name, f.path::text[], f.type, f.required
from part as p
join (values
  ('', '{type}', 'string', true),
  ('', '{toolCallId}', 'string', true),
  ('', '{state}', 'string', true),
  ('dynamic', '{toolName}', 'string', true),
  ('input-streaming', '{input}', 'any', false),
  ('input-available', '{input}', 'any', false),
  ('input-available', '{title}', 'any', false),
  ('input-available', '{providerExecuted}', 'boolean', false),
  ('input-available', '{callProviderMetadata}', 'object', false),
  ('input-available', '{callProviderMetadata,p}', 'object', false),
  ('output-available', '{input}', 'any', false),
  ('output-available', '{output}', 'any', false),
  ('output-available', '{preliminary}', 'boolean', false),
  ('output-available', '{providerExecuted}', 'boolean', false),
  ('tool output-available', '{approval}', 'object', false),
  ('tool output-available', '{approval,id}', 'string', true),
  ('tool output-available', '{approval,approved}', 'boolean', true),
  ('tool output-available', '{approval,reason}', 'string', false),
  ('output-error', '{input}', 'any', false),
  ('output-error', '{errorText}', 'string', true),
  ('tool output-error', '{approval}', 'object', false),
  ('tool output-error', '{approval,id}', 'string', true),
  ('tool output-error', '{approval,approved}', 'boolean', true),
  ('tool output-error', '{approval,reason}', 'string', false),
  ('approval-requested', '{input}', 'any', false),
  ('approval-requested', '{approval}', 'object', true),
  ('approval-requested', '{approval,id}', 'string', true),
  ('approval-responded', '{input}', 'any', false),
  ('approval-responded', '{approval}', 'object', true),
  ('approval-responded', '{approval,id}', 'string', true),
  ('approval-responded', '{approval,approved}', 'boolean', true),
  ('approval-responded', '{approval,reason}', 'string', false),
  ('output-denied', '{input}', 'any', false),
  ('output-denied', '{approval}', 'object', true),
  ('output-denied', '{approval,id}', 'string', true),
  ('output-denied', '{approval,approved}', 'boolean', true),
  ('output-denied', '{approval,reason}', 'string', false)
) as f (state, path, type, required)
  on p.name ~ '^(tool|dynamic) ' and (p.name like '%' || f.state || '%');

create temp view verdict as
select
  p.name, p.body,
  pgthreads.is_ui_message(jsonb_build_object(
    'id', 'i', 'role', 'assistant', 'parts', jsonb_build_array(p.body))) as accepted
from part as p;
grant select on part, field, verdict to tap_server;

set local role tap_server;
select ok(v.accepted, 'accepted with every field: ' || v.name) from verdict as v order by v.name;

create temp view changed as
select
  c.name, c.path, c.how, c.wanted,
  pgthreads.is_ui_message(jsonb_build_object(
    'id', 'i', 'role', 'assistant',
    'parts', jsonb '[{"type": "text", "text": "before"}]' || jsonb_build_array(c.body))) as accepted
from (
  select f.name, f.path, 'left out' as how, not f.required as wanted, p.body #- f.path as body
  from field as f
  join part as p using (name)
  union all
  select
    f.name, f.path, 'as ' || w.what, f.type = 'any' or f.type = w.type,
    jsonb_set(p.body, f.path, w.value)
  from field as f
  join part as p using (name)
  cross join lateral (values
    ('null', 'null', jsonb 'null'),
    ('a boolean', 'boolean', case f.type when 'boolean' then p.body #> f.path else 'true' end),
    ('a number', 'number', '1'),
    ('an object', 'object', case f.type when 'object' then p.body #> f.path else '{}' end),
    ('an empty array', 'array', '[]'),
    ('an array of it', 'array', jsonb_build_array(p.body #> f.path)),
    ('an array of objects', 'array', '[{}]'),
    ('a string', 'string', case f.type when 'string' then p.body #> f.path else '"a"' end)
  ) as w (what, type, value)
) as c;

select cmp_ok((select count(*) from changed), '>', 800::bigint, 'there are changes enough to try');
select is(
  c.accepted, c.wanted,
  format('%s: %s %s is %s', c.name, c.path, c.how,
    case when c.wanted then 'accepted' else 'refused' end)
)
from changed as c
where c.accepted is distinct from c.wanted;
select is(
  (select count(*) from changed where accepted is distinct from wanted), 0::bigint,
  'every one is accepted or refused as it should be'
);

-- Fields that a state does not have, words that are not in its list, and types that do not exist.
select is(
  pgthreads.is_ui_message(jsonb_build_object(
    'id', 'i', 'role', 'assistant', 'parts', jsonb_build_array(p.body || c.more))),
  false, format('%s with %s is refused', p.name, c.more)
)
from (values
  ('text', jsonb '{"state": "finished"}'),
  ('text', '{"type": ""}'),
  ('text', '{"type": "custom"}'),
  ('text', '{"type": "tool-"}'),
  ('reasoning', '{"state": ""}'),
  ('text', '{"type": "reasoning-file"}'),
  ('text', '{"type": "steering-message"}'),
  ('text', '{"type": "dynamic-tool"}'),
  ('dynamic input-available', '{"dynamic": true}'),
  ('dynamic input-available', '{"dynamic": [false]}'),
  ('tool input-streaming', '{"rawInput": 1}'),
  ('tool input-streaming', '{"output": 1}'),
  ('tool input-streaming', '{"output": null}'),
  ('tool input-streaming', '{"errorText": "e"}'),
  ('tool input-streaming', '{"approval": {"id": "i"}}'),
  ('tool input-available', '{"output": 1}'),
  ('tool input-available', '{"output": null}'),
  ('tool input-available', '{"errorText": "e"}'),
  ('tool input-available', '{"approval": {"id": "i"}}'),
  ('tool input-available', '{"state": "output-error"}'),
  ('tool input-available', '{"state": "done"}'),
  ('tool output-available', '{"errorText": "e"}'),
  ('tool output-available', '{"approval": {"id": "i", "approved": false}}'),
  ('tool output-available', '{"approval": [{"id": "i", "approved": true}]}'),
  ('tool output-available', '{"approval": {"id": "i", "approved": [true]}}'),
  ('tool output-error', '{"output": 1}'),
  ('tool output-error', '{"output": null}'),
  ('tool output-error', '{"approval": {"id": "i", "approved": false}}'),
  ('tool approval-requested', '{"approval": {"id": "i", "approved": true}}'),
  ('tool approval-requested', '{"approval": {"id": "i", "reason": "r"}}'),
  ('tool approval-requested', '{"output": 1}'),
  ('tool approval-responded', '{"output": 1}'),
  ('tool approval-responded', '{"errorText": "e"}'),
  ('tool output-denied', '{"approval": {"id": "i", "approved": true}}'),
  ('tool output-denied', '{"approval": {"id": "i", "approved": [false]}}'),
  ('tool output-denied', '{"output": 1}')
) as c (name, more)
join part as p using (name);

-- A part of an unknown type belongs to a newer SDK, which decides what is in it.
select is(
  pgthreads.ui_message_fault(jsonb_build_object(
    'id', 'i', 'role', 'assistant', 'parts', jsonb_build_array(c.part::jsonb))),
  null, format('%s is accepted', c.part)
)
from (values
  ('{"type": "Text"}'),
  ('{"type": "hologram", "of": [null, 1, {"deep": []}]}'),
  ('{"type": "tooling", "state": 7, "providerMetadata": 8}'),
  ('{"type": "file", "mediaType": "image/png", "url": "/api/files/1"}'),
  ('{"type": "dynamic-tool", "toolName": "t", "toolCallId": "c", "state": "output-available",
    "approval": 1}')
) as c (part);

select * from finish();
rollback;
