/**
 * The file that `sync --src yaml` reads: registries, how they are reached, and which of their images
 * are meant.
 *
 * Source: skopeo-sync(1), «YAML file content».
 */
import { isMap, isSeq } from 'yaml';

import { RegistrySyncError } from '../base/errors.ts';
import { tryParseDigest } from '../image/digest.ts';
import { isTag, type Reference } from '../image/reference.ts';
import { parseNamed } from '../store/location.ts';
import { compileGoRegex } from './go-regex.ts';
import { compileConstraint } from './semver-constraint.ts';
import {
  booleanOf,
  isNothing,
  lineOf,
  mapOf,
  pairsOf,
  parseYaml,
  quoted,
  resolved,
  textOf,
  wrongAt,
  type YamlMapping,
  type YamlNode,
  type YamlText,
} from './yaml-node.ts';

/** One registry of the file. */
export interface YamlRegistry {
  /** As it is written. */
  readonly name: string;
  readonly line: number;
  readonly repositories: readonly YamlRepository[];
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tlsVerify?: boolean;
  readonly certDir?: string;
}

export interface YamlRepository {
  readonly line: number;
  readonly repository: Pick<Reference, 'registry' | 'path'>;
  readonly wanted: YamlWanted;
  /** Its names at the destination. */
  readonly pathStyle?: string;
  readonly targetPath?: string;
}

export type YamlWanted =
  | { readonly kind: 'all' }
  /** Tags and digests. */
  | { readonly kind: 'named'; readonly versions: readonly Pick<Reference, 'tag' | 'digest'>[] }
  /** Tags that match; `text` is what they match. */
  | {
      readonly kind: 'matching';
      readonly text: string;
      readonly matches: (tag: string) => boolean;
    };

/**
 * Reads the file's text.
 *
 * @param path for messages.
 * @throws {RegistrySyncError} `USAGE` that names the file, the line and what is wrong there.
 */
export function readSourcesYaml(path: string, text: string): YamlRegistry[] {
  const yaml = parseYaml(path, text);
  const root = mapOf(yaml, yaml.document.contents, 'the file');
  if (root === undefined) throw wrongAt(path, 1, 'has no registries');
  return pairsOf(yaml, root).map(([name, node, line]) => registryOf(yaml, name, node, line));
}

const KEYS = [
  'images',
  'images-by-tag-regex',
  'images-by-semver',
  'credentials',
  'tls-verify',
  'cert-dir',
  'destination-path-style',
  'target-path',
];

function registryOf(yaml: YamlText, name: string, node: YamlNode, line: number): YamlRegistry {
  if (isSeq(resolved(yaml, node))) {
    const hint = `write docker.io: {images: {${name}: [TAG, …]}}`;
    throw wrongAt(
      yaml.path,
      line,
      `${quoted(name)} has a list, but the first level is registries: ${hint}`,
    );
  }
  const map = mapOf(yaml, node, quoted(name));
  const fields = new Map(
    (map === undefined ? [] : pairsOf(yaml, map)).map(([key, value, at]) => {
      if (KEYS.includes(key)) return [key, { node: value, line: at }];
      throw wrongAt(
        yaml.path,
        at,
        `${quoted(key)} is no setting of a registry: there are ${KEYS.join(', ')}`,
      );
    }),
  );
  const field = (key: string): YamlNode => fields.get(key)?.node;
  const naming = namingOf(yaml, fields);
  const repositories = [
    ...listsOf(yaml, field('images')),
    ...matchersOf(yaml, field('images-by-tag-regex'), compileGoRegex),
    ...matchersOf(yaml, field('images-by-semver'), compileConstraint),
  ].map(({ image, line: at, wanted }): YamlRepository => {
    const repository = repositoryOf(yaml, { registry: name, image, line: at });
    return Object.assign({ line: at, wanted, repository }, naming(image));
  });
  naming.checkUsed();
  const credentials = credentialsOf(yaml, field('credentials'));
  const tlsVerify = booleanOf(yaml, field('tls-verify'), 'tls-verify');
  const certDir = textOf(yaml, field('cert-dir'), 'cert-dir');
  return {
    name,
    line,
    repositories,
    ...(credentials === undefined ? {} : { credentials }),
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
    ...(certDir === undefined ? {} : { certDir }),
  };
}

interface Listed {
  readonly image: string;
  readonly line: number;
  readonly wanted: YamlWanted;
}

function listsOf(yaml: YamlText, node: YamlNode): Listed[] {
  const map = mapOf(yaml, node, 'images');
  if (map === undefined) return [];
  return pairsOf(yaml, map).map(([image, value, line]) => {
    const list = resolved(yaml, value);
    if (isNothing(list)) return { image, line, wanted: { kind: 'all' } };
    if (!isSeq(list)) {
      throw wrongAt(yaml.path, line, `${quoted(image)} needs a list of tags, as in [ "1.0" ]`);
    }
    if (list.items.length === 0) return { image, line, wanted: { kind: 'all' } };
    const versions = list.items.map((item) => versionOf(yaml, item as YamlNode, image));
    return { image, line, wanted: { kind: 'named', versions } };
  });
}

function versionOf(
  yaml: YamlText,
  node: YamlNode,
  image: string,
): Pick<Reference, 'tag' | 'digest'> {
  const text = textOf(yaml, node, `a tag of ${quoted(image)}`) ?? '';
  const digest = tryParseDigest(text);
  if (digest !== undefined) return { digest };
  if (isTag(text)) return { tag: text };
  throw wrongAt(
    yaml.path,
    lineOf(yaml, node),
    `${quoted(text)} of ${quoted(image)} is neither a tag nor a digest`,
  );
}

type Compile = (where: string, text: string) => (tag: string) => boolean;

function matchersOf(yaml: YamlText, node: YamlNode, compile: Compile): Listed[] {
  const map = mapOf(yaml, node, 'images-by-…');
  if (map === undefined) return [];
  return pairsOf(yaml, map).map(([image, value, line]) => {
    const text = textOf(yaml, value, quoted(image));
    if (text === undefined) throw wrongAt(yaml.path, line, `${quoted(image)} has no value`);
    const matches = compile(`${yaml.path}:${line}: ${quoted(image)}:`, text);
    return { image, line, wanted: { kind: 'matching', text, matches } };
  });
}

function repositoryOf(
  { path }: YamlText,
  { registry, image, line }: { registry: string; image: string; line: number },
): YamlRepository['repository'] {
  let reference: Reference | undefined;
  try {
    reference = parseNamed(`${registry}/${image}`);
  } catch (error) {
    throw error instanceof RegistrySyncError ? wrongAt(path, line, error.message) : error;
  }
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined) {
    throw wrongAt(path, line, `${quoted(`${registry}/${image}`)} is no name of a repository`);
  }
  return { registry: reference.registry, path: reference.path };
}

type Naming = Pick<YamlRepository, 'pathStyle' | 'targetPath'>;
type Fields = ReadonlyMap<string, { readonly node: YamlNode; readonly line: number }>;

/** How the images of a registry are named: one value for all, or one per repository. */
function namingOf(
  yaml: YamlText,
  fields: Fields,
): ((image: string) => Naming) & { checkUsed(): void } {
  const styles = perImage(yaml, fields, 'destination-path-style');
  const templates = perImage(yaml, fields, 'target-path');
  const find = (image: string): Naming => {
    const [pathStyle, targetPath] = [styles.of(image), templates.of(image)];
    return {
      ...(pathStyle === undefined ? {} : { pathStyle }),
      ...(targetPath === undefined ? {} : { targetPath }),
    };
  };
  return Object.assign(find, {
    checkUsed() {
      styles.checkUsed();
      templates.checkUsed();
    },
  });
}

function perImage(yaml: YamlText, fields: Fields, key: string) {
  const field = fields.get(key);
  const node = resolved(yaml, field?.node);
  if (!isMap(node)) {
    const value = textOf(yaml, field?.node, key);
    return { of: () => value, checkUsed: () => {} };
  }
  const pairs = pairsOf(yaml, node as YamlMapping);
  const values = new Map(pairs.map(([image, value]) => [image, textOf(yaml, value, key)]));
  const unused = new Set(values.keys());
  return {
    of(image: string): string | undefined {
      unused.delete(image);
      return values.get(image);
    },
    checkUsed() {
      const [, , line = 0] = pairs.find(([image]) => unused.has(image)) ?? [];
      const [image] = unused;
      if (image === undefined) return;
      throw wrongAt(
        yaml.path,
        line,
        `${key} names ${quoted(image)}, which is not among the images`,
      );
    },
  };
}

/** Values are not shown. */
function credentialsOf(yaml: YamlText, node: YamlNode): YamlRegistry['credentials'] {
  const map = mapOf(yaml, node, 'credentials');
  if (map === undefined) return undefined;
  const values = new Map<string, string>();
  for (const [key, value, line] of pairsOf(yaml, map)) {
    if (key !== 'username' && key !== 'password') {
      throw wrongAt(yaml.path, line, 'credentials are username and password, and nothing else');
    }
    values.set(key, textOf(yaml, value, key) ?? '');
  }
  const [username, password] = [values.get('username'), values.get('password')];
  if (!username || !password) {
    throw wrongAt(yaml.path, lineOf(yaml, map), 'credentials need a username and a password');
  }
  return { username, password };
}
