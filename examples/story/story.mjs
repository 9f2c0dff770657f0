// The story in JavaScript, with pg: npm install && node story.mjs

import pg from 'pg';

const pool = new pg.Pool();
const owner = 'ada';

// Each call is one statement, which is one transaction: the tenant is set for this statement only.
async function append(key, messages, expectedCount = null) {
  const { rows } = await pool.query(
    `select a.state_key, a.message_count, a.appended
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.append_thread(t.owner, $2, $3, $4) as a`,
    [owner, key, JSON.stringify(messages), expectedCount],
  );
  return rows[0];
}

async function load(key) {
  const { rows } = await pool.query(
    `select l.messages
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.load_thread(t.owner, $2) as l(messages)`,
    [owner, key],
  );
  return rows[0].messages;
}

async function list() {
  const { rows } = await pool.query(
    `select s.title, s.message_count
     from pgthreads.set_tenant($1) as t(owner), lateral pgthreads.list_threads(t.owner) as s`,
    [owner],
  );
  return rows;
}

async function remove(key) {
  const { rows } = await pool.query(
    `select d.deleted
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.soft_delete_thread(t.owner, $2) as d(deleted)`,
    [owner, key],
  );
  return rows[0].deleted;
}

const text = (id, role, words) => ({ id, role, parts: [{ type: 'text', text: words }] });

async function tell() {
  const created = await append(null, [text('q1', 'user', 'Which mountain is the highest?')]);
  const key = created.state_key;
  console.log(`created: key of ${key.length} characters, count ${created.message_count}`);

  const answer = text('a1', 'assistant', 'Mount Everest, with 8,849 m.');
  for (const step of ['answered', 'repeated']) {
    const { appended, message_count } = await append(key, [answer], 1);
    console.log(`${step}: appended ${appended}, count ${message_count}`);
  }

  const question = text('q2', 'user', 'And the second highest?');
  try {
    await append(key, [question], 1);
  } catch (error) {
    if (error.code !== 'THCNT') throw error;
    console.log(`conflict: ${error.code}, loaded again`);
    const { length } = await load(key);
    const { appended, message_count } = await append(key, [question], length);
    console.log(`resolved: appended ${appended}, count ${message_count}`);
  }

  for (const { role, parts } of await load(key)) console.log(`  ${role}: ${parts[0].text}`);
  for (const { title, message_count } of await list()) {
    console.log(`listed: ${title} (${message_count})`);
  }
  console.log(`deleted: ${await remove(key)}`);

  try {
    await append(key, [question]);
  } catch (error) {
    if (error.code !== 'THDEL') throw error;
    console.log(`refused: ${error.code}, nothing appended`);
  }
  console.log(`left: ${(await load(key)).length} messages, ${(await list()).length} threads`);
}

try {
  await tell();
} finally {
  await pool.end();
}
