/** Reads answers of registries that are JSON objects. */
import { RegistrySyncError } from '../base/errors.ts';
import { readBody, type HttpResponse } from '../http/send.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import { tryParseDigest, type Digest } from '../image/digest.ts';

/**
 * Reads a body of at most `maxBytes`.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is longer or no JSON object.
 */
export async function readJson(
  response: HttpResponse,
  maxBytes: number,
  what: string,
): Promise<JsonObject> {
  const bytes = await readBody(response, maxBytes, what);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', `${what}: the answer is no JSON`, { cause });
  }
  if (isObject(json)) return json;
  throw new RegistrySyncError('PROTOCOL', `${what}: the answer is no JSON object`);
}

/** Each object of a list; what is missing or of another kind is nothing. */
export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function digestIn(value: unknown): Digest | undefined {
  return typeof value === 'string' ? tryParseDigest(value) : undefined;
}
