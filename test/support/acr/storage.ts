/**
 * The blob storage behind the registry: another origin, which takes signed URLs until they expire and
 * refuses whoever shows credentials besides.
 *
 * Sources: Azure Storage, «Service SAS»; the redirects recorded with Azure/azure-sdk-for-js.
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';

import { ranged, storageError } from '../registry/blobs.ts';
import type { Exchange } from '../registry/listener.ts';
import type { Reply } from '../registry/reply.ts';
import type { Store } from '../registry/store.ts';

export interface BlobStorageOptions {
  readonly store: Store;
  /** How long a URL holds. */
  readonly sasSeconds: number;
  /** The clock, in ms. */
  readonly now: () => number;
}

const ACCOUNT = 'df5a80a5cb57435d8ae8597be148f036-dpwt5reg3l';

export class BlobStorage {
  readonly #options: BlobStorageOptions;
  readonly #key = randomBytes(32);

  constructor(options: BlobStorageOptions) {
    this.#options = options;
  }

  /** The path and the query under which a blob is to be had for a while. */
  signedPath(digest: string): string {
    const [algorithm = '', hex = ''] = digest.split(':');
    const path = `/${ACCOUNT}//docker/registry/v2/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
    const until = this.#options.now() + this.#options.sasSeconds * 1000;
    const se = new Date(until).toISOString();
    const query = new URLSearchParams({ se, sig: this.#sign(path, se), sp: 'r', spr: 'https' });
    return `${path}?${query}&sr=b&sv=2016-05-31&regid=df5a80a5cb57435d8ae8597be148f036`;
  }

  readonly handle = (exchange: Exchange): Reply => {
    const reply = this.#answer(exchange);
    const headers = {
      Server: 'Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0',
      'x-ms-request-id': randomUUID(),
      'x-ms-version': '2016-05-31',
      ...reply.headers,
    };
    return { ...reply, headers };
  };

  #answer(exchange: Exchange): Reply {
    const { pathname, searchParams } = exchange.url;
    if (exchange.headers.authorization !== undefined) return storageError(400, 'InvalidArgument');
    const se = searchParams.get('se') ?? '';
    const isSigned = searchParams.get('sig') === this.#sign(pathname, se);
    if (!isSigned || Date.parse(se) <= this.#options.now()) {
      return storageError(403, 'AuthenticationFailed');
    }
    const [, algorithm = '', hex = ''] = /\/blobs\/(\w+)\/\w\w\/(\w+)\/data$/.exec(pathname) ?? [];
    const bytes = this.#options.store.blobs.get(`${algorithm}:${hex}`);
    if (bytes === undefined) return storageError(404, 'BlobNotFound');
    return ranged(bytes, exchange, {
      ETag: `"0x8DB${hex.slice(0, 12).toUpperCase()}"`,
      'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
      'x-ms-blob-type': 'AppendBlob',
      'x-ms-lease-state': 'available',
      'x-ms-lease-status': 'unlocked',
      'x-ms-server-encrypted': 'true',
    });
  }

  #sign(path: string, se: string): string {
    return createHmac('sha256', this.#key).update(`${path}\n${se}`).digest('base64');
  }
}
