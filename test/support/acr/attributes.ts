/**
 * The body of a PATCH: a subset of the four booleans.
 *
 * Source: the API of version 2021-07-01, `changeableAttributes`.
 */
import { refusal, type Reply } from '../registry/reply.ts';
import type { Properties } from './metadata.ts';
import type { AcrCall } from './state.ts';

const NAMES = ['deleteEnabled', 'writeEnabled', 'readEnabled', 'listEnabled'] as const;

/** Takes over what the request's body says. The refusal of one that can't be read. */
export async function patchedAttributes(
  { attributes }: Properties,
  { exchange }: AcrCall,
): Promise<Reply | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.body) chunks.push(chunk);
  const asked = readObject(Buffer.concat(chunks).toString());
  if (asked === undefined) {
    return refusal(400, { code: 'UNSUPPORTED', message: 'the body is no JSON object' });
  }
  for (const name of NAMES) {
    const value = asked[name];
    if (typeof value === 'boolean') attributes[name] = value;
  }
  return undefined;
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
