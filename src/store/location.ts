/**
 * Where an image is, as skopeo writes it: `docker://host/path:tag`, `dir:path`, `oci:path:name`, …
 *
 * Source: containers-transports(5).
 */
import { RegistrySyncError } from '../base/errors.ts';
import { tryParseDigest } from '../image/digest.ts';
import {
  DOCKER_HUB,
  isRepositoryPath,
  parseRegistry,
  repositoryPath,
  type Reference,
} from '../image/reference.ts';

export type Location =
  /** Without a tag and a digest: a repository. */
  | { readonly transport: 'docker'; readonly reference: Reference }
  | { readonly transport: 'dir'; readonly path: string }
  | OciLocation
  | ArchiveLocation
  /** What a Docker daemon holds: `reference` as `host/path:tag` in its short or long form, or an image id. */
  | { readonly transport: 'docker-daemon'; readonly reference: string };

export interface OciLocation {
  readonly transport: 'oci' | 'oci-archive';
  readonly path: string;
  /** The annotation `org.opencontainers.image.ref.name`. */
  readonly name?: string;
  /** Which entry of index.json, from 0. */
  readonly index?: number;
}

export interface ArchiveLocation {
  readonly transport: 'docker-archive';
  readonly path: string;
  /** `host/path:tag`, in full. */
  readonly reference?: string;
  /** Which image of the archive, from 0. */
  readonly index?: number;
}

export type StoreLocation = Exclude<Location, { transport: 'docker' }>;
export type Transport = Location['transport'];

/** Transports that skopeo has and we don't, with what to do instead. */
const OTHERS: Readonly<Record<string, string>> = {
  'containers-storage':
    'podman and CRI-O keep images in a form of their own: push from there with «podman push», or go by «podman save» and docker-archive: or oci-archive:',
  atomic: 'use docker:// with the registry of OpenShift',
  ostree: 'it was given up by skopeo too',
  sif: 'use oci: and convert with singularity',
  tarball: 'use docker-archive: or oci-archive:',
};

/**
 * Reads a location.
 *
 * @throws {RegistrySyncError} `USAGE` that says which transports there are, or what is wrong.
 */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(':');
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  switch (transport) {
    case 'docker':
      return { transport, reference: parseDockerReference(text, rest) };
    case 'dir':
      if (rest === '') throw wrong(text, 'has no path');
      return { transport, path: rest };
    case 'oci':
    case 'oci-archive':
      return readOci(transport, text, rest);
    case 'docker-archive':
      return readArchive(text, rest);
    case 'docker-daemon':
      return { transport, reference: daemonReference(text, rest) };
    default:
      throw unknown(text, transport);
  }
}

export function formatLocation(location: Location): string {
  const { transport } = location;
  switch (transport) {
    case 'docker': {
      const { registry, path, tag, digest } = location.reference;
      const version =
        (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
      return `docker://${registry}/${path}${version}`;
    }
    case 'dir':
      return `dir:${location.path}`;
    case 'docker-daemon':
      return `docker-daemon:${location.reference}`;
    default: {
      const name = transport === 'docker-archive' ? location.reference : location.name;
      const which = location.index === undefined ? name : `@${location.index}`;
      return `${transport}:${location.path}${which === undefined ? '' : `:${which}`}`;
    }
  }
}

/**
 * Reads `host/path[:tag][@digest]` with Docker's short forms: `busybox` is `docker.io/library/busybox`.
 * Neither a tag nor a digest is made up.
 */
export function parseNamed(text: string): Reference | undefined {
  const [, name = '', tag, digestText] =
    /^([^@]*?)(?::([A-Za-z0-9_][\w.-]{0,127}))?(?:@(.+))?$/.exec(text) ?? [];
  const digest = digestText === undefined ? undefined : tryParseDigest(digestText);
  if (digestText !== undefined && digest === undefined) return undefined;
  const { host, rest } = splitHost(name);
  const registry = parseRegistry(host);
  const path = repositoryPath(registry, rest);
  if (!isRepositoryPath(path)) return undefined;
  return {
    registry,
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** What is before the first slash is a host when it looks like one. */
function splitHost(name: string): { readonly host: string; readonly rest: string } {
  const first = name.slice(0, Math.max(name.indexOf('/'), 0));
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  return isHost
    ? { host: first, rest: name.slice(first.length + 1) }
    : { host: DOCKER_HUB, rest: name };
}

function parseDockerReference(text: string, rest: string): Reference {
  if (!rest.startsWith('//')) throw wrong(text, 'begins with docker://');
  const reference = parseNamed(rest.slice(2));
  if (reference === undefined) throw wrong(text, 'is no reference: write docker://HOST/PATH[:TAG]');
  if (reference.tag !== undefined && reference.digest !== undefined) {
    throw wrong(text, 'has both a tag and a digest, of which only one can be meant');
  }
  return reference;
}

/** Source: OCI Image Specification 1.1, «Pre-Defined Annotation Keys», org.opencontainers.image.ref.name. */
const OCI_NAME =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

function readOci(transport: OciLocation['transport'], text: string, rest: string): OciLocation {
  const { path, name, index } = splitFile(text, rest);
  if (index !== undefined) return { transport, path, index };
  if (name === undefined) return { transport, path };
  if (!OCI_NAME.test(name)) throw wrong(text, `names no image: ${JSON.stringify(name)}`);
  return { transport, path, name };
}

function readArchive(text: string, rest: string): ArchiveLocation {
  const transport = 'docker-archive';
  const { path, name, index } = splitFile(text, rest);
  if (index !== undefined) return { transport, path, index };
  if (name === undefined) return { transport, path };
  const reference = parseNamed(name);
  if (reference === undefined) throw wrong(text, `names no image: ${JSON.stringify(name)}`);
  if (reference.digest !== undefined)
    throw wrong(text, 'names a digest, which archives do not have');
  const { registry, path: repository, tag = 'latest' } = reference;
  return { transport, path, reference: `${registry}/${repository}:${tag}` };
}

/** A file, and which image in it: `path`, `path:name` or `path:@index`. */
function splitFile(
  text: string,
  rest: string,
): { readonly path: string; readonly name?: string; readonly index?: number } {
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? '' : rest.slice(colon + 1);
  if (path === '') throw wrong(text, 'has no path');
  if (name === '') return { path };
  const index = indexIn(text, name);
  return index === undefined ? { path, name } : { path, index };
}

/** `@3` */
function indexIn(text: string, name: string): number | undefined {
  if (!name.startsWith('@')) return undefined;
  const digits = name.slice(1);
  if (/^\d{1,9}$/.test(digits)) return Number(digits);
  throw wrong(text, `has no number after @: ${JSON.stringify(digits)}`);
}

function daemonReference(text: string, rest: string): string {
  if (/^[a-z0-9]+:[0-9a-f]{64}$/.test(rest)) return rest;
  const reference = parseNamed(rest);
  if (reference === undefined) throw wrong(text, 'names no image of the daemon: write NAME:TAG');
  if (reference.tag === undefined && reference.digest === undefined) {
    throw wrong(text, 'has no tag: write NAME:TAG');
  }
  return rest;
}

function unknown(text: string, transport: string): RegistrySyncError {
  const instead = OTHERS[transport];
  if (instead !== undefined) {
    return new RegistrySyncError('UNSUPPORTED', `${transport}: is not supported: ${instead}`);
  }
  const known = 'docker://, dir:, oci:, oci-archive:, docker-archive: and docker-daemon:';
  return wrong(text, `has no transport: there are ${known}`);
}

function wrong(text: string, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `Invalid name ${JSON.stringify(text)}: it ${what}`);
}
