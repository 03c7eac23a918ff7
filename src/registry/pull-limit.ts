/**
 * A registry that counts pulls and says that there are none left: no wait of seconds helps, and each
 * further try may count too.
 *
 * Source: https://docs.docker.com/docker-hub/usage/pulls/. (What Docker Hub answers to too many
 * requests of any kind is plain text, and passes.)
 */
import { Readable } from 'node:stream';

import { RegistrySyncError } from '../base/errors.ts';
import { pullLimitOf } from '../http/traffic.ts';
import { retryAfterOf } from '../http/retry-after.ts';
import { header, readBody, type HttpRequest, type HttpResponse } from '../http/send.ts';

const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Looks at an answer of 429 and hands it on as if unread.
 *
 * @throws {RegistrySyncError} `RATE_LIMITED` with `details.isSpent` when the pulls are used up.
 */
export async function checkPullLimit(
  { url }: HttpRequest,
  refusal: HttpResponse,
): Promise<HttpResponse> {
  if (!header(refusal, 'content-type')?.includes('json')) return refusal;
  let bytes: Uint8Array;
  try {
    bytes = await readBody(refusal, MAX_REFUSAL_BYTES, 'refusal');
  } catch {
    bytes = new Uint8Array(0); // what is cut short, or too long, says nothing
  }
  const isSpent = /\bpull rate limit\b/i.test(Buffer.from(bytes).toString('utf8'));
  if (!isSpent) return { ...refusal, body: Readable.from([bytes], { objectMode: true }) };
  const limit = pullLimitOf(refusal);
  const waitMs = retryAfterOf(refusal, Date.now()) ?? (limit?.windowSeconds ?? 0) * 1000;
  const counted = limit === undefined ? '' : ` (${limit.limit} in ${hours(limit.windowSeconds)})`;
  const when = waitMs > 0 ? `come back in ${hours(waitMs / 1000)} at the latest, or ` : '';
  const message = `${url.host}: the pull limit is used up${counted}: ${when}log in with an account that may pull more`;
  throw new RegistrySyncError('RATE_LIMITED', message, {
    details: { status: 429, isSpent: true, ...(waitMs > 0 && { retryAfterMs: waitMs }) },
  });
}

function hours(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
