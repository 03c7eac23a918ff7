/**
 * When a server wants to be asked again.
 *
 * Sources: RFC 9110 §10.2.3 for `Retry-After`; Docker Hub's API for `X-Retry-After`, a UNIX time;
 * Azure's REST guidelines for `retry-after-ms` and `x-ms-retry-after-ms`.
 */
import { header, type HttpResponse } from './send.ts';

/**
 * The wait that an answer asks for: milliseconds, or `undefined` when it asks for none.
 *
 * @param now milliseconds since the epoch, by our clock.
 */
export function retryAfterOf(response: HttpResponse, now: number): number | undefined {
  const milliseconds =
    header(response, 'retry-after-ms') ?? header(response, 'x-ms-retry-after-ms');
  if (milliseconds !== undefined && /^\d{1,10}$/.test(milliseconds)) return Number(milliseconds);
  // A date is meant by the clock of the server, which may differ from ours.
  const date = Date.parse(header(response, 'date') ?? '');
  const serverNow = Number.isNaN(date) ? now : date;
  const asked = parseRetryAfter(header(response, 'retry-after'), serverNow);
  if (asked !== undefined) return asked;
  const at = header(response, 'x-retry-after');
  if (at === undefined || !/^\d{10,11}$/.test(at)) return undefined;
  return Math.max(0, Number(at) * 1000 - serverNow);
}

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
