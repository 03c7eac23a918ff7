/** Templates of names at the target, and which names a target takes: the same for every kind of sync. */
import { RegistrySyncError } from '../base/errors.ts';
import type { RegistryProfile } from '../registry/profile.ts';

/** What a name can be made of. */
export interface NameParts {
  /** The source's host. */
  readonly registry: string;
  /** The first part of the repository's path, where it has several, or what stands in for it. */
  readonly namespace: string;
  /** The rest of the repository's path. */
  readonly path: string;
  /** The last part of the repository's path. */
  readonly name: string;
  readonly tag: string;
}

export interface TargetName {
  /** Of the repository, without empty parts. */
  readonly path: string;
  readonly tag: string;
}

export type NameTemplate = (parts: NameParts) => TargetName;

const PART = /\{([^{}:]*)(?::([^{}]*))?\}/g;
const COLON = /:(?![^{]*\})/; // not that of `{path:-}`, which is inside of braces
const PARTS = ['namespace', 'path', 'repository', 'name', 'tag', 'registry'] as const;

type Part = (typeof PARTS)[number];

export interface TemplateNames {
  /** What the template is the value of, for messages: `--target-path`. */
  readonly option: string;
  /** Templates by name. */
  readonly presets: ReadonlyMap<string, string>;
}

/**
 * Compiles a template, or the preset of that name.
 *
 * A template is a path with parts in braces: `{namespace}`, `{path}`, `{repository}` (both of them),
 * `{name}`, `{tag}`, `{registry}`; `{path:-}` joins the parts of a path by `-` instead of `/`. After
 * a colon it may say the tag too: `images:{path:-}-{tag}`.
 *
 * @throws {RegistrySyncError} `USAGE` when the template can't be understood.
 */
export function compileTemplate(text: string, { option, presets }: TemplateNames): NameTemplate {
  const template = presets.get(text) ?? text;
  const mistake = mistakeIn(template);
  if (mistake !== undefined) {
    const parts = PARTS.map((part) => `{${part}}`).join(' ');
    const message = `${option} ${JSON.stringify(template)} ${mistake}: there are ${parts}, {path:-} joined by "-", and the presets ${[...presets.keys()].join(', ')}`;
    throw new RegistrySyncError('USAGE', message);
  }
  const [pathTemplate = '', tagTemplate = '{tag}'] = template.split(COLON);
  return (parts) => ({
    path: tidied(fill(pathTemplate, parts)),
    tag: fill(tagTemplate, parts),
  });
}

function mistakeIn(template: string): string | undefined {
  const known: readonly string[] = PARTS;
  const unknown = [...template.matchAll(PART)].find(([, part = '']) => !known.includes(part));
  if (unknown !== undefined) return `has the unknown part ${unknown[0]}`;
  if (/[{}]/.test(template.replaceAll(PART, ''))) return 'has braces that do not match';
  if (template.split(COLON).length > 2) return 'has more than one colon (one may begin the tag)';
  return template === '' ? 'is empty' : undefined;
}

function fill(template: string, parts: NameParts): string {
  const values = { ...parts, repository: tidied(`${parts.namespace}/${parts.path}`) };
  return template.replaceAll(PART, (_, part: Part, separator?: string) => {
    const value = values[part];
    return separator === undefined ? value : value.split('/').join(separator);
  });
}

/** An empty namespace leaves a slash behind. */
export function tidied(path: string): string {
  return path.split('/').filter(Boolean).join('/');
}

export type NameRules = Pick<RegistryProfile, 'title' | 'parts'>;

/** What is wrong with the number of parts of a path for registries that limit it, as Docker Hub does. */
export function wrongParts(
  path: string,
  { title, parts }: NameRules,
): { readonly message: string; readonly isTooDeep: boolean } | undefined {
  const count = path.split('/').length;
  if (count >= parts.least && count <= parts.most) return undefined;
  const takes =
    parts.most === Infinity ? `at least ${parts.least} parts` : `exactly ${parts.most} parts`;
  return { message: `names at ${title} have ${takes}`, isTooDeep: count > parts.most };
}
