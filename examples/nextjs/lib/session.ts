/**
 * The authenticated user's id, which owns the threads. Put your session here, for instance
 * `(await auth())?.user.id`; never take it from the request's body.
 */
export async function ownerOf(_request?: Request): Promise<string> {
  if (process.env.NODE_ENV === 'production') throw new Error('lib/session.ts has no users yet');
  return 'dev';
}
