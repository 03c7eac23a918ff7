/**
 * policy.json: which images may be used, by where they come from. Pure.
 *
 * Source: containers-policy.json(5). What it doesn't know is an error: a policy that is half understood
 * protects from nothing.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from './descriptor.ts';

export type RequirementType = keyof typeof KEYS;

export interface Requirement {
  readonly type: RequirementType;
}

export interface Policy {
  /** For messages. */
  readonly file: string;
  readonly default: readonly Requirement[];
  /** By transport, then by scope; the scope `''` is all the rest of the transport. */
  readonly transports: Readonly<Record<string, Readonly<Record<string, readonly Requirement[]>>>>;
}

/** Where an image comes from, in the words of policies. */
export interface PolicySubject {
  readonly transport: string;
  /** The narrowest first. */
  readonly scopes: readonly string[];
}

/** The requirements there are, and what each may say besides its type. */
const KEYS = {
  insecureAcceptAnything: [],
  reject: [],
  signedBy: ['keyType', 'keyPath', 'keyPaths', 'keyData', 'signedIdentity'],
  signedBaseLayer: ['baseLayerIdentity'],
  sigstoreSigned: [
    'keyPath',
    'keyPaths',
    'keyData',
    'keyDatas',
    'fulcio',
    'pki',
    'rekorPublicKeyPath',
    'rekorPublicKeyPaths',
    'rekorPublicKeyData',
    'rekorPublicKeyDatas',
    'signedIdentity',
  ],
} as const;

/**
 * @param file for messages.
 * @throws {RegistrySyncError} `USAGE` that names the file and what is wrong in it.
 */
export function parsePolicy(text: string, file: string): Policy {
  const json = parseObject(text, file);
  const twice = repeatedKey(text);
  if (twice !== undefined) throw wrong(file, `has ${JSON.stringify(twice)} twice`);
  refuseOthers(json, ['default', 'transports'], file);
  if (json.default === undefined) throw wrong(file, 'has no "default"');
  const transports: Record<string, Record<string, Requirement[]>> = {};
  for (const [name, scopes] of Object.entries(objectAt(json, 'transports', file))) {
    if (!isObject(scopes)) throw wrong(file, `transports.${name} is no object`);
    transports[name] = {};
    for (const [scope, list] of Object.entries(scopes)) {
      checkScope(name, scope, file);
      transports[name][scope] = requirements(list, file, whereOf(name, scope));
    }
  }
  return { file, default: requirements(json.default, file, 'default'), transports };
}

/**
 * Whether an image may be used. `name` is for messages.
 *
 * @throws {RegistrySyncError} `REJECTED` when the policy says no; `UNSUPPORTED` when it asks for a signature.
 */
export function applyPolicy(policy: Policy, subject: PolicySubject, name: string): void {
  const { where, list } = rulesFor(policy, subject);
  // A rejection is one whatever signatures there are.
  if (list.some(({ type }) => type === 'reject')) {
    throw new RegistrySyncError('REJECTED', `${name} is rejected by ${policy.file} (${where})`);
  }
  const asked = list.find(({ type }) => type !== 'insecureAcceptAnything');
  if (asked === undefined) return;
  const message = `${name}: ${policy.file} (${where}) asks for «${asked.type}», and signatures can't be verified yet; --insecure-policy goes without`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

function rulesFor(
  policy: Policy,
  { transport, scopes }: PolicySubject,
): { readonly where: string; readonly list: readonly Requirement[] } {
  const byScope = Object.hasOwn(policy.transports, transport)
    ? (policy.transports[transport] ?? {})
    : {};
  for (const scope of [...scopes, '']) {
    const list = Object.hasOwn(byScope, scope) ? byScope[scope] : undefined;
    if (list !== undefined) return { where: whereOf(transport, scope), list };
  }
  return { where: 'default', list: policy.default };
}

/**
 * The scopes of an image in a registry, the narrowest first: the image, its repository, namespaces,
 * the registry, and the domains that it is below.
 *
 * @param name `host[:port]/path`
 * @param version `:tag` or `@digest`
 */
export function dockerScopes(name: string, version: string): string[] {
  const parts = name.split('/');
  const namespaces = parts.map((_, n) => parts.slice(0, parts.length - n).join('/'));
  const labels = (parts[0] ?? '').replace(/:\d+$/, '').split('.');
  const domains = labels.slice(1).map((_, n) => `*.${labels.slice(n + 1).join('.')}`);
  return [name + version, ...namespaces, ...domains];
}

/** The scopes of what is at an absolute path without symbolic links: it, and the directories above. */
export function pathScopes(path: string): string[] {
  const parts = path.split('/').filter(Boolean);
  return parts.map((_, n) => `/${parts.slice(0, parts.length - n).join('/')}`);
}

/** What transports hold of their scopes; those that are not known may say what they like. */
const SCOPE_RULES: Readonly<
  Record<string, readonly [isRight: (scope: string) => boolean, what: string]>
> = {
  dir: [isPlainPath, 'is no absolute path in its shortest form'],
  oci: [isLayoutPath, 'is no absolute path in its shortest form'],
  'oci-archive': [isLayoutPath, 'is no absolute path in its shortest form'],
  docker: [isDockerScope, 'may have a * only as in *.example.com'],
  'docker-daemon': [isDockerScope, 'may have a * only as in *.example.com'],
  'docker-archive': [() => false, 'is a scope, and this transport has none but ""'],
};

function checkScope(transport: string, scope: string, file: string): void {
  const rule = Object.hasOwn(SCOPE_RULES, transport) ? SCOPE_RULES[transport] : undefined;
  if (scope === '' || rule === undefined) return;
  const [isRight, what] = rule;
  if (!isRight(scope)) throw wrong(file, `${whereOf(transport, scope)} ${what}`);
}

function isPlainPath(scope: string): boolean {
  return /^\/[^/]/.test(scope) && !/\/\/|\/\.{0,2}$|\/\.\.?\//.test(scope);
}

function isLayoutPath(scope: string): boolean {
  return isPlainPath(scope.replace(/:.*$/s, ''));
}

function isDockerScope(scope: string): boolean {
  return !scope.includes('*') || /^\*(?:\.[^.*/:@]+)+$/.test(scope);
}

function requirements(list: unknown, file: string, where: string): Requirement[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw wrong(file, `${where} is no list of requirements, or an empty one`);
  }
  return list.map((one: unknown, n) => {
    const at = `${where}[${n}]`;
    if (!isObject(one)) throw wrong(file, `${at} is no object`);
    const { type } = one;
    if (typeof type !== 'string' || !isRequirement(type)) {
      throw wrong(file, `${at} has a type that is not known: ${JSON.stringify(type)}`);
    }
    refuseOthers(one, ['type', ...KEYS[type]], file, at);
    return { type };
  });
}

function isRequirement(type: string): type is RequirementType {
  return Object.hasOwn(KEYS, type);
}

function parseObject(text: string, file: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new RegistrySyncError('USAGE', `${file} is no JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (isObject(json)) return json;
  throw wrong(file, 'is no JSON object');
}

function objectAt(json: JsonObject, key: string, file: string): JsonObject {
  const { [key]: value = {} } = json;
  if (isObject(value)) return value;
  throw wrong(file, `${key} is no object`);
}

function refuseOthers(json: JsonObject, known: readonly string[], file: string, where = ''): void {
  const other = Object.keys(json).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw wrong(file, `${where && `${where} `}has a key that is not known: ${JSON.stringify(other)}`);
}

/** A key that an object of a JSON text has twice: `JSON.parse` takes the last one and says nothing. */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set());
    if (token === '}') open.pop();
    if (key === undefined) continue;
    const name = JSON.parse(key) as string;
    const names = open.at(-1);
    if (names?.has(name) === true) return name;
    names?.add(name);
  }
  return undefined;
}

function whereOf(transport: string, scope: string): string {
  return `transports.${transport}.${JSON.stringify(scope)}`;
}

function wrong(file: string, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `${file}: ${what}`);
}
