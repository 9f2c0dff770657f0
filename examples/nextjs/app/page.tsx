import { generateId } from 'ai';
import { redirect } from 'next/navigation';
import { connection } from 'next/server';

export default async function Page() {
  await connection(); // a key for each request, none for the build
  redirect(`/chat/${generateId()}`);
}
