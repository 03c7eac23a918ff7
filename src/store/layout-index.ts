/**
 * index.json of an OCI layout: which images it holds, and how one more is added.
 *
 * Source: OCI Image Specification 1.1, «Image Layout»; which entry keeps a name, is replaced or is
 * added goes by what skopeo does.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject, readDescriptor, type Descriptor, type JsonObject } from '../image/descriptor.ts';

export const REF_NAME = 'org.opencontainers.image.ref.name';

/** As many images are named when one has to be chosen. */
const MAX_LISTED = 20;

/** The layout's index as it was read: what is not known here is kept when it is written again. */
export interface LayoutIndex {
  readonly json: JsonObject;
  readonly entries: readonly unknown[];
}

export const EMPTY_INDEX: LayoutIndex = {
  json: { schemaVersion: 2 },
  entries: [],
};

/** Which image of a layout: that of a name, that of a number from 0, or the only one. */
export interface Which {
  readonly name?: string | undefined;
  readonly index?: number | undefined;
}

/** @throws {RegistrySyncError} `PROTOCOL`; `where` names the file. */
export function parseLayoutIndex(bytes: Uint8Array, where: string): LayoutIndex {
  const json = parseJson(bytes, where);
  const { schemaVersion, manifests = [] } = json;
  if (schemaVersion !== undefined && schemaVersion !== 2) {
    const message = `${where} is of version ${shown(String(schemaVersion), 20)}, and only 2 is known`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  // Go tools write `null` for an empty list.
  if (manifests !== null && !Array.isArray(manifests)) {
    throw new RegistrySyncError('PROTOCOL', `${where} has no list of manifests`);
  }
  return { json, entries: manifests ?? [] };
}

/**
 * The image that is meant; `undefined` when there is none.
 *
 * @throws {RegistrySyncError} `USAGE` when there are several and none was chosen.
 */
export function findEntry(index: LayoutIndex, which: Which, where: string): Descriptor | undefined {
  const position = positionOf(index, which, where);
  const entry = index.entries[position];
  if (entry === undefined) return undefined;
  return readDescriptor(entry, `${where}: manifests[${position}]`);
}

/** What can be written after `oci:path:`, for people: `a, b, @2`. */
export function listEntries({ entries }: LayoutIndex): string {
  if (entries.length === 0) return 'no image';
  const names = entries.map((entry, position) => {
    const name = nameOf(entry);
    const isFirst = name !== undefined && entries.findIndex((e) => nameOf(e) === name) === position;
    return isFirst ? shown(name, 100) : `@${position}`;
  });
  const more = names.length > MAX_LISTED ? `, … (${names.length} in all)` : '';
  return names.slice(0, MAX_LISTED).join(', ') + more;
}

/** The entries that have no name. */
export function unnamedEntries({ entries }: LayoutIndex): Descriptor[] {
  return entries.flatMap((entry, position) =>
    nameOf(entry) === undefined
      ? [readDescriptor(entry, `index.json: manifests[${position}]`)]
      : [],
  );
}

/**
 * The index with one more image. A name leaves the entry that had it, which stays; the new entry
 * takes the place of one that has no name and the same digest.
 */
export function withEntry(index: LayoutIndex, added: Descriptor, name?: string): LayoutIndex {
  const { mediaType, digest, size } = added;
  const annotations = name === undefined ? {} : { annotations: { [REF_NAME]: name } };
  const entry = { mediaType, digest, size, ...annotations };
  const entries = index.entries.map((old) =>
    name !== undefined && nameOf(old) === name ? withoutName(old as JsonObject) : old,
  );
  const same = entries.findIndex((old) => isObject(old) && old.digest === digest && !nameOf(old));
  if (same < 0) entries.push(entry);
  else entries[same] = entry;
  return { json: index.json, entries };
}

export function formatLayoutIndex({ json, entries }: LayoutIndex): Buffer {
  try {
    return Buffer.from(JSON.stringify({ ...json, manifests: entries }));
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', 'index.json is nested too deep to be written', {
      cause,
    });
  }
}

export function parseJson(bytes: Uint8Array, where: string): JsonObject {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(json)) return json;
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', `${where} is no JSON`, { cause });
  }
  throw new RegistrySyncError('PROTOCOL', `${where} is no JSON object`);
}

function positionOf(index: LayoutIndex, { name, index: at }: Which, where: string): number {
  const { entries } = index;
  if (at !== undefined) return at;
  if (name !== undefined) return entries.findIndex((entry) => nameOf(entry) === name);
  if (entries.length <= 1) return 0;
  const message = `${where} holds ${entries.length} images: choose one by its name or number: ${listEntries(index)}`;
  throw new RegistrySyncError('USAGE', message);
}

function nameOf(entry: unknown): string | undefined {
  if (!isObject(entry) || !isObject(entry.annotations)) return undefined;
  const name = entry.annotations[REF_NAME];
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function withoutName(entry: JsonObject): JsonObject {
  const { annotations, ...rest } = entry;
  const { [REF_NAME]: _, ...others } = annotations as JsonObject;
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}
