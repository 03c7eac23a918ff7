/** A page of a list of names, with the link to the next. Source: OCI Distribution 1.1, «Listing Tags». */
import { reply, type Reply } from './reply.ts';
import { parameterOf, type Route } from './route.ts';

/** `names` are sorted. All of them, unless `n` says how many and `last` after which. */
export function listReply(
  key: 'repositories' | 'tags',
  names: readonly string[],
  { name, query }: Pick<Route, 'name' | 'query'>,
): Reply {
  const limit = Number(parameterOf(query, 'n') ?? names.length);
  const last = parameterOf(query, 'last');
  const first = last === undefined ? 0 : names.findIndex((one) => one > last);
  const page = first < 0 ? [] : names.slice(first, first + limit);
  const isEnd = first < 0 || first + limit >= names.length;
  const path = key === 'tags' ? `/v2/${name}/tags/list` : '/v2/_catalog';
  const next = `?last=${encodeURIComponent(page.at(-1) ?? '')}&n=${limit}`;
  const link = isEnd ? '' : `link: <${path}${next}>; rel="next"\r\n`;
  const body = JSON.stringify(key === 'tags' ? { name, tags: page } : { repositories: page });
  return reply(200, `content-type: application/json\r\n${link}`, Buffer.from(body));
}
