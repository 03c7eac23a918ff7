/**
 * Faults as data: what a server does wrong, to which requests, and how often.
 */
import { empty, type Reply } from './reply.ts';

/** What goes wrong. */
export type FaultEffect =
  /** Answers this without doing what was asked; `afterRead`: once so many bytes of the body have come. */
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly afterRead?: number;
    }
  /** Destroys the socket before answering; what was asked is not done. */
  | { readonly reset: true; readonly afterRead?: number }
  /** Does what was asked, but destroys the socket: before the answer, or within its head. */
  | { readonly lose: 'answer' | 'half the head' }
  /**
   * Answers properly, but destroys the socket after so many bytes of the body. Without a
   * Content-Length it is in chunks, of which the last is missing, or ends where the connection does.
   */
  | { readonly cutAfter: number; readonly framing?: 'chunked' | 'close' }
  /** Answers properly, but sends no more after so many bytes of the body; the socket stays open. */
  | { readonly stallAfter: number }
  /** Answers properly, but the Content-Length is so much too large, and the connection ends; or too small. */
  | { readonly lengthOff: number }
  /** Answers properly, but so many bytes of the body at a time, with a pause before each. */
  | { readonly trickle: number; readonly pauseMs: number }
  /** Flips a bit of the body's first or last byte, or makes it a byte shorter or longer. */
  | { readonly corrupt: 'first' | 'last' | 'short' | 'long' }
  /** Answers properly, but later. */
  | { readonly delayMs: number }
  /** Answers 307 to there without doing what was asked. */
  | { readonly redirect: string }
  /** Answers 307 to the same path at this origin without doing what was asked. */
  | { readonly elsewhere: string }
  /** Answers properly, but with this Docker-Content-Digest. */
  | { readonly digestHeader: string }
  /** Never answers; the socket stays open until the client or `close` ends it. */
  | { readonly stall: true }
  /** Answers 200, or another status, with a body that begins like this and ends after 256 MiB only. */
  | {
      readonly endless: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Writes this instead of an answer, and closes the connection. */
  | { readonly raw: string };

export interface Fault {
  /** Which requests: all unless narrowed. The path is tested with its query. */
  readonly match: { readonly method?: string; readonly path?: RegExp };
  /** How many of them, `Infinity` for all; 1 unless given. */
  readonly times?: number;
  /** How many matching requests go well before. */
  readonly skip?: number;
  readonly effect: FaultEffect;
}

/**
 * The faults still to come. A request meets at most one: the first in the list that matches it and is
 * neither skipping nor used up. Every fault before that one has counted the request as skipped.
 */
export class FaultPlan {
  #pending: { readonly fault: Fault; skip: number; times: number }[] = [];

  /** Replaces the plan. */
  set(faults: readonly Fault[]): void {
    this.#pending = faults.map((fault) => ({
      fault,
      skip: fault.skip ?? 0,
      times: fault.times ?? 1,
    }));
  }

  /** What is to go wrong with this request. */
  next(method: string, path: string): FaultEffect | undefined {
    for (const pending of this.#pending) {
      const { match, effect } = pending.fault;
      if (match.method !== undefined && match.method !== method) continue;
      if (match.path !== undefined && path.search(match.path) < 0) continue;
      if (pending.times <= 0) continue;
      if (pending.skip > 0) {
        pending.skip--;
        continue;
      }
      pending.times--;
      return effect;
    }
    return undefined;
  }
}

/** The answer given instead of doing what was asked. */
export function insteadOf(effect: FaultEffect, path: string): Reply | undefined {
  if ('elsewhere' in effect) return empty(307, { Location: new URL(path, effect.elsewhere).href });
  if ('redirect' in effect) return empty(307, { Location: effect.redirect });
  if (!('status' in effect) || 'endless' in effect) return undefined;
  const { status, headers = {}, body = '' } = effect;
  return { status, headers, body: Buffer.from(body) };
}

/** A proper answer with the fault put into it. */
export function spoiled(reply: Reply, effect: FaultEffect): Reply {
  if ('digestHeader' in effect) {
    return {
      ...reply,
      headers: { ...reply.headers, 'Docker-Content-Digest': effect.digestHeader },
    };
  }
  if ('corrupt' in effect && reply.body !== undefined) {
    return { ...reply, body: corrupted(reply.body, effect.corrupt) };
  }
  return reply;
}

function corrupted(body: Buffer, how: 'first' | 'last' | 'short' | 'long'): Buffer {
  if (how === 'short') return body.subarray(0, -1);
  if (how === 'long') return Buffer.concat([body, Buffer.from('x')]);
  const copy = Buffer.from(body);
  const at = how === 'first' ? 0 : copy.length - 1;
  if (copy.length > 0) copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}
