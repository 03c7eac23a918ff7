/** Where a row's image goes: its name at the target, made from its name at the source. */
import { RegistrySyncError } from '../base/errors.ts';
import type { RegistryProfile } from '../registry/profile.ts';
import { isRepositoryPath, isTag, repositoryPath, type Reference } from '../image/reference.ts';
import { pathOf, type TagRow } from './tag-row.ts';

export interface MappingSettings {
  readonly source: string;
  readonly target: string;
  /** Stands in for the source's namespace. May have several parts, or none. */
  readonly targetNamespace?: string | undefined;
  /** A template, or the name of a preset. */
  readonly targetPath: string;
  /** Is added to every tag. */
  readonly appendSuffix: string;
  /** What is known of the target: the names it takes. */
  readonly targetProfile?: Pick<RegistryProfile, 'title' | 'parts'> | undefined;
}

export interface RowTargets {
  readonly source: Reference;
  readonly target: Reference;
}

export type MapRow = (row: TagRow) => RowTargets;

/** Templates by name. */
export const PATH_PRESETS: ReadonlyMap<string, string> = new Map([
  ['keep', '{namespace}/{path}'],
  ['two-components', '{namespace}/{path:-}'],
  ['last', '{namespace}/{name}'],
]);

interface TemplateValues {
  readonly namespace: string;
  readonly path: string;
  readonly name: string;
  readonly tag: string;
  readonly registry: string;
}

const PART = /\{([^{}:]*)(?::([^{}]*))?\}/g;
const COLON = /:(?![^{]*\})/; // not that of `{path:-}`, which is inside of braces
const PARTS: readonly string[] = ['namespace', 'path', 'name', 'tag', 'registry'];

/**
 * Compiles the mapping of rows.
 *
 * A template is a path with parts in braces: `{namespace}` (the target's, where given), `{path}` (the
 * rest of the repository's path), `{name}` (its last part), `{tag}`, `{registry}` (the source's
 * host); `{path:-}` joins the parts of a path by `-` instead of `/`. After a colon it may say the tag
 * too: `images:{path:-}-{tag}`.
 *
 * @throws {RegistrySyncError} `USAGE` when the template can't be understood; from the mapping, when
 * it makes a name that no registry takes.
 */
export function createMapping(settings: MappingSettings): MapRow {
  const { source, target, targetNamespace, appendSuffix } = settings;
  const template = PATH_PRESETS.get(settings.targetPath) ?? settings.targetPath;
  checkTemplate(template);
  const [pathTemplate = '', tagTemplate = '{tag}'] = template.split(COLON);
  return (row) => {
    const values = {
      namespace: targetNamespace ?? row.namespace,
      path: row.repository,
      name: row.repository.slice(row.repository.lastIndexOf('/') + 1),
      tag: row.tag ?? '',
      registry: source.replace(/:\d+$/, ''),
    };
    const named = tidied(fill(pathTemplate, values));
    const path = repositoryPath(target, named);
    const tag = row.tag === undefined ? undefined : fill(tagTemplate, values) + appendSuffix;
    if (!isRepositoryPath(path)) throw noName(row, path, 'repository');
    checkParts(row, `${target}/${named}`, settings.targetProfile);
    if (tag !== undefined && !isTag(tag)) throw noName(row, tag, 'tag');
    return {
      source: {
        registry: source,
        path: repositoryPath(source, pathOf(row)),
        ...(row.tag === undefined ? {} : { tag: row.tag }),
        ...(row.digest === undefined ? {} : { digest: row.digest }),
      },
      target: {
        registry: target,
        path,
        ...(tag === undefined ? {} : { tag }),
        ...(tag === undefined && row.digest !== undefined ? { digest: row.digest } : {}),
      },
    };
  };
}

function checkTemplate(template: string): void {
  const what = mistakeIn(template);
  if (what === undefined) return;
  const message = `--target-path ${JSON.stringify(template)} ${what}: there are ${PARTS.map((part) => `{${part}}`).join(' ')}, {path:-} joined by "-", and the presets ${[...PATH_PRESETS.keys()].join(', ')}`;
  throw new RegistrySyncError('USAGE', message);
}

function mistakeIn(template: string): string | undefined {
  const unknown = [...template.matchAll(PART)].find(([, part = '']) => !PARTS.includes(part));
  if (unknown !== undefined) return `has the unknown part ${unknown[0]}`;
  if (/[{}]/.test(template.replaceAll(PART, ''))) return 'has braces that do not match';
  if (template.split(COLON).length > 2) return 'has more than one colon (one may begin the tag)';
  return template === '' ? 'is empty' : undefined;
}

function fill(template: string, values: TemplateValues): string {
  return template.replaceAll(PART, (_, part: keyof TemplateValues, separator?: string) => {
    const value = values[part];
    return separator === undefined ? value : value.split('/').join(separator);
  });
}

/** An empty namespace leaves a slash behind. */
function tidied(path: string): string {
  return path.split('/').filter(Boolean).join('/');
}

/** Registries that take names of so many parts only, as Docker Hub does. */
function checkParts(row: TagRow, name: string, profile: MappingSettings['targetProfile']): void {
  if (profile === undefined) return;
  const { title, parts } = profile;
  const count = name.split('/').length - 1;
  if (count >= parts.least && count <= parts.most) return;
  const takes =
    parts.most === Infinity ? `at least ${parts.least} parts` : `exactly ${parts.most} parts`;
  const hint =
    count > parts.most
      ? '--target-path two-components joins the rest by "-"'
      : 'give --target-namespace';
  const message = `line ${row.line}: ${pathOf(row)} would become ${name}, but names at ${title} have ${takes}: ${hint}`;
  throw new RegistrySyncError('USAGE', message);
}

function noName(row: TagRow, name: string, what: 'repository' | 'tag'): RegistrySyncError {
  const message = `line ${row.line}: ${pathOf(row)} would become the ${what} ${JSON.stringify(name)} at the target, which is no legal name`;
  return new RegistrySyncError('USAGE', message);
}
