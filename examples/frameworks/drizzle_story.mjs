// The story in Drizzle with node-postgres: npm install && node drizzle_story.mjs

import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';

const pool = new pg.Pool();
const db = drizzle(pool);
const owner = 'ada';

// Each call is one statement, which is one transaction. Inside of db.transaction() pass its tx.
async function append(key, messages, expectedCount = null) {
  const { rows } = await db.execute(sql`
    select a.state_key, a.message_count, a.appended
    from pgthreads.set_tenant(${owner}) as t(owner),
      lateral pgthreads.append_thread(
        t.owner, ${key}, ${JSON.stringify(messages)}, ${expectedCount}) as a`);
  return rows[0];
}

async function load(key) {
  const { rows } = await db.execute(sql`
    select l.messages
    from pgthreads.set_tenant(${owner}) as t(owner),
      lateral pgthreads.load_thread(t.owner, ${key}) as l(messages)`);
  return rows[0].messages;
}

async function list() {
  const { rows } = await db.execute(sql`
    select s.title, s.message_count
    from pgthreads.set_tenant(${owner}) as t(owner), lateral pgthreads.list_threads(t.owner) as s`);
  return rows;
}

async function remove(key) {
  const { rows } = await db.execute(sql`
    select d.deleted
    from pgthreads.set_tenant(${owner}) as t(owner),
      lateral pgthreads.soft_delete_thread(t.owner, ${key}) as d(deleted)`);
  return rows[0].deleted;
}

// Drizzle wraps what the driver throws: code, detail and hint are those of the cause.
const sqlstate = (error) => error.cause?.code;

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
    if (sqlstate(error) !== 'THCNT') throw error;
    console.log(`conflict: ${sqlstate(error)}, loaded again`);
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
    if (sqlstate(error) !== 'THDEL') throw error;
    console.log(`refused: ${sqlstate(error)}, nothing appended`);
  }
  console.log(`left: ${(await load(key)).length} messages, ${(await list()).length} threads`);
}

try {
  await tell();
} finally {
  await pool.end();
}
