/**
 * Values of a YAML file as they are written, with the lines they stand on: `1.10` is no number here.
 *
 * Source: https://eemeli.org/yaml/#documents
 */
import {
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  type Document,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
} from 'yaml';

import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';

export type YamlNode = ParsedNode | null | undefined;
export type YamlMapping = YAMLMap.Parsed;

/** A file under reading. */
export interface YamlText {
  /** For messages. */
  readonly path: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** Larger files are a mistake. Characters. */
const MAX_LENGTH = 16 * 1024 * 1024;

/** @throws {RegistrySyncError} `USAGE` that names the file and the line, when it is no YAML. */
export function parseYaml(path: string, text: string): YamlText {
  if (text.length > MAX_LENGTH) {
    throw new RegistrySyncError('USAGE', `${path}: is longer than ${MAX_LENGTH} characters`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    throw wrongAt(path, line, `is no YAML: ${broken.message}`);
  }
  return { path, document, lines };
}

export function booleanOf(yaml: YamlText, node: YamlNode, what: string): boolean | undefined {
  const scalar = resolved(yaml, node);
  if (isNothing(scalar)) return undefined;
  const text = isScalar(scalar) && scalar.type === 'PLAIN' ? `${scalar.source}` : '';
  if (/^(?:true|yes|on)$/i.test(text)) return true;
  if (/^(?:false|no|off)$/i.test(text)) return false;
  throw wrongAt(yaml.path, lineOf(yaml, node), `${what} is true or false`);
}

/** As it is written: `1.10` is no number here. */
export function textOf(yaml: YamlText, node: YamlNode, what: string): string | undefined {
  const scalar = resolved(yaml, node);
  if (isNothing(scalar)) return undefined;
  if (!isScalar(scalar)) throw wrongAt(yaml.path, lineOf(yaml, node), `${what} needs a text`);
  return sourceOf(scalar);
}

function sourceOf(scalar: Scalar): string {
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? '');
}

export function mapOf(yaml: YamlText, node: YamlNode, what: string): YamlMapping | undefined {
  const map = resolved(yaml, node);
  if (isNothing(map)) return undefined;
  if (isMap(map)) return map as YamlMapping;
  throw wrongAt(yaml.path, lineOf(yaml, node), `${what} needs lines of the form «key: value»`);
}

/** Each key, its value and the key's line. */
export function pairsOf(
  yaml: YamlText,
  map: YamlMapping,
): [key: string, value: YamlNode, line: number][] {
  return map.items.map(({ key, value }) => {
    const line = lineOf(yaml, key);
    const name = resolved(yaml, key);
    if (!isScalar(name) || isNothing(name))
      throw wrongAt(yaml.path, line, 'has a key without a name');
    return [sourceOf(name), value, line];
  });
}

/**
 * What an alias stands for.
 *
 * @throws {RegistrySyncError} `USAGE` when that is nothing: `images: {a: *tgas}` would be all tags.
 */
export function resolved(yaml: YamlText, node: YamlNode): YamlNode {
  if (!isAlias(node)) return node;
  const found = node.resolve(yaml.document) as YamlNode;
  if (found !== undefined) return found;
  throw wrongAt(
    yaml.path,
    lineOf(yaml, node),
    `*${node.source} stands for nothing: there is no &${node.source}`,
  );
}

export function isNothing(node: YamlNode): node is null | undefined {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

export function lineOf({ lines }: YamlText, node: YamlNode): number {
  return lines.linePos(node?.range[0] ?? 0).line;
}

export function quoted(text: string): string {
  return JSON.stringify(shown(text));
}

export function wrongAt(path: string, line: number, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `${path}:${line}: ${what}`);
}
