import pg from 'pg';

const STATUS: Record<string, number> = {
  THTEN: 403,
  THKEY: 400,
  THMSG: 400,
  THCNT: 409,
  THSHR: 409,
  THSTL: 409,
  THDUP: 409,
  THTRN: 409,
  THLST: 409,
  THDEL: 410,
  THNON: 404,
  THMAX: 413,
  THBSY: 429,
};

/** The response to a call that the database refused, by its SQLSTATE; throws any other error. */
export function refusal(error: unknown): Response {
  const status = error instanceof pg.DatabaseError && STATUS[error.code ?? ''];
  if (!status) throw error;
  return Response.json({ error: error.message, code: error.code, hint: error.hint }, { status });
}
