/**
 * What the endpoints of the emulated Azure Container Registry share.
 */
import type { RegistryState } from '../registry/endpoint.ts';
import type { Exchange } from '../registry/listener.ts';
import type { Reply } from '../registry/reply.ts';
import type { Scope } from '../registry/scopes.ts';
import type { Metadata } from './metadata.ts';
import type { BlobStorage } from './storage.ts';

export interface AcrState extends RegistryState {
  readonly metadata: Metadata;
  readonly blobStorage: BlobStorage;
  /** Pages of more items than this are answered with 502. */
  readonly breaksAbove: number;
  /** How many PUTs of each manifest come too early for the replica they come to. */
  readonly geoLag: number;
  /** How many came already, by repository and digest. */
  readonly earlyPuts: Map<string, number>;
  /** In bytes, by digest: of blobs whose bytes were not kept. */
  readonly discardedSizes: Map<string, number>;
}

/** A request taken apart. */
export interface AcrCall {
  readonly exchange: Exchange;
  /** The registry's own name, `gsoci.azurecr.io`. */
  readonly registry: string;
  /** Repository; empty where there is none. */
  readonly name: string;
  /** Tag, digest or upload; empty where there is none. */
  readonly reference: string;
}

export interface AcrEndpoint {
  readonly needs: (call: AcrCall) => readonly Scope[];
  readonly answer: (state: AcrState, call: AcrCall) => Reply | Promise<Reply>;
}
