/** The URLs of the distribution protocol. Source: OCI Distribution 1.1, «Endpoints». */
import type { Digest } from '../image/digest.ts';

export const endpoints = {
  ping: (origin: string) => new URL('/v2/', origin),
  catalog: (origin: string, n: number) => new URL(`/v2/_catalog?n=${n}`, origin),
  tags: (origin: string, path: string, n: number) =>
    new URL(`/v2/${path}/tags/list?n=${n}`, origin),
  /** Google's, which has no pages. */
  allTags: (origin: string, path: string) => new URL(`/v2/${path}/tags/list`, origin),
  zotSearch: (origin: string) => new URL('/v2/_zot/ext/search', origin),
  manifest: (origin: string, path: string, reference: string) =>
    new URL(`/v2/${path}/manifests/${reference}`, origin),
  /** Azure's own. */
  acrTag: (origin: string, path: string, tag: string) =>
    new URL(`/acr/v1/${path}/_tags/${tag}`, origin),
  blob: (origin: string, path: string, digest: Digest) =>
    new URL(`/v2/${path}/blobs/${digest}`, origin),
  uploads: (origin: string, path: string) => new URL(`/v2/${path}/blobs/uploads/`, origin),
  mount: (origin: string, path: string, { digest, from }: { digest: Digest; from: string }) =>
    new URL(`/v2/${path}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`, origin),
  referrers: (origin: string, path: string, digest: Digest) =>
    new URL(`/v2/${path}/referrers/${digest}`, origin),
};
