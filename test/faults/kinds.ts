/** The classes of requests that a sync makes, and which of its requests for `APP` are of each. */
import { APP, LARGE } from './scene.ts';

export type Side = 'source' | 'target';

export interface Kind {
  readonly name: string;
  readonly side: Side;
  readonly match: { readonly method?: string; readonly path: RegExp };
  /** Its answer has a body that is read. */
  readonly hasBody?: boolean;
  /** It writes: it is neither redirected nor taken for done by any 2xx. */
  readonly writes?: boolean;
  /** It sends a stream, which is sent once and begun anew. */
  readonly streams?: boolean;
  /** Needs the large layer. */
  readonly large?: boolean | undefined;
  /** Needs what is attached to the image to be at the target before. */
  readonly attached?: boolean | undefined;
}

const app = (rest: string): RegExp => new RegExp(`^/v2/${APP}/${rest}`);

const SOURCE: readonly Omit<Kind, 'side'>[] = [
  { name: 'ping', match: { path: /^\/v2\/$/ } },
  { name: 'token', match: { path: /^\/token\?.*acme%2Fapp%3Apull(?:&|$)/ }, hasBody: true },
  { name: 'tags list', match: { path: app('tags/list') }, hasBody: true },
  { name: 'manifest HEAD', match: { method: 'HEAD', path: app('manifests/') } },
  { name: 'manifest GET', match: { method: 'GET', path: app('manifests/') }, hasBody: true },
  { name: 'blob GET', match: { method: 'GET', path: app('blobs/') }, hasBody: true },
  { name: 'referrers', match: { path: app('referrers/') }, hasBody: true },
];

const TARGET: readonly Omit<Kind, 'side'>[] = [
  { name: 'ping', match: { path: /^\/v2\/$/ } },
  { name: 'token', match: { path: /^\/token\?.*acme%2Fapp%3Apull%2Cpush/ }, hasBody: true },
  { name: 'manifest HEAD', match: { method: 'HEAD', path: app('manifests/') } },
  { name: 'blob HEAD', match: { method: 'HEAD', path: app('blobs/') } },
  { name: 'mount', match: { method: 'POST', path: /\?mount=/ } },
  { name: 'upload POST', match: { method: 'POST', path: app('blobs/uploads/$') }, writes: true },
  {
    name: 'upload PATCH',
    match: { method: 'PATCH', path: app('') },
    writes: true,
    streams: true,
    large: true,
  },
  {
    name: 'upload PUT',
    match: { method: 'PUT', path: app('blobs/') },
    writes: true,
    streams: true,
  },
  {
    name: 'closing PUT',
    match: { method: 'PUT', path: new RegExp(`^/v2/${APP}/blobs/.*${LARGE.digest}`) },
    writes: true,
    large: true,
  },
  { name: 'manifest PUT', match: { method: 'PUT', path: app('manifests/') }, writes: true },
  { name: 'referrers', match: { path: app('referrers/') }, attached: true },
];

export const KINDS: readonly Kind[] = [
  ...SOURCE.map((kind) => Object.assign(kind, { side: 'source' as const })),
  ...TARGET.map((kind) => Object.assign(kind, { side: 'target' as const })),
];
