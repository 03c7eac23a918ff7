/** What a request is about: the paths of the distribution protocol, taken apart without a regex. */
import type { RequestClass } from '../support/counting-proxy.ts';

export interface Route {
  readonly class: RequestClass;
  readonly method: string;
  /** Of the repository; empty where there is none. */
  readonly name: string;
  /** The last part of the path: a tag, a digest, the id of an upload. */
  readonly last: string;
  /** Without its question mark. */
  readonly query: string;
}

type Verb = 'HEAD' | 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

const OTHERS = new Map<string, RequestClass>([
  ['/v2', 'ping'],
  ['/v2/', 'ping'],
  ['/v2/_catalog', 'catalog'],
  ['/token', 'token'],
]);

/** Of the first line of a request. */
export function routeOf(line: string): Route {
  const space = line.indexOf(' ');
  const method = line.slice(0, space);
  const target = line.slice(space + 1, line.indexOf(' ', space + 1));
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  const slash = path.lastIndexOf('/');
  const last = path.slice(slash + 1);
  const asked = { method, last, query };
  const before = path.lastIndexOf('/', slash - 1);
  const kind = path.slice(before + 1, slash);
  const name = path.slice('/v2/'.length, before);
  const verb = method as Verb;
  switch (kind) {
    case 'manifests':
      return { ...asked, class: `manifest ${verb}`, name };
    case 'blobs':
      return { ...asked, class: `blob ${verb}`, name };
    case 'uploads': {
      const isMount = verb === 'POST' && query.includes('mount=');
      const repository = name.slice(0, name.lastIndexOf('/'));
      return { ...asked, class: isMount ? 'mount' : `upload ${verb}`, name: repository };
    }
    case 'tags':
    case 'referrers':
      return { ...asked, class: kind, name };
    default:
      return { ...asked, class: OTHERS.get(path) ?? 'other', name: '' };
  }
}

/** The value of a parameter of a query, decoded. */
export function parameterOf(query: string, name: string): string | undefined {
  for (const part of query.split('&')) {
    if (part.startsWith(`${name}=`)) return decodeURIComponent(part.slice(name.length + 1));
  }
  return undefined;
}
