import { ownerOf } from '../../../lib/session.ts';
import { loadThread } from '../../../lib/threads.ts';
import { Chat } from './chat.tsx';

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <Chat id={id} stored={await loadThread(await ownerOf(), id)} />;
}
