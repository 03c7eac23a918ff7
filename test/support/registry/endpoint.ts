/**
 * What the registry's endpoints share: the state they work on and the shape of a call.
 */
import type { Exchange } from './listener.ts';
import type { PushRules } from './push-rules.ts';
import type { Reply } from './reply.ts';
import type { Store } from './store.ts';
import type { Uploads } from './upload.ts';

/** How the registry behaves, with nothing left open. */
export interface Behaviour {
  readonly pageSize: number | undefined;
  readonly maxPageSize: number;
  readonly aboveMaxPageSize: 'clamp' | 'reject' | 'unsupported';
  readonly tagsListPaging: boolean;
  readonly tagOrder: 'lexical' | 'oldest first';
  readonly strictCursor: boolean | undefined;
  readonly catalog: 'open' | 'denied' | 'forbidden' | 'missing';
  readonly referrersApi: boolean | string;
  readonly mount: 'works' | 'within namespace' | 'declined' | number;
  readonly oddPatch: boolean | undefined;
  readonly configTypes: readonly string[] | undefined;
  readonly maxChunkBytes: number;
  readonly pushRules: PushRules | undefined;
  readonly missingDetail: 'object' | 'string';
  readonly tagDeletion: 'alone' | 'refused' | 'image' | 'nothing';
  readonly tagsHoldManifests: boolean;
  readonly trusting: boolean;
  /** The status of MANIFEST_BLOB_UNKNOWN. */
  readonly missingStatus: number;
}

export interface RegistryState {
  readonly store: Store;
  readonly uploads: Uploads;
  readonly behaviour: Behaviour;
  /** Where blobs are redirected to, if they are: the URL that a digest is appended to. */
  readonly storage: URL | undefined;
}

/** A request taken apart. */
export interface Call {
  readonly exchange: Exchange;
  /** Repository; empty where there is none. */
  readonly name: string;
  /** Tag, digest or upload; empty where there is none. */
  readonly reference: string;
}

export type Endpoint = (state: RegistryState, call: Call) => Reply | Promise<Reply>;

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether it is a digest that this registry can check. */
export function isDigest(reference: string): boolean {
  return DIGEST.test(reference);
}

/** The part of a digest that names the algorithm. */
export function algorithmOf(digest: string): string {
  return digest.slice(0, digest.indexOf(':'));
}
