/** Where a row's image goes: its name at the target, made from its name at the source. */
import { RegistrySyncError } from '../base/errors.ts';
import { isRepositoryPath, isTag, repositoryPath, type Reference } from '../image/reference.ts';
import { pathOf, type TagRow } from './tag-row.ts';
import { compileTemplate, wrongParts, type NameRules } from './target-name.ts';

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
  readonly targetProfile?: NameRules | undefined;
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

const NAMES = { option: '--target-path', presets: PATH_PRESETS };

/**
 * Compiles the mapping of rows.
 *
 * `{namespace}` of a template is the target's, where given.
 *
 * @throws {RegistrySyncError} `USAGE` when the template can't be understood; from the mapping, when
 * it makes a name that no registry takes.
 */
export function createMapping(settings: MappingSettings): MapRow {
  const { source, target, targetNamespace, appendSuffix } = settings;
  const nameOf = compileTemplate(settings.targetPath, NAMES);
  return (row) => {
    const values = {
      namespace: targetNamespace ?? row.namespace,
      path: row.repository,
      name: row.repository.slice(row.repository.lastIndexOf('/') + 1),
      tag: row.tag ?? '',
      registry: source.replace(/:\d+$/, ''),
    };
    const named = nameOf(values);
    const path = repositoryPath(target, named.path);
    const tag = row.tag === undefined ? undefined : named.tag + appendSuffix;
    if (!isRepositoryPath(path)) throw noName(row, path, 'repository');
    checkParts(row, `${target}/${named.path}`, settings.targetProfile);
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

/** Registries that take names of so many parts only, as Docker Hub does. */
function checkParts(row: TagRow, name: string, profile: MappingSettings['targetProfile']): void {
  if (profile === undefined) return;
  const wrong = wrongParts(name.slice(name.indexOf('/') + 1), profile);
  if (wrong === undefined) return;
  const hint = wrong.isTooDeep
    ? '--target-path two-components joins the rest by "-"'
    : 'give --target-namespace';
  const message = `line ${row.line}: ${pathOf(row)} would become ${name}, but ${wrong.message}: ${hint}`;
  throw new RegistrySyncError('USAGE', message);
}

function noName(row: TagRow, name: string, what: 'repository' | 'tag'): RegistrySyncError {
  const message = `line ${row.line}: ${pathOf(row)} would become the ${what} ${JSON.stringify(name)} at the target, which is no legal name`;
  return new RegistrySyncError('USAGE', message);
}
