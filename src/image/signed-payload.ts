/**
 * Docker's signed schema 1 manifests: their digest is that of what was signed, not of their bytes.
 *
 * Source: Docker «Image Manifest Version 2, Schema 1», section «Signed Manifests».
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject } from './descriptor.ts';

/**
 * The bytes that were signed; `undefined` when the manifest is none of that kind. Signatures are not
 * checked.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when the signatures do not say what they are of.
 */
export function signedPayload(bytes: Uint8Array): Uint8Array | undefined {
  const json = tryParse(Buffer.from(bytes).toString('utf8'));
  if (!isObject(json) || json.schemaVersion !== 1 || json.signatures === undefined) {
    return undefined;
  }
  const signatures: unknown[] = Array.isArray(json.signatures) ? json.signatures : [];
  const payloads = signatures.map((signature) => payloadOf(signature, bytes));
  const [first] = payloads;
  if (first !== undefined && payloads.every((one) => one?.equals(first))) return first;
  throw new RegistrySyncError('PROTOCOL', 'manifest is malformed: its signatures are of nothing');
}

function payloadOf(signature: unknown, bytes: Uint8Array): Buffer | undefined {
  if (!isObject(signature) || typeof signature.protected !== 'string') return undefined;
  const header = tryParse(Buffer.from(signature.protected, 'base64url').toString('utf8'));
  if (!isObject(header)) return undefined;
  const { formatLength, formatTail } = header;
  const isWithin = Number.isSafeInteger(formatLength) && (formatLength as number) >= 0;
  if (!isWithin || (formatLength as number) > bytes.byteLength) return undefined;
  if (typeof formatTail !== 'string') return undefined;
  const tail = Buffer.from(formatTail, 'base64url');
  return Buffer.concat([bytes.subarray(0, formatLength as number), tail]);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
