begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_user_message', array['jsonb']::name[],
  'jsonb', false, 'stable', false
);

select * from finish();
rollback;
