/** Reads `Retry-After`. Source: RFC 9110 §10.2.3. */

/** How long to wait from `now` (milliseconds since the epoch): milliseconds, or `undefined` when the value says nothing. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined; // Date.parse reads far more than dates
  // The third form of a date, of asctime(), says nothing of its zone, which is always GMT.
  const date = Date.parse(text.includes(',') ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
