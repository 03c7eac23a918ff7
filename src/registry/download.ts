/** A blob as one stream, whatever happens to the connection. Source: RFC 9110 §14, «Range Requests». */
import { isRetryable, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { backoffMs } from '../http/retry.ts';
import { asHttpError, discard, header, type HttpResponse } from '../http/send.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { RegistryClient, RegistryRequest } from './client.ts';

/** A connection that brought so much before it broke counts as a new start. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * The bytes of a blob, from wherever the registry keeps it. After a broken connection the rest is
 * asked for at the registry again, as a signed link of a storage host may have expired.
 *
 * @param request asks for the whole blob.
 * @throws {RegistrySyncError} `UNAVAILABLE` when it broke too often without progress.
 */
export async function* download(
  client: RegistryClient,
  request: RegistryRequest,
  target: Descriptor,
): AsyncGenerator<Uint8Array, void, void> {
  const what = `blob ${target.digest}`;
  let offset = 0;
  for (let attempt = 1, since = 0; ; attempt += 1) {
    const response = await openAt(client, request, what, offset);
    let failure: unknown;
    try {
      for await (const chunk of bytesFrom(response, offset)) {
        offset += chunk.byteLength;
        yield chunk;
      }
      if (offset >= target.size) return;
      // Bodies without Content-Length end early in silence.
      failure = new RegistrySyncError('UNAVAILABLE', `${what} broke off at byte ${offset}`);
    } catch (error) {
      failure = asHttpError(error, `${what} at byte ${offset}`);
    }
    throwIfAborted(request.signal);
    if (offset === target.size) return; // it broke behind the last byte
    if (offset - since >= PROGRESS_BYTES) attempt = 1;
    since = offset;
    if (!isRetryable(failure) || attempt > client.retry.times) throw failure;
    client.log.debug({ digest: target.digest, offset, attempt }, 'download is resumed');
    await client.clock.sleep(backoffMs(client.retry, attempt), request.signal);
  }
}

async function openAt(
  client: RegistryClient,
  request: RegistryRequest,
  what: string,
  offset: number,
): Promise<HttpResponse> {
  const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const response = await client.expect([200, 206], what, { ...request, headers });
  if (response.status === 206) await checkRange(response, what, offset);
  return response;
}

async function* bytesFrom(
  { status, body }: HttpResponse,
  offset: number,
): AsyncGenerator<Uint8Array, void, void> {
  let skip = status === 200 ? offset : 0; // a server may ignore Range
  for await (const chunk of body) {
    if (skip >= chunk.byteLength) {
      skip -= chunk.byteLength;
      continue;
    }
    yield skip === 0 ? chunk : chunk.subarray(skip);
    skip = 0;
  }
}

async function checkRange(response: HttpResponse, what: string, offset: number): Promise<void> {
  const range = header(response, 'content-range') ?? '';
  if (new RegExp(`^bytes ${offset}-`).test(range)) return;
  await discard(response);
  const message = `${what}: asked for bytes from ${offset}, was sent ${JSON.stringify(range)}`;
  throw new RegistrySyncError('PROTOCOL', message);
}
